// Door 2: the AWS-compatible endpoint. It verifies SigV4, translates each operation into reads of
// the hub's view and writes through the hub's client, and keeps no state of its own.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "client/client.h"
#include "client/view.h"
#include "http/server.h"
#include "runtime/runtime.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace keelway::aws {

struct DoorOptions {
  std::string version = "0.1.0";  // of the product, for health
  std::string endpoint_host = "127.0.0.1:4566";
  // Its root keys manage the access keys of every account.
  std::string operator_account = "000000000000";
  // See eks::Service::endpoint.
  std::function<std::string(std::string_view cluster_object, int port)> cluster_endpoint = {};
  base::Duration reset_timeout = std::chrono::seconds(30);
  // What the door's listener counts; told to the operator. Null: nothing is counted.
  std::shared_ptr<const telemetry::Metrics> metrics = {};
};

// Lives on `executor`, which also owns the client and the view; all outlive the door. The view
// holds client::resources clusters, updates, access_keys (and namespaces).
struct DoorParts {
  runtime::Runtime& runtime;
  runtime::Executor& executor;
  client::Client& hub;
  const client::View& view;
  telemetry::Log log;
};

class Door : public http::Handler {};

std::unique_ptr<Door> make_door(DoorParts parts, DoorOptions options = {});

}  // namespace keelway::aws
