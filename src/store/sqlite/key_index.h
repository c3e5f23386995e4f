// Which versions of which keys one keyspace has and where they lie in the log. No values but
// what others keep alive.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "store/store.h"

namespace keelway::store {

using Position = std::int64_t;  // row of the log

struct VersionRef {
  Revision created = 0;  // 0: deleted by `modified`
  Revision modified = 0;
  Position position = 0;
};

class KeyIndex {
 public:
  struct Found {
    VersionRef version;
    Bytes value;  // null: read it from the log
  };
  struct Listed {
    const std::string& key;
    const VersionRef& version;
    Bytes value;
  };

  // The current version; nullopt where absent or deleted.
  std::optional<Found> find(std::string_view key) const;
  struct Written {
    VersionRef version;           // `created` is that of the key's life
    std::optional<Found> before;  // as find() had it
  };
  // Adds a version; null deletes.
  Written write(const std::string& key, const Bytes& value, Revision revision, Position position);
  // Takes back the newest version of a key, the one at `position`. Of several the last one first.
  void undo(const std::string& key, Position position);
  // As read from the log at opening, in the log's order.
  void restore(const std::string& key, VersionRef version);

  // Live keys with the prefix, after `start_after`, as of `revision`, until `visit` is false.
  void scan(std::string_view prefix, std::string_view start_after, Revision revision,
            const std::function<bool(const Listed&)>& visit) const;

  std::size_t live() const { return live_; }
  std::size_t garbage() const { return garbage_.size(); }
  // When the n-th oldest superseded version was superseded; n < garbage().
  Revision superseded_at(std::size_t n) const { return garbage_[n].superseded; }
  // Forgets up to `count` versions that nobody can read once history before `compacted` is gone;
  // their rows may go.
  std::vector<Position> reclaim(Revision compacted, std::size_t count);
  bool reclaimable(Revision compacted) const {
    return !garbage_.empty() && garbage_.front().superseded <= compacted;
  }

 private:
  struct Node {
    VersionRef current;
    std::weak_ptr<const std::string> value;
    std::unique_ptr<std::vector<VersionRef>> older;  // oldest first; null: none
  };
  using Nodes = std::map<std::string, Node, std::less<>>;
  struct Garbage {
    Revision superseded;
    Position position;
    Nodes::iterator node;
  };
  static const VersionRef* at(const Node& node, Revision revision);
  void add(Nodes::iterator node, bool fresh, VersionRef version);
  void supersede(Nodes::iterator node, VersionRef version);

  Nodes nodes_;
  // In the order of `superseded`. A key's versions are reclaimed oldest first, its tombstone
  // last, so a node lives as long as an entry here points to it.
  std::deque<Garbage> garbage_;
  std::size_t live_ = 0;
};

}  // namespace keelway::store
