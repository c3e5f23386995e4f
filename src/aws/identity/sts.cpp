#include "aws/identity/sts.h"

#include <fmt/core.h>

#include "aws/protocol/dialect.h"
#include "aws/protocol/query.h"

namespace keelway::aws {
namespace {

constexpr const char* xml_namespace = "https://sts.amazonaws.com/doc/2011-06-15/";

http::Response caller_identity(const http::Request& request, const Caller& caller,
                               std::string_view request_id) {
  using value::Value;
  if (request.header("accept").find("application/json") != std::string_view::npos) {
    Value result = Value::object(
        {{"Account", caller.account_id}, {"Arn", caller.arn}, {"UserId", caller.user_id}});
    Value body = Value::object({{"GetCallerIdentityResult", std::move(result)},
                                {"ResponseMetadata", Value::object({{"RequestId", request_id}})}});
    return render_json(Value::object({{"GetCallerIdentityResponse", std::move(body)}}), request_id);
  }
  return render_xml(
      fmt::format("<GetCallerIdentityResponse xmlns=\"{}\"><GetCallerIdentityResult><Arn>{}</Arn>"
                  "<UserId>{}</UserId><Account>{}</Account></GetCallerIdentityResult>"
                  "<ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata>"
                  "</GetCallerIdentityResponse>",
                  xml_namespace, xml_escape(caller.arn), xml_escape(caller.user_id),
                  xml_escape(caller.account_id), request_id),
      request_id);
}

}  // namespace

http::Response answer_sts(const http::Request& request, const Caller& caller,
                          std::string_view request_id) {
  const std::string action = wanted_operation(request);
  if (action == "GetCallerIdentity") return caller_identity(request, caller, request_id);
  return render_error(Dialect::query_xml, unknown_operation(Dialect::query_xml, "sts", action),
                      request_id);
}

}  // namespace keelway::aws
