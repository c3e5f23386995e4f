// Listeners and outgoing connections.
#pragma once

#include <list>
#include <map>
#include <mutex>

#include "runtime/linux/stream.h"
#include "runtime/linux/workers.h"

namespace keelway::runtime {

class LinuxNetwork : public Network {
 public:
  explicit LinuxNetwork(LinuxWorkers& workers) : workers_(workers) {}
  base::Result<std::unique_ptr<Listener>> listen(Executor& executor, ListenOptions options,
                                                 AcceptCallback on_accept) override;
  void connect(Executor& executor, Address address, std::optional<TlsClient> tls,
               base::Duration timeout, ConnectCallback done) override;

 private:
  base::Result<std::shared_ptr<TlsContext>> client_context(const TlsClient& options);

  LinuxWorkers& workers_;
  std::mutex mutex_;
  // guarded by mutex_: making a context costs milliseconds, so recent ones are kept
  std::list<std::pair<std::string, std::shared_ptr<TlsContext>>> contexts_;
};

}  // namespace keelway::runtime
