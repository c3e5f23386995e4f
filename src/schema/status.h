// The failure answer of the Kubernetes API (metav1.Status) as a value. Wording follows
// apimachinery's errors package, because clients match on it.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "value/value.h"

namespace keelway::schema {

struct Cause {
  std::string reason;  // "FieldValueRequired", "FieldManagerConflict" ...
  std::string message;
  std::string field;  // "spec.containers[0].image"
};

struct Status {
  int code = 500;
  std::string reason;  // "NotFound", "Conflict", "Invalid" ...
  std::string message;
  // details
  std::string name;
  std::string group;
  std::string kind;  // the resource in most answers ("pods"), the kind in Invalid ("Pod")
  std::string uid;
  std::vector<Cause> causes;
  int retry_after_seconds = 0;
  std::string continue_token;  // of an expired list, metadata.continue

  value::Value to_value() const;  // the Status object, kind and apiVersion included
  static Status from_value(const value::Value& v);
  bool is(std::string_view wanted_reason) const { return reason == wanted_reason; }
};

template <class T>
using Answer = std::expected<T, Status>;

// What a field rule found wrong; a list of these makes an Invalid status.
struct FieldError {
  enum class Type {
    required,
    invalid,
    not_supported,
    forbidden,
    duplicate,
    too_long,
    too_many,
    type_invalid,
    not_found,
    internal
  };
  Type type = Type::invalid;
  std::string field;  // "spec.ports[0].port"; empty: the object itself
  value::Value bad_value;
  std::string detail;  // "must be greater than or equal to 0"
  // not_supported: the values that are, in the order to print
  std::vector<std::string> supported;
  // The bad value in Go's own notation, where upstream prints a Go value; empty: from bad_value.
  std::string printed = {};

  std::string message() const;  // `spec.x: Invalid value: -1: must be ...`
  std::string body() const;     // the same without the field
  std::string_view cause_reason() const;
};
using FieldErrors = std::vector<FieldError>;

// "deployments.apps" or "pods".
std::string qualified_resource(std::string_view group, std::string_view resource);

Status bad_request(std::string message);
Status unauthorized();
// `pods "a" is forbidden: why`; without name: `pods is forbidden: why`.
Status forbidden(std::string_view group, std::string_view resource, std::string_view name,
                 std::string_view why);
Status not_found(std::string_view group, std::string_view resource, std::string_view name);
Status already_exists(std::string_view group, std::string_view resource, std::string_view name);
// `Operation cannot be fulfilled on pods "a": why`.
Status conflict(std::string_view group, std::string_view resource, std::string_view name,
                std::string_view why);
// why: "the object has been modified; please apply your changes to the latest version and try
// again".
Status modified_conflict(std::string_view group, std::string_view resource, std::string_view name);
Status invalid(std::string_view group, std::string_view kind, std::string_view name,
               const FieldErrors& errors);
Status method_not_supported(std::string_view group, std::string_view resource,
                            std::string_view verb);
Status expired(std::string message);
Status gone(std::string message);
Status internal_error(std::string_view what);  // `Internal error occurred: what`
Status too_many_requests(std::string message, int retry_after_seconds);
Status unsupported_media_type(std::string_view accepted);
Status not_acceptable(std::string_view accepted);
Status request_too_large(std::string message);
Status service_unavailable(std::string message);
Status timeout(std::string message, int retry_after_seconds);

}  // namespace keelway::schema
