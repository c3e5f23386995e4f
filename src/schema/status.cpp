#include "schema/status.h"

#include <fmt/core.h>

#include "value/json.h"

namespace keelway::schema {
namespace {

// strconv.Quote, save that every code point above ASCII counts as printable.
std::string go_quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\a':
        out += "\\a";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\v':
        out += "\\v";
        break;
      default: {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f)
          out += fmt::format("\\x{:02x}", byte);
        else
          out += c;
      }
    }
  }
  return out + '"';
}

Status make(int code, std::string_view reason, std::string message) {
  Status status;
  status.code = code;
  status.reason = reason;
  status.message = std::move(message);
  return status;
}

Status about(Status status, std::string_view group, std::string_view resource,
             std::string_view name) {
  status.group = group;
  status.kind = resource;
  status.name = name;
  return status;
}

std::string print_value(const value::Value& v) {
  if (v.is_string()) return go_quote(v.as_string());
  if (v.is_null()) return "\"null\"";
  return value::to_json(v);
}

}  // namespace

std::string qualified_resource(std::string_view group, std::string_view resource) {
  return group.empty() ? std::string(resource) : fmt::format("{}.{}", resource, group);
}

value::Value Status::to_value() const {
  using value::Value;
  Value v = Value::object({{"kind", "Status"}, {"apiVersion", "v1"}, {"status", "Failure"}});
  v.set("metadata", Value::object());
  if (!continue_token.empty()) v.mutate("metadata").set("continue", continue_token);
  v.set("message", message);
  if (!reason.empty()) v.set("reason", reason);
  Value details = Value::object();
  if (!name.empty()) details.set("name", name);
  if (!group.empty()) details.set("group", group);
  if (!kind.empty()) details.set("kind", kind);
  if (!uid.empty()) details.set("uid", uid);
  for (const Cause& cause : causes) {
    Value item = Value::object();
    if (!cause.reason.empty()) item.set("reason", cause.reason);
    if (!cause.message.empty()) item.set("message", cause.message);
    if (!cause.field.empty()) item.set("field", cause.field);
    details.mutate("causes").push(std::move(item));
  }
  if (retry_after_seconds > 0) details.set("retryAfterSeconds", retry_after_seconds);
  if (!details.empty()) v.set("details", std::move(details));
  v.set("code", code);
  return v;
}

Status Status::from_value(const value::Value& v) {
  Status status;
  status.code = static_cast<int>(v["code"].as_int(500));
  status.reason = v["reason"].as_string();
  status.message = v["message"].as_string();
  const value::Value& details = v["details"];
  status.name = details["name"].as_string();
  status.group = details["group"].as_string();
  status.kind = details["kind"].as_string();
  status.uid = details["uid"].as_string();
  status.retry_after_seconds = static_cast<int>(details["retryAfterSeconds"].as_int());
  for (const value::Value& cause : details["causes"].items()) {
    status.causes.push_back(
        {cause["reason"].as_string(), cause["message"].as_string(), cause["field"].as_string()});
  }
  status.continue_token = v.at("metadata", "continue").as_string();
  return status;
}

std::string_view FieldError::cause_reason() const {
  switch (type) {
    case Type::required:
      return "FieldValueRequired";
    case Type::invalid:
      return "FieldValueInvalid";
    case Type::not_supported:
      return "FieldValueNotSupported";
    case Type::forbidden:
      return "FieldValueForbidden";
    case Type::duplicate:
      return "FieldValueDuplicate";
    case Type::too_long:
      return "FieldValueTooLong";
    case Type::too_many:
      return "FieldValueTooMany";
    case Type::type_invalid:
      return "FieldValueTypeInvalid";
    case Type::not_found:
      return "FieldValueNotFound";
    case Type::internal:
      return "InternalError";
  }
  return "";
}

std::string FieldError::body() const {
  const auto with_detail = [this](std::string text) {
    return detail.empty() ? text : text + ": " + detail;
  };
  const std::string bad = printed.empty() ? print_value(bad_value) : printed;
  switch (type) {
    case Type::required:
      return with_detail("Required value");
    case Type::forbidden:
      return with_detail("Forbidden");
    case Type::internal:
      return with_detail("Internal error");
    case Type::too_long:
      return with_detail("Too long");
    case Type::too_many:
      return with_detail("Too many: " + bad);
    case Type::duplicate:
      return with_detail("Duplicate value: " + bad);
    case Type::not_found:
      return with_detail("Not found: " + bad);
    case Type::not_supported: {
      std::string text = "Unsupported value: " + bad;
      const char* separator = ": supported values: ";
      for (const std::string& choice : supported) {
        text += separator + go_quote(choice);
        separator = ", ";
      }
      return with_detail(std::move(text));
    }
    case Type::invalid:
    case Type::type_invalid:
      return with_detail("Invalid value: " + bad);
  }
  return "";
}

std::string FieldError::message() const {
  return field.empty() ? body() : field + ": " + body();
}

Status bad_request(std::string message) {
  return make(400, "BadRequest", std::move(message));
}

Status unauthorized() {
  return make(401, "Unauthorized", "Unauthorized");
}

Status forbidden(std::string_view group, std::string_view resource, std::string_view name,
                 std::string_view why) {
  const std::string what = qualified_resource(group, resource);
  std::string message;
  if (what.empty())
    message = fmt::format("forbidden: {}", why);
  else if (name.empty())
    message = fmt::format("{} is forbidden: {}", what, why);
  else
    message = fmt::format("{} {} is forbidden: {}", what, go_quote(name), why);
  return about(make(403, "Forbidden", std::move(message)), group, resource, name);
}

Status not_found(std::string_view group, std::string_view resource, std::string_view name) {
  return about(
      make(404, "NotFound",
           fmt::format("{} {} not found", qualified_resource(group, resource), go_quote(name))),
      group, resource, name);
}

Status already_exists(std::string_view group, std::string_view resource, std::string_view name) {
  return about(make(409, "AlreadyExists",
                    fmt::format("{} {} already exists", qualified_resource(group, resource),
                                go_quote(name))),
               group, resource, name);
}

Status conflict(std::string_view group, std::string_view resource, std::string_view name,
                std::string_view why) {
  return about(make(409, "Conflict",
                    fmt::format("Operation cannot be fulfilled on {} {}: {}",
                                qualified_resource(group, resource), go_quote(name), why)),
               group, resource, name);
}

Status modified_conflict(std::string_view group, std::string_view resource, std::string_view name) {
  return conflict(group, resource, name,
                  "the object has been modified; please apply your changes to the latest version "
                  "and try again");
}

Status invalid(std::string_view group, std::string_view kind, std::string_view name,
               const FieldErrors& errors) {
  std::string text;
  for (const FieldError& error : errors) {
    if (!text.empty()) text += ", ";
    text += error.message();
  }
  if (errors.size() > 1) text = "[" + text + "]";
  const std::string what = qualified_resource(group, kind);
  Status status =
      make(422, "Invalid",
           errors.empty() ? fmt::format("{} {} is invalid", what, go_quote(name))
                          : fmt::format("{} {} is invalid: {}", what, go_quote(name), text));
  for (const FieldError& error : errors) {
    status.causes.push_back({std::string(error.cause_reason()), error.body(), error.field});
  }
  return about(std::move(status), group, kind, name);
}

Status method_not_supported(std::string_view group, std::string_view resource,
                            std::string_view verb) {
  return about(make(405, "MethodNotAllowed",
                    fmt::format("{} is not supported on resources of kind {}", verb,
                                go_quote(qualified_resource(group, resource)))),
               group, resource, "");
}

Status expired(std::string message) {
  return make(410, "Expired", std::move(message));
}
Status gone(std::string message) {
  return make(410, "Gone", std::move(message));
}

Status internal_error(std::string_view what) {
  Status status = make(500, "InternalError", fmt::format("Internal error occurred: {}", what));
  status.causes.push_back({"", std::string(what), ""});
  return status;
}

Status too_many_requests(std::string message, int retry_after_seconds) {
  Status status = make(429, "TooManyRequests", std::move(message));
  status.retry_after_seconds = retry_after_seconds;
  return status;
}

Status unsupported_media_type(std::string_view accepted) {
  return make(415, "UnsupportedMediaType",
              fmt::format("the body of the request was in an unknown format - accepted media "
                          "types include: {}",
                          accepted));
}

Status not_acceptable(std::string_view accepted) {
  return make(406, "NotAcceptable",
              fmt::format("only the following media types are accepted: {}", accepted));
}

Status request_too_large(std::string message) {
  return make(413, "RequestEntityTooLarge", std::move(message));
}

Status service_unavailable(std::string message) {
  return make(503, "ServiceUnavailable", std::move(message));
}

Status timeout(std::string message, int retry_after_seconds) {
  Status status = make(504, "Timeout", std::move(message));
  status.retry_after_seconds = retry_after_seconds;
  return status;
}

}  // namespace keelway::schema
