// Who can be reached in this process: in-process clients of the hub and of every running cluster.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "access/identity.h"
#include "apiserver/fence.h"
#include "client/client.h"
#include "runtime/runtime.h"

namespace keelway::app {

inline constexpr std::string_view hub_id = "hub";

// Any thread. A connect that runs when its server is withdrawn is finished first.
class Connections {
 public:
  using Connect = std::function<std::unique_ptr<client::Client>(
      runtime::Executor&, access::Identity, apiserver::FencePtr)>;

  // Clients of an earlier server of this id are dead; the listener hears that there is another.
  void announce(const std::string& id, Connect connect) {
    change(id, [&] {
      servers_[id] = std::move(connect);
      ++announcements_[id];
    });
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
    leading_.erase(id);
    listening_.erase(id);
  }
  // The loops of this cluster run in this process, and so do its nodes; the listener hears of both.
  void lead(const std::string& id, apiserver::FencePtr fence) {
    change(id, [&] { leading_[id] = std::move(fence); });
  }
  void follow(const std::string& id) {
    change(id, [&] { leading_.erase(id); });
  }
  // Null where this process does not lead the cluster; what it writes is fenced as its loops are.
  std::unique_ptr<client::Client> connect_leading(std::string_view id, runtime::Executor& executor,
                                                  access::Identity who) const {
    const std::lock_guard lock(mutex_);
    const auto found = servers_.find(id);
    const auto leads = leading_.find(id);
    if (found == servers_.end() || leads == leading_.end()) return nullptr;
    return found->second(executor, std::move(who), leads->second);
  }
  bool serves(std::string_view id) const {
    const std::lock_guard lock(mutex_);
    return servers_.contains(id);
  }
  // The cluster's port is open on this server: it has an endpoint of its own.
  void open_port(const std::string& id) {
    const std::lock_guard lock(mutex_);
    listening_.insert(id);
  }
  bool port_is_open(std::string_view id) const {
    const std::lock_guard lock(mutex_);
    return listening_.contains(id);
  }
  bool leads(std::string_view id) const {
    const std::lock_guard lock(mutex_);
    return leading_.contains(id);
  }
  // Null where no such server runs. The client belongs to `executor`.
  std::unique_ptr<client::Client> connect(std::string_view id, runtime::Executor& executor,
                                          access::Identity who,
                                          apiserver::FencePtr fence = nullptr) const {
    const std::lock_guard lock(mutex_);
    const auto found = servers_.find(id);
    if (found == servers_.end()) return nullptr;
    return found->second(executor, std::move(who), std::move(fence));
  }

 private:
  template <class Act>
  void change(const std::string& id, const Act& act) {
    std::function<void(const std::string&)> listener;
    {
      const std::lock_guard lock(mutex_);
      act();
      listener = listener_;
    }
    if (listener) listener(id);
  }

  mutable std::mutex mutex_;
  // Guarded by mutex_:
  std::map<std::string, Connect, std::less<>> servers_;
  std::map<std::string, std::uint64_t, std::less<>> announcements_;
  std::map<std::string, apiserver::FencePtr, std::less<>> leading_;
  std::set<std::string, std::less<>> listening_;
  std::function<void(const std::string&)> listener_;
};

}  // namespace keelway::app
