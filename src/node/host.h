// Boots a hollow node for every Machine object of the hub and keeps it alive until the Machine
// goes.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "access/identity.h"
#include "client/client.h"
#include "node/runtime/hollow/stage.h"
#include "runtime/runtime.h"
#include "telemetry/log.h"

namespace keelway::node {

// A client of a cluster for the host's executor; null where nodes of the cluster are not played
// here (yet): Host::reconnect() says when that changes.
using Connect =
    std::function<std::unique_ptr<client::Client>(std::string_view cluster, access::Identity who)>;

struct HostParts {
  runtime::Runtime& runtime;
  runtime::Executor& executor;  // everything happens there, construction and destruction too
  client::Client& hub;
  Connect connect;
  base::Duration boot_time{0};  // from the Machine's appearance to the Node's
  hollow::Stage stage;
  telemetry::Log log;
};

class Host {
 public:
  virtual ~Host() = default;
  virtual std::size_t nodes() const = 0;
  // What `connect` answers for the cluster has changed: its nodes connect anew, and go on where
  // they were, or stop where there is nothing to connect to.
  virtual void reconnect(std::string_view cluster) = 0;
};

std::unique_ptr<Host> make_host(HostParts parts);

}  // namespace keelway::node
