#include "aws/eks/cluster_document.h"

#include <set>

#include "aws/eks/hub.h"
#include "base/encoding.h"
#include "client/resources.h"
#include "value/json.h"

namespace keelway::aws::eks {
namespace {

using value::Value;

constexpr const char* default_service_cidr = "10.100.0.0/16";
constexpr std::string_view log_types[] = {"api", "audit", "authenticator", "controllerManager",
                                          "scheduler"};

// An identifier of the form of EC2's, the same for the same source.
std::string derived_id(std::string_view prefix, const std::string& source) {
  return std::string(prefix) + base::hex_encode(base::sha256(source)).substr(0, 17);
}

Value or_default(const Value& v, Value fallback) {
  return v.is_null() ? std::move(fallback) : v;
}

Value vpc_of(const Caller& caller, const std::string& arn, const Value& wish) {
  Value vpc =
      Value::object({{"subnetIds", or_default(wish["subnetIds"], Value::array())},
                     {"securityGroupIds", or_default(wish["securityGroupIds"], Value::array())},
                     {"clusterSecurityGroupId", derived_id("sg-", arn)},
                     {"vpcId", derived_id("vpc-", hub_namespace(caller))},
                     {"endpointPublicAccess", wish["endpointPublicAccess"].as_bool(true)},
                     {"endpointPrivateAccess", wish["endpointPrivateAccess"].as_bool()}});
  vpc.set("publicAccessCidrs", wish["publicAccessCidrs"].empty() ? Value::array({"0.0.0.0/0"})
                                                                 : wish["publicAccessCidrs"]);
  return vpc;
}

Value network_of(const Value& wish) {
  const bool balancing = wish.at("elasticLoadBalancing", "enabled").as_bool();
  return Value::object(
      {{"serviceIpv4Cidr", or_default(wish["serviceIpv4Cidr"], default_service_cidr)},
       {"ipFamily", or_default(wish["ipFamily"], "ipv4")},
       {"elasticLoadBalancing", Value::object({{"enabled", balancing}})}});
}

Value types_value(const std::set<std::string_view>& wanted, bool included) {
  Value types = Value::array();
  for (const std::string_view type : log_types) {
    if (wanted.contains(type) == included) types.push(type);
  }
  return types;
}

}  // namespace

Value merge_logging(const Value& current, const Value& wish) {
  std::set<std::string_view> enabled;
  for (const Value* setups : {&current["clusterLogging"], &wish["clusterLogging"]}) {
    for (const Value& setup : setups->items()) {
      for (const Value& type : setup["types"].items()) {
        if (setup["enabled"].as_bool())
          enabled.insert(type.as_string());
        else
          enabled.erase(type.as_string());
      }
    }
  }
  Value setups = Value::array();
  for (const bool on : {true, false}) {
    Value types = types_value(enabled, on);
    if (types.empty()) continue;
    setups.push(Value::object({{"enabled", on}, {"types", std::move(types)}}));
  }
  return Value::object({{"clusterLogging", std::move(setups)}});
}

Value new_cluster_object(const Caller& caller, const Value& body, base::WallTime now) {
  const std::string arn = cluster_arn(caller, body["name"].as_string());
  Value spec = Value::object(
      {{"name", body["name"]},
       {"arn", arn},
       {"accountId", caller.account_id},
       {"region", caller.region},
       {"creatorArn", caller.arn},
       {"createdAt", static_cast<double>(now.microseconds / 1000) / 1000.0},
       {"requestDigest", base::hex_encode(base::sha256(value::to_json(body)))},
       {"version", or_default(body["version"], default_version)},
       {"roleArn", body["roleArn"]},
       {"resourcesVpcConfig", vpc_of(caller, arn, body["resourcesVpcConfig"])},
       {"kubernetesNetworkConfig", network_of(body["kubernetesNetworkConfig"])},
       {"logging", merge_logging({}, body["logging"])},
       {"tags", or_default(body["tags"], Value::object())},
       {"deletionProtection", body["deletionProtection"].as_bool()},
       {"bootstrapSelfManagedAddons", body["bootstrapSelfManagedAddons"].as_bool(true)}});
  const Value& access = body["accessConfig"];
  spec.set(
      "accessConfig",
      Value::object({{"authenticationMode", or_default(access["authenticationMode"], "CONFIG_MAP")},
                     {"bootstrapClusterCreatorAdminPermissions",
                      access["bootstrapClusterCreatorAdminPermissions"].as_bool(true)}}));
  spec.set("upgradePolicy",
           Value::object(
               {{"supportType", or_default(body.at("upgradePolicy", "supportType"), "EXTENDED")}}));
  for (const char* member :
       {"clientRequestToken", "encryptionConfig", "zonalShiftConfig", "remoteNetworkConfig",
        "computeConfig", "storageConfig", "controlPlaneScalingConfig"}) {
    if (!body[member].is_null()) spec.set(member, body[member]);
  }
  Value metadata =
      Value::object({{"name", cluster_object_name(arn)},
                     {"finalizers", Value::array({client::resources::control_plane_finalizer})}});
  if (const std::string& token = body["clientRequestToken"].as_string(); !token.empty()) {
    metadata.set("labels", Value::object({{std::string(token_label_key), token_label(token)}}));
  }
  return Value::object({{"metadata", std::move(metadata)}, {"spec", std::move(spec)}});
}

std::string cluster_status(const Value& object) {
  if (object.at("metadata").contains("deletionTimestamp")) return "DELETING";
  return std::string(object.at("status", "status").string_or("CREATING"));
}

std::string cluster_version(const Value& object) {
  const std::string& wanted = object.at("spec", "version").as_string();
  return std::string(object.at("status", "version").string_or(wanted));
}

Value cluster_document(const Value& object) {
  const Value& spec = object["spec"];
  const Value& status = object["status"];
  Value cluster = Value::object();
  for (const char* member :
       {"name", "arn", "createdAt", "version", "roleArn", "resourcesVpcConfig",
        "kubernetesNetworkConfig", "logging", "tags", "upgradePolicy", "deletionProtection",
        "clientRequestToken", "encryptionConfig", "zonalShiftConfig", "remoteNetworkConfig",
        "computeConfig", "storageConfig", "controlPlaneScalingConfig"}) {
    if (spec.contains(member)) cluster.set(member, spec[member]);
  }
  cluster.set("version", cluster_version(object));
  // Whether the creator was made admin is asked for at creation and never told again.
  cluster.set(
      "accessConfig",
      Value::object({{"authenticationMode", spec.at("accessConfig", "authenticationMode")}}));
  cluster.set("status", cluster_status(object));
  cluster.set("platformVersion", or_default(status["platformVersion"], "eks.1"));
  cluster.set("certificateAuthority", or_default(status["certificateAuthority"], Value::object()));
  cluster.set(
      "health",
      Value::object({{"issues", or_default(status.at("health", "issues"), Value::array())}}));
  if (status["endpoint"].is_string()) cluster.set("endpoint", status["endpoint"]);
  if (status["oidcIssuer"].is_string()) {
    cluster.set("identity",
                Value::object({{"oidc", Value::object({{"issuer", status["oidcIssuer"]}})}}));
  }
  return cluster;
}

}  // namespace keelway::aws::eks
