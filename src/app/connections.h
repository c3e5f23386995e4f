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

  void announce(const std::string& id, Connect connect) {
    const std::lock_guard lock(mutex_);
    servers_[id] = std::move(connect);
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
  std::map<std::string, Connect, std::less<>> servers_;  // guarded by mutex_
};

}  // namespace keelway::app
