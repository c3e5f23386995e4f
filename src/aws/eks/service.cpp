#include "aws/eks/service.h"

#include <fmt/core.h>

namespace keelway::aws::eks {
namespace {

value::Value about(std::string_view cluster) {
  if (cluster.empty()) return {};
  return value::Value::object({{"clusterName", cluster}});
}

}  // namespace

const std::string& Invocation::label(std::string_view name) const {
  static const std::string none;
  const auto found = labels.find(name);
  return found != labels.end() ? found->second : none;
}

ServiceError invalid_parameter(std::string message, std::string_view cluster) {
  return {400, "InvalidParameterException", std::move(message), about(cluster)};
}

ServiceError invalid_request(std::string message, std::string_view cluster) {
  return {400, "InvalidRequestException", std::move(message), about(cluster)};
}

ServiceError resource_in_use(std::string message, std::string_view cluster) {
  return {409, "ResourceInUseException", std::move(message), about(cluster)};
}

ServiceError resource_not_found(std::string message, std::string_view cluster) {
  return {404, "ResourceNotFoundException", std::move(message), about(cluster)};
}

ServiceError constraint(std::string_view field, std::string_view text, std::string_view rule) {
  return invalid_parameter(
      fmt::format("1 validation error detected: Value '{}' at '{}' failed to satisfy constraint: "
                  "Member must {}",
                  text, field, rule));
}

}  // namespace keelway::aws::eks
