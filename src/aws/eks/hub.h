// How EKS resources lie on the hub: namespaces, names, and the calls that find and make them.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "aws/eks/service.h"

namespace keelway::aws::eks {

// Where account and region keep their resources: "123456789012-eu-west-1".
std::string hub_namespace(const Caller& caller);
// arn:aws:eks:R:A:cluster/N; partitions of China and GovCloud by the region.
std::string cluster_arn(const Caller& caller, std::string_view name);
// "c-" and 20 hexadecimal digits of the ARN's SHA-256.
std::string cluster_object_name(std::string_view arn);
// A label value for a client token: tokens may hold what labels may not.
std::string token_label(std::string_view client_request_token);

inline constexpr std::string_view token_label_key = "hub.keelway.dev/request-token";

using Found = std::move_only_function<void(Outcome<value::Value>)>;
// The caller's Cluster object, read from the hub's current state; ResourceNotFoundException.
void find_cluster(const ServicePtr& service, const Caller& caller, const std::string& name,
                  Found done);
// Creates in the caller's namespace, which is made where it does not exist yet.
void create_on_hub(const ServicePtr& service, const Caller& caller,
                   const client::Resource& resource, value::Value body, client::ReplyCallback done);

// One page of an ordered list of names. `kind` keeps tokens of one list out of another.
// Errors: maxResults out of 1-100, nextToken that we did not make.
struct Page {
  value::Value items;  // array
  std::string next_token;
};
Outcome<Page> paginate(const Query& query, std::string_view kind,
                       const std::vector<std::string>& sorted_keys,
                       const std::function<value::Value(std::size_t)>& item);

}  // namespace keelway::aws::eks
