// One HTTP request, answered before the call returns: a command line has nothing else to do.
#pragma once

#include <optional>
#include <string>

#include "base/error.h"
#include "cli/context.h"
#include "http/client.h"
#include "runtime/runtime.h"
#include "value/value.h"

namespace keelway::cli {

base::Result<http::Response> call_and_wait(runtime::Runtime& runtime, runtime::Address origin,
                                           std::optional<runtime::TlsClient> tls,
                                           http::ClientRequest request);

// A request to the AWS door, signed for `service`. An answer that is no success is an error that
// carries the server's own message.
base::Result<value::Value> call_signed(runtime::Runtime& runtime, const Context& context,
                                       std::string method, std::string target, std::string body,
                                       std::string_view service = "eks");

// The bearer token that `aws eks get-token` would make for the cluster.
std::string bearer_token(const Context& context, const std::string& cluster, base::WallTime now);
// The time of an executor of the runtime.
base::WallTime wall_now(runtime::Runtime& runtime);

}  // namespace keelway::cli
