// What every EKS operation is given, and how it answers.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "aws/protocol/query.h"
#include "aws/protocol/service_error.h"
#include "aws/protocol/verify.h"
#include "client/client.h"
#include "client/view.h"
#include "runtime/runtime.h"

namespace keelway::aws::eks {

// Shared by the door and by the callbacks of calls under way, which may outlive it.
struct Service {
  runtime::Executor& executor;
  client::Client& hub;
  const client::View& view;
  // The endpoint of a cluster (by its object's name, at a port) on this server; empty where this
  // server does not serve it. Null: every cluster has one endpoint, which its object tells.
  std::function<std::string(std::string_view cluster_object, int port)> endpoint = {};
};
using ServicePtr = std::shared_ptr<const Service>;

struct Invocation {
  Caller caller;
  std::map<std::string, std::string, std::less<>> labels;  // of the path, decoded
  Query query;
  value::Value body;  // an object

  const std::string& label(std::string_view name) const;  // empty where absent
};

using Answer = Outcome<value::Value>;
// Called exactly once, on the service's executor.
using Done = std::move_only_function<void(Answer)>;
using Operation = void (*)(ServicePtr service, Invocation invocation, Done done);

// The errors of the model, with its HTTP codes. `cluster` adds clusterName to the answer.
ServiceError invalid_parameter(std::string message, std::string_view cluster = "");
ServiceError invalid_request(std::string message, std::string_view cluster = "");
ServiceError resource_in_use(std::string message, std::string_view cluster = "");
ServiceError resource_not_found(std::string message, std::string_view cluster = "");
// "1 validation error detected: Value 'v' at 'field' failed to satisfy constraint: rule".
ServiceError constraint(std::string_view field, std::string_view text, std::string_view rule);

}  // namespace keelway::aws::eks
