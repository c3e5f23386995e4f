// UpdateClusterConfig: one kind of change a call, recorded as an Update.
#include <fmt/core.h>

#include "aws/eks/cluster_document.h"
#include "aws/eks/operations.h"
#include "aws/eks/updates.h"
#include "value/json.h"

namespace keelway::aws::eks {
namespace {

using value::Value;

struct Change : RecordedChange {
  Change() : RecordedChange{Value::object(), Value::array()} {}
  void param(std::string_view type, const Value& v) {
    params.push(Value::object(
        {{"type", type}, {"value", v.is_string() ? v.as_string() : value::to_json(v)}}));
  }
};
using Planned = Outcome<RecordedChange>;

Planned plan_logging(const Value& spec, const Value& body) {
  if (auto bad = check_logging(body["logging"])) return refuse(std::move(*bad));
  Value merged = merge_logging(spec["logging"], body["logging"]);
  if (merged == spec["logging"]) {
    return refuse(invalid_parameter("No changes needed for the logging config provided"));
  }
  Change change;
  change.param("ClusterLogging", merged);
  change.patch.set("logging", std::move(merged));
  return change;
}

Planned plan_endpoint_access(const Value& spec, const Value& body) {
  Value merged = spec["resourcesVpcConfig"];
  const Value& wish = body["resourcesVpcConfig"];
  for (const char* member :
       {"endpointPublicAccess", "endpointPrivateAccess", "publicAccessCidrs"}) {
    if (!wish[member].is_null()) merged.set(member, wish[member]);
  }
  if (auto bad = check_vpc_access(merged)) return refuse(std::move(*bad));
  if (merged == spec["resourcesVpcConfig"]) {
    return refuse(invalid_parameter(fmt::format(
        "Cluster is already at the desired configuration with endpointPrivateAccess: "
        "{} , endpointPublicAccess: {}, and Public Endpoint Restrictions: {}",
        merged["endpointPrivateAccess"].as_bool(), merged["endpointPublicAccess"].as_bool(),
        value::to_json(merged["publicAccessCidrs"]))));
  }
  Change change;
  change.param("EndpointPublicAccess", merged["endpointPublicAccess"]);
  change.param("EndpointPrivateAccess", merged["endpointPrivateAccess"]);
  change.param("PublicAccessCidrs", merged["publicAccessCidrs"]);
  change.patch.set("resourcesVpcConfig", std::move(merged));
  return change;
}

Planned plan_vpc(const Value&, const Value& body) {
  Change change;
  for (const auto& [member, type] :
       {std::pair("subnetIds", "Subnets"), std::pair("securityGroupIds", "SecurityGroups")}) {
    const Value& wish = body["resourcesVpcConfig"][member];
    if (wish.is_null()) continue;
    if (std::string_view(member) == "subnetIds" && wish.size() < 2) {
      return refuse(invalid_parameter("Subnets specified must be in at least two different AZs"));
    }
    change.param(type, wish);
    change.patch.mutate("resourcesVpcConfig").set(member, wish);
  }
  return change;
}

int rank_of_mode(std::string_view mode) {
  return mode == "CONFIG_MAP" ? 0 : mode == "API_AND_CONFIG_MAP" ? 1 : 2;
}

Planned plan_access(const Value& spec, const Value& body) {
  const Value& wish = body.at("accessConfig", "authenticationMode");
  if (auto bad = check_enum("accessConfig.authenticationMode", wish,
                            {"API", "API_AND_CONFIG_MAP", "CONFIG_MAP"})) {
    return refuse(std::move(*bad));
  }
  const std::string& now = spec.at("accessConfig", "authenticationMode").as_string();
  if (wish.as_string() == now || wish.is_null()) {
    return refuse(invalid_parameter(
        fmt::format("Cluster is already at the desired authentication mode {}", now)));
  }
  if (rank_of_mode(wish.as_string()) < rank_of_mode(now)) {
    return refuse(invalid_parameter(fmt::format(
        "Unsupported authentication mode update from {} to {}", now, wish.as_string())));
  }
  Change change;
  change.param("AuthenticationMode", wish);
  change.patch.mutate("accessConfig").set("authenticationMode", wish);
  return change;
}

Planned plan_upgrade_policy(const Value& spec, const Value& body) {
  const Value& wish = body["upgradePolicy"];
  if (auto bad =
          check_enum("upgradePolicy.supportType", wish["supportType"], {"STANDARD", "EXTENDED"})) {
    return refuse(std::move(*bad));
  }
  if (wish == spec["upgradePolicy"]) {
    return refuse(invalid_parameter("No changes needed for the upgrade policy provided"));
  }
  Change change;
  change.param("UpgradePolicy", wish);
  change.patch.set("upgradePolicy", wish);
  return change;
}

Planned plan_deletion_protection(const Value& spec, const Value& body) {
  const bool wish = body["deletionProtection"].as_bool();
  if (wish == spec["deletionProtection"].as_bool()) {
    return refuse(
        invalid_parameter(fmt::format("Cluster already has deletionProtection set to {}", wish)));
  }
  Change change;
  change.param("DeletionProtection", Value(wish));
  change.patch.set("deletionProtection", wish);
  return change;
}

Planned plan_scaling(const Value& spec, const Value& body) {
  const Value& tier = body.at("controlPlaneScalingConfig", "tier");
  if (auto bad = check_enum("controlPlaneScalingConfig.tier", tier,
                            {"standard", "tier-xl", "tier-2xl", "tier-4xl", "tier-8xl"})) {
    return refuse(std::move(*bad));
  }
  Change change;
  change.param("PreviousTier",
               Value(spec.at("controlPlaneScalingConfig", "tier").string_or("standard")));
  change.param("UpdatedTier", tier);
  change.patch.set("controlPlaneScalingConfig", body["controlPlaneScalingConfig"]);
  return change;
}

Planned plan_auto_mode(const Value&, const Value& body) {
  const bool compute = body.at("computeConfig", "enabled").as_bool();
  const bool storage = body.at("storageConfig", "blockStorage", "enabled").as_bool();
  const bool balancing =
      body.at("kubernetesNetworkConfig", "elasticLoadBalancing", "enabled").as_bool();
  if (compute != storage || storage != balancing) {
    return refuse(invalid_parameter(
        "For EKS Auto Mode, please ensure that all required configs, including computeConfig, "
        "kubernetesNetworkConfig, and blockStorage are all either fully enabled or fully "
        "disabled."));
  }
  Change change;
  change.param("ComputeConfig", body["computeConfig"]);
  change.param("StorageConfig", body["storageConfig"]);
  change.param("KubernetesNetworkConfig", body["kubernetesNetworkConfig"]);
  change.patch.set("computeConfig", body["computeConfig"]);
  change.patch.set("storageConfig", body["storageConfig"]);
  change.patch.mutate("kubernetesNetworkConfig")
      .set("elasticLoadBalancing", body.at("kubernetesNetworkConfig", "elasticLoadBalancing"));
  return change;
}

// Members that are stored as they come.
template <const char* member, const char* type>
Planned plan_plain(const Value& spec, const Value& body) {
  if (body[member] == spec[member]) {
    return refuse(invalid_parameter(fmt::format("No changes needed for the {} provided", member)));
  }
  Change change;
  change.param(type, body[member]);
  change.patch.set(member, body[member]);
  return change;
}
constexpr char zonal_shift_member[] = "zonalShiftConfig", zonal_shift_type[] = "ZonalShiftConfig";
constexpr char remote_member[] = "remoteNetworkConfig", remote_type[] = "RemoteNetworkConfig";

struct KindOfChange {
  std::string_view type;
  bool (*asked)(const Value& body);
  Planned (*plan)(const Value& spec, const Value& body);
};

template <const char* member>
bool has(const Value& body) {
  return !body[member].is_null();
}
constexpr char logging[] = "logging", access_config[] = "accessConfig",
               upgrade_policy[] = "upgradePolicy", deletion_protection[] = "deletionProtection",
               scaling[] = "controlPlaneScalingConfig";

bool asks_endpoint_access(const Value& body) {
  const Value& vpc = body["resourcesVpcConfig"];
  return !vpc["endpointPublicAccess"].is_null() || !vpc["endpointPrivateAccess"].is_null() ||
         !vpc["publicAccessCidrs"].is_null();
}
bool asks_vpc(const Value& body) {
  const Value& vpc = body["resourcesVpcConfig"];
  return !vpc["subnetIds"].is_null() || !vpc["securityGroupIds"].is_null();
}
bool asks_auto_mode(const Value& body) {
  return !body["computeConfig"].is_null() || !body["storageConfig"].is_null() ||
         !body["kubernetesNetworkConfig"].is_null();
}

constexpr KindOfChange kinds_of_change[] = {
    {"LoggingUpdate", &has<logging>, &plan_logging},
    {"EndpointAccessUpdate", &asks_endpoint_access, &plan_endpoint_access},
    {"VpcConfigUpdate", &asks_vpc, &plan_vpc},
    {"AccessConfigUpdate", &has<access_config>, &plan_access},
    {"UpgradePolicyUpdate", &has<upgrade_policy>, &plan_upgrade_policy},
    {"ZonalShiftConfigUpdate", &has<zonal_shift_member>,
     &plan_plain<zonal_shift_member, zonal_shift_type>},
    {"AutoModeUpdate", &asks_auto_mode, &plan_auto_mode},
    {"RemoteNetworkConfigUpdate", &has<remote_member>, &plan_plain<remote_member, remote_type>},
    {"DeletionProtectionUpdate", &has<deletion_protection>, &plan_deletion_protection},
    {"ControlPlaneScalingConfigUpdate", &has<scaling>, &plan_scaling},
};

Outcome<const KindOfChange*> choose(const Value& body) {
  const KindOfChange* chosen = nullptr;
  for (const KindOfChange& kind : kinds_of_change) {
    if (!kind.asked(body)) continue;
    if (chosen != nullptr) {
      return refuse(invalid_parameter("Only one type of update can be allowed."));
    }
    chosen = &kind;
  }
  if (chosen == nullptr) {
    return refuse(invalid_parameter("No changes needed: the request names none"));
  }
  return chosen;
}

std::optional<ServiceError> unchangeable(const Value& object, std::string_view type,
                                         const std::string& name) {
  const std::string status = cluster_status(object);
  if (status == "ACTIVE") return std::nullopt;
  if (status == "UPDATING") {
    return resource_in_use(
        fmt::format("Cannot {} because cluster {} currently has an update in progress", type, name),
        name);
  }
  return invalid_request(
      fmt::format("Cannot {} because cluster {} is in status {}", type, name, status), name);
}

}  // namespace

void update_cluster_config(ServicePtr service, Invocation invocation, Done done) {
  const auto chosen = choose(invocation.body);
  if (!chosen) return done(std::unexpected(chosen.error()));
  const KindOfChange& kind = **chosen;
  const std::string name = invocation.label("name");
  change_and_record(
      service, invocation.caller, {name, std::string(kind.type), "configUpdate", invocation.body},
      [&kind, name, body = invocation.body](const Value& object) -> Outcome<RecordedChange> {
        if (auto bad = unchangeable(object, kind.type, name)) return refuse(std::move(*bad));
        return kind.plan(object["spec"], body);
      },
      std::move(done));
}

}  // namespace keelway::aws::eks
