// What an AWS service answers when it refuses, before it is put into a protocol.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "schema/status.h"
#include "value/value.h"

namespace keelway::aws {

struct ServiceError {
  int http_status = 400;
  std::string code;  // "ResourceNotFoundException"; query services have it without "Exception"
  std::string message;
  value::Value members;  // beside the message: {"clusterName": ...}; null: none
};

template <class T>
using Outcome = std::expected<T, ServiceError>;

inline std::unexpected<ServiceError> refuse(ServiceError error) {
  return std::unexpected(std::move(error));
}

// What the hub answered, in words of a service. Details of the hub stay inside.
ServiceError from_status(const schema::Status& status);

}  // namespace keelway::aws
