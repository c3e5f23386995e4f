#include "kinds/printers/printers.h"

#include <array>

#include "kinds/printers/cells.h"
#include "value/json.h"

namespace keelway::kinds {
namespace {

using base::WallTime;
using schema::Kind;
using value::Array;
using value::Value;

std::int64_t size_of(const Value& v) {
  return static_cast<std::int64_t>(v.size());
}

Array print_namespace(const Kind&, const Value& object, WallTime now) {
  return {cells::name(object), object.at("status", "phase").as_string(), cells::age(object, now)};
}

Array print_secret(const Kind&, const Value& object, WallTime now) {
  return {cells::name(object), object["type"].as_string(), size_of(object["data"]),
          cells::age(object, now)};
}

Array print_config_map(const Kind&, const Value& object, WallTime now) {
  return {cells::name(object), size_of(object["data"]) + size_of(object["binaryData"]),
          cells::age(object, now)};
}

Array print_service_account(const Kind&, const Value& object, WallTime now) {
  return {cells::name(object), size_of(object["secrets"]), cells::age(object, now)};
}

Array print_pod_template(const Kind&, const Value& object, WallTime) {
  const Value& pod_template = object["template"];
  const Value& containers = pod_template.at("spec", "containers");
  return {cells::name(object), cells::join_members(containers, "name"),
          cells::join_members(containers, "image"),
          cells::labels(pod_template.at("metadata", "labels"))};
}

Array print_deployment(const Kind&, const Value& object, WallTime now) {
  const Value& spec = object["spec"];
  const Value& status = object["status"];
  const Value& containers = spec.at("template", "spec", "containers");
  return {cells::name(object),
          cells::fraction(status["readyReplicas"].as_int(), spec["replicas"].as_int()),
          status["updatedReplicas"].as_int(),
          status["availableReplicas"].as_int(),
          cells::age(object, now),
          cells::join_members(containers, "name"),
          cells::join_members(containers, "image"),
          cells::selector(spec["selector"])};
}

Array print_replica_set(const Kind&, const Value& object, WallTime now) {
  const Value& spec = object["spec"];
  const Value& status = object["status"];
  const Value& containers = spec.at("template", "spec", "containers");
  return {cells::name(object),
          spec["replicas"].as_int(),
          status["replicas"].as_int(),
          status["readyReplicas"].as_int(),
          cells::age(object, now),
          cells::join_members(containers, "name"),
          cells::join_members(containers, "image"),
          cells::selector(spec["selector"])};
}

Array print_controller_revision(const Kind&, const Value& object, WallTime now) {
  std::string owner = "<none>";
  for (const Value& reference : object.at("metadata", "ownerReferences").items()) {
    if (!reference["controller"].as_bool()) continue;
    const std::string& api_version = reference["apiVersion"].as_string();
    const std::size_t slash = api_version.find('/');
    owner = cells::lower(reference["kind"].as_string());
    if (slash != std::string::npos) owner += "." + api_version.substr(0, slash);
    owner += "/" + reference["name"].as_string();
  }
  return {cells::name(object), owner, object["revision"].as_int(), cells::age(object, now)};
}

Array print_lease(const Kind&, const Value& object, WallTime now) {
  return {cells::name(object), object.at("spec", "holderIdentity").as_string(),
          cells::age(object, now)};
}

Array print_priority_class(const Kind&, const Value& object, WallTime now) {
  return {cells::name(object), object["value"].as_int(), object["globalDefault"].as_bool(),
          cells::age(object, now), object["preemptionPolicy"].as_string()};
}

std::string count_or_share(const Value& v) {
  if (v.is_null()) return "N/A";
  return v.is_string() ? v.as_string() : std::to_string(v.as_int());
}

Array print_disruption_budget(const Kind&, const Value& object, WallTime now) {
  const Value& spec = object["spec"];
  return {cells::name(object), count_or_share(spec["minAvailable"]),
          count_or_share(spec["maxUnavailable"]),
          object.at("status", "disruptionsAllowed").as_int(), cells::age(object, now)};
}

Array print_role_binding(const Kind&, const Value& object, WallTime now) {
  std::vector<std::string> users, groups, accounts;
  for (const Value& subject : object["subjects"].items()) {
    const std::string& kind = subject["kind"].as_string();
    const std::string& name = subject["name"].as_string();
    if (kind == "User") users.push_back(name);
    if (kind == "Group") groups.push_back(name);
    if (kind != "ServiceAccount") continue;
    const std::string& space = subject["namespace"].as_string();
    accounts.push_back(space.empty() ? name : space + "/" + name);
  }
  const Value& role = object["roleRef"];
  return {cells::name(object),       role["kind"].as_string() + "/" + role["name"].as_string(),
          cells::age(object, now),   cells::join(users, ", "),
          cells::join(groups, ", "), cells::join(accounts, ", ")};
}

Array print_scale(const Kind&, const Value& object, WallTime now) {
  return {cells::name(object), object.at("spec", "replicas").as_int(),
          object.at("status", "replicas").as_int(), cells::age(object, now)};
}

// Kinds without columns of their own.
Array print_creation(const Kind&, const Value& object, WallTime) {
  return {cells::name(object), object.at("metadata", "creationTimestamp").as_string()};
}

// The hub's kinds: what a column of that name shows.
Value hub_cell(std::string_view column, const Value& object, WallTime now) {
  if (column == "Name") return cells::name(object);
  if (column == "Status") return object.at("status", "status").as_string();
  if (column == "Version") return object.at("spec", "version").as_string();
  if (column == "Type") return object.at("spec", "instanceType").as_string();
  if (column == "Zone") return object.at("spec", "zone").as_string();
  if (column == "Node") return object.at("spec", "nodeName").as_string();
  if (column == "Endpoint") return object.at("spec", "endpoint").as_string();
  if (column == "Renewed") return object.at("status", "renewTime").as_string();
  return cells::age(object, now);
}

Array print_hub(const Kind& kind, const Value& object, WallTime now) {
  Array out;
  for (const schema::Column& column : kind.columns) {
    out.push_back(hub_cell(column.name, object, now));
  }
  return out;
}

struct Entry {
  std::string_view api_version, kind;
  Print print;
};
constexpr std::array entries = {
    Entry{"v1", "ConfigMap", print_config_map},
    Entry{"v1", "Endpoints", print_endpoints},
    Entry{"v1", "Event", print_event},
    Entry{"v1", "Namespace", print_namespace},
    Entry{"v1", "Node", print_node},
    Entry{"v1", "Pod", print_pod},
    Entry{"v1", "PodTemplate", print_pod_template},
    Entry{"v1", "Secret", print_secret},
    Entry{"v1", "Service", print_service},
    Entry{"v1", "ServiceAccount", print_service_account},
    Entry{"apiextensions.k8s.io/v1", "CustomResourceDefinition", print_creation},
    Entry{"apps/v1", "ControllerRevision", print_controller_revision},
    Entry{"apps/v1", "Deployment", print_deployment},
    Entry{"apps/v1", "ReplicaSet", print_replica_set},
    Entry{"autoscaling/v1", "Scale", print_scale},
    Entry{"coordination.k8s.io/v1", "Lease", print_lease},
    Entry{"events.k8s.io/v1", "Event", print_regarding_event},
    Entry{"hub.keelway.dev/v1", "AccessKey", print_hub},
    Entry{"hub.keelway.dev/v1", "Cluster", print_hub},
    Entry{"hub.keelway.dev/v1", "ClusterKey", print_hub},
    Entry{"hub.keelway.dev/v1", "Machine", print_hub},
    Entry{"hub.keelway.dev/v1", "Server", print_hub},
    Entry{"hub.keelway.dev/v1", "Update", print_hub},
    Entry{"policy/v1", "PodDisruptionBudget", print_disruption_budget},
    Entry{"rbac.authorization.k8s.io/v1", "ClusterRole", print_creation},
    Entry{"rbac.authorization.k8s.io/v1", "ClusterRoleBinding", print_role_binding},
    Entry{"rbac.authorization.k8s.io/v1", "Role", print_creation},
    Entry{"rbac.authorization.k8s.io/v1", "RoleBinding", print_role_binding},
    Entry{"scheduling.k8s.io/v1", "PriorityClass", print_priority_class},
};

}  // namespace

Print print_of(std::string_view api_version, std::string_view kind) {
  for (const Entry& entry : entries) {
    if (entry.api_version == api_version && entry.kind == kind) return entry.print;
  }
  return nullptr;
}

}  // namespace keelway::kinds
