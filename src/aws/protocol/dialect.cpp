#include "aws/protocol/dialect.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "aws/protocol/query.h"
#include "value/json.h"

namespace keelway::aws {
namespace {

template <std::size_t N>
bool one_of(const std::array<std::string_view, N>& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

http::Response respond(int status, std::string content_type, std::string body,
                       std::string_view request_id) {
  http::Response response;
  response.status = status;
  response.headers = {{"content-type", std::move(content_type)},
                      {"x-amzn-requestid", std::string(request_id)}};
  response.body = std::move(body);
  return response;
}

std::string_view without_exception(std::string_view code) {
  constexpr std::string_view suffix = "Exception";
  if (code.ends_with(suffix)) code.remove_suffix(suffix.size());
  return code;
}

// The query services name signature faults differently.
std::string_view query_code(std::string_view code) {
  if (code == "UnrecognizedClientException") return "InvalidClientTokenId";
  if (code == "InvalidSignatureException") return "SignatureDoesNotMatch";
  return without_exception(code);
}

std::string_view ec2_code(std::string_view code) {
  if (code == "UnrecognizedClientException") return "AuthFailure";
  return query_code(code);
}

std::string_view s3_code(std::string_view code) {
  if (code == "UnrecognizedClientException") return "InvalidAccessKeyId";
  if (code == "MissingAuthenticationTokenException") return "AccessDenied";
  return query_code(code);
}

}  // namespace

ServiceError from_status(const schema::Status& status) {
  if (status.code == 429) return {429, "ThrottlingException", "Rate exceeded", {}};
  if (status.code == 503 || status.code == 504) {
    return {503, "ServiceUnavailableException", "The service is unavailable, try again later.", {}};
  }
  return {500, "ServerException", "The hub refused: " + status.message, {}};
}

Dialect dialect_of(std::string_view service) {
  static constexpr std::array<std::string_view, 13> query = {"sts",
                                                             "iam",
                                                             "autoscaling",
                                                             "cloudformation",
                                                             "elasticloadbalancing",
                                                             "monitoring",
                                                             "rds",
                                                             "elasticache",
                                                             "redshift",
                                                             "sns",
                                                             "elasticbeanstalk",
                                                             "ses",
                                                             "cloudsearch"};
  static constexpr std::array<std::string_view, 15> json = {
      "ecr",           "ssm",      "sqs",     "kms",
      "logs",          "dynamodb", "events",  "secretsmanager",
      "pricing",       "ecs",      "kinesis", "servicecatalog",
      "servicequotas", "tagging",  "acm"};
  if (service == "ec2") return Dialect::ec2_xml;
  if (service == "s3") return Dialect::s3_xml;
  if (one_of(query, service)) return Dialect::query_xml;
  if (one_of(json, service)) return Dialect::json;
  return Dialect::rest_json;
}

Dialect dialect_of_unsigned(const http::Request& request) {
  if (!request.header("x-amz-target").empty()) return Dialect::json;
  return Query::of_request(request).has("Action") ? Dialect::query_xml : Dialect::rest_json;
}

http::Response render_error(Dialect dialect, const ServiceError& error,
                            std::string_view request_id) {
  const std::string message = xml_escape(error.message);
  const std::string head = R"(<?xml version="1.0" encoding="UTF-8"?>)"
                           "\n";
  switch (dialect) {
    case Dialect::query_xml:
      return respond(
          error.http_status, "text/xml",
          fmt::format("<ErrorResponse><Error><Type>{}</Type><Code>{}</Code><Message>{}</Message>"
                      "</Error><RequestId>{}</RequestId></ErrorResponse>",
                      error.http_status < 500 ? "Sender" : "Receiver", query_code(error.code),
                      message, request_id),
          request_id);
    case Dialect::ec2_xml:
      return respond(
          error.code == "UnrecognizedClientException" ? 401 : error.http_status,
          "text/xml;charset=UTF-8",
          fmt::format("{}<Response><Errors><Error><Code>{}</Code><Message>{}</Message></Error>"
                      "</Errors><RequestID>{}</RequestID></Response>",
                      head, ec2_code(error.code), message, request_id),
          request_id);
    case Dialect::s3_xml:
      return respond(error.http_status, "application/xml",
                     fmt::format("{}<Error><Code>{}</Code><Message>{}</Message><RequestId>{}"
                                 "</RequestId></Error>",
                                 head, s3_code(error.code), message, request_id),
                     request_id);
    case Dialect::json: {
      value::Value body =
          value::Value::object({{"__type", error.code}, {"message", error.message}});
      return respond(error.http_status, "application/x-amz-json-1.1", value::to_json(body),
                     request_id);
    }
    case Dialect::rest_json:
      break;
  }
  value::Value body = error.members.is_object() ? error.members : value::Value::object();
  body.set("message", error.message);
  http::Response response =
      respond(error.http_status, "application/json", value::to_json(body), request_id);
  response.headers.emplace_back("x-amzn-errortype", error.code);
  return response;
}

http::Response render_json(const value::Value& body, std::string_view request_id) {
  return respond(200, "application/json", value::to_json(body), request_id);
}

http::Response render_xml(std::string body, std::string_view request_id) {
  return respond(200, "text/xml", std::move(body), request_id);
}

std::string xml_escape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t')
      out += ' ';
    else
      out += c;
  }
  return out;
}

std::string wanted_operation(const http::Request& request) {
  const std::string target(request.header("x-amz-target"));
  if (!target.empty()) return target.substr(target.rfind('.') + 1);
  const Query query = Query::of_request(request);
  if (query.has("Action")) return query.first("Action");
  return request.method + " " + request.target.substr(0, request.target.find('?'));
}

ServiceError unknown_operation(Dialect dialect, std::string_view service,
                               std::string_view operation) {
  const std::string message = fmt::format(
      "The operation {} of the service {} is not implemented by Keelway.", operation, service);
  switch (dialect) {
    case Dialect::query_xml:
    case Dialect::ec2_xml:
      return {400, "InvalidAction", message, {}};
    case Dialect::s3_xml:
      return {501, "NotImplemented", message, {}};
    case Dialect::json:
      return {400, "UnknownOperationException", message, {}};
    case Dialect::rest_json:
      break;
  }
  return {404, "UnknownOperationException", message, {}};
}

}  // namespace keelway::aws
