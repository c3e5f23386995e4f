// Somebody who lists once and then watches for ever, as client-go's reflector does: from the last
// revision heard, bookmarks included, and with a new list only where the server says that history
// is gone.
//
// Named guarantees, each of them checked: every event once and in order of revisions; an object is
// added where it was not and modified or deleted where it was; nothing at or below a bookmark comes
// after it; nothing is left out, across connections, restarts and compactions.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "client/client.h"
#include "sim/users/user.h"
#include "sim/users/wire_client.h"

namespace keelway::sim {

class Watcher final : public User {
 public:
  Watcher(WireClient& wire, client::Resource resource);
  ~Watcher() override { *alive_ = false; }

  void act(base::Random& random) override;
  void conclude(base::Random& random) override;
  bool done() const override { return done_; }
  const Complaint& complaint() const override { return complaint_; }
  const char* name() const override { return "watcher"; }

 private:
  struct Known {
    std::string uid;
    std::int64_t revision = 0;
  };
  using Objects = std::map<std::string, Known>;  // by "namespace/name"

  void list(void (Watcher::*then)(const value::Value& list));
  void take_list(const value::Value& list);
  void open_watch();
  void drop_if_silent();
  void hear(std::string_view bytes);
  void take_event(const value::Value& event);
  void take_object(const std::string& type, const value::Value& object);
  void complain(const std::string& what);
  static Objects read(const value::Value& list);
  void compare(const value::Value& list);

  WireClient& wire_;
  const client::Resource resource_;
  std::string path_;
  Objects objects_;
  std::int64_t revision_ = 0;  // heard up to here; 0: list first
  bool busy_ = false;          // waits for an answer to a list
  bool done_ = false;
  std::optional<base::Instant> differs_since_;  // from the list at the end
  std::string line_;                            // not yet whole
  std::unique_ptr<http::PendingRequest> watch_;
  bool watch_over_ = true;
  base::Instant last_heard_;
  std::uint64_t watches_ = 0;
  Complaint complaint_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace keelway::sim
