// The wire forms that AWS services answer in, chosen by the service of the credential scope.
#pragma once

#include <string>
#include <string_view>

#include "aws/protocol/service_error.h"
#include "http/server.h"
#include "value/value.h"

namespace keelway::aws {

enum class Dialect { rest_json, json, query_xml, ec2_xml, s3_xml };

Dialect dialect_of(std::string_view service);
// A request that names no service speaks as it is shaped: with an Action it is a query.
Dialect dialect_of_unsigned(const http::Request& request);

http::Response render_error(Dialect dialect, const ServiceError& error,
                            std::string_view request_id);
http::Response render_json(const value::Value& body, std::string_view request_id);
http::Response render_xml(std::string body, std::string_view request_id);
std::string xml_escape(std::string_view text);

// What the client wanted, to name it in a refusal: the Action, the X-Amz-Target or the path.
std::string wanted_operation(const http::Request& request);
// "The operation X of the service Y is not implemented", in the dialect's own code.
ServiceError unknown_operation(Dialect dialect, std::string_view service,
                               std::string_view operation);

}  // namespace keelway::aws
