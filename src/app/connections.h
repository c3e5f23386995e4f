// Who can be reached in this process: in-process clients of the hub and of every running cluster.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "access/identity.h"
#include "client/client.h"
#include "runtime/runtime.h"

namespace keelway::app {

inline constexpr std::string_view hub_id = "hub";

// Any thread. A connect that runs when its server is withdrawn is finished first.
class Connections {
 public:
  using Connect =
      std::function<std::unique_ptr<client::Client>(runtime::Executor&, access::Identity)>;

  // Clients of an earlier server of this id are dead; the listener hears that there is another.
  void announce(const std::string& id, Connect connect) {
    std::function<void(const std::string&)> listener;
    {
      const std::lock_guard lock(mutex_);
      servers_[id] = std::move(connect);
      ++announcements_[id];
      listener = listener_;
    }
    if (listener) listener(id);
  }
  // Called on whatever thread announces; one listener, set once.
  void on_announce(std::function<void(const std::string&)> listener) {
    const std::lock_guard lock(mutex_);
    listener_ = std::move(listener);
  }
  // How many servers of this id there were: another number, another server.
  std::uint64_t announcements(std::string_view id) const {
    const std::lock_guard lock(mutex_);
    const auto found = announcements_.find(id);
    return found != announcements_.end() ? found->second : 0;
  }
  void withdraw(const std::string& id) {
    const std::lock_guard lock(mutex_);
    servers_.erase(id);
  }
  // Null where no such server runs. The client belongs to `executor`.
  std::unique_ptr<client::Client> connect(std::string_view id, runtime::Executor& executor,
                                          access::Identity who) const {
    const std::lock_guard lock(mutex_);
    const auto found = servers_.find(id);
    return found != servers_.end() ? found->second(executor, std::move(who)) : nullptr;
  }

 private:
  mutable std::mutex mutex_;
  // Guarded by mutex_:
  std::map<std::string, Connect, std::less<>> servers_;
  std::map<std::string, std::uint64_t, std::less<>> announcements_;
  std::function<void(const std::string&)> listener_;
};

}  // namespace keelway::app
