// A cluster in the words of the EKS API, from and to the Cluster object of the hub.
#pragma once

#include "aws/eks/service.h"
#include "base/time.h"

namespace keelway::aws::eks {

inline constexpr std::string_view default_version = "1.33";

// What CreateCluster must be refused for.
std::optional<ServiceError> check_create(const value::Value& body);

// Checks that UpdateClusterConfig shares.
std::optional<ServiceError> check_vpc_access(const value::Value& vpc_config);
std::optional<ServiceError> check_logging(const value::Value& logging);
std::optional<ServiceError> check_tags(const value::Value& tags, std::size_t present = 0);
// `text` is one of the values; an empty answer: it is.
std::optional<ServiceError> check_enum(std::string_view field, const value::Value& text,
                                       std::initializer_list<std::string_view> allowed);

// The Cluster object of a checked CreateCluster.
value::Value new_cluster_object(const Caller& caller, const value::Value& body, base::WallTime now);
// Every log type once, the enabled ones first. `wish` changes those that it names.
value::Value merge_logging(const value::Value& current, const value::Value& wish);

// "CREATING" until the fleet has said something.
std::string cluster_status(const value::Value& object);
// The version that is served; "1.33".
std::string cluster_version(const value::Value& object);
// The `cluster` member of answers.
value::Value cluster_document(const value::Value& object);

}  // namespace keelway::aws::eks
