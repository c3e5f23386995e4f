// The keys of one keyspace whose values do not open: what a flipped bit on the disk leaves. They
// are kept apart, so that everything else is served.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "store/store.h"

namespace keelway::watch {

class Unreadable {
 public:
  // Takes the entries without a value out of a whole keyspace.
  void take_from(std::vector<store::Entry>& entries);
  // Fails where they are more than the readable ones: then it is not the disk but the key that is
  // wrong, and nothing may be taken for gone.
  base::Result<void> plausible(std::size_t readable) const;
  // Whether the event is to be left out; one that opens, or a deletion, heals its key.
  bool takes(const store::Event& event);

  // Of the write that left it; 0: it opens, or is not there.
  store::Revision revision_of(std::string_view key) const;
  std::size_t size() const { return keys_.size(); }

 private:
  std::map<std::string, store::Revision, std::less<>> keys_;
};

}  // namespace keelway::watch
