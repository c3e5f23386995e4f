#include "kinds/hooks/hooks.h"

#include <array>

#include "kinds/hooks/internal.h"

namespace keelway::kinds {
namespace {

struct Entry {
  std::string_view api_version, kind;
  ApplyDefaults apply_defaults;
  Prepare prepare;
  Validate validate;
};

constexpr std::string_view kRbac = "rbac.authorization.k8s.io/v1";

constexpr std::array kEntries{
    Entry{"v1", "Pod", default_pod, prepare_pod, validate_pod},
    Entry{"v1", "PodTemplate", default_bare_template, nullptr, validate_bare_template},
    Entry{"v1", "Service", default_service, prepare_service, validate_service},
    Entry{"v1", "ConfigMap", nullptr, nullptr, validate_config_map},
    Entry{"v1", "Secret", default_secret, nullptr, validate_secret},
    Entry{"v1", "Namespace", default_namespace, prepare_namespace, validate_namespace},
    Entry{"v1", "Node", default_node, nullptr, validate_node},
    Entry{"v1", "ServiceAccount", nullptr, nullptr, validate_nothing},
    Entry{"v1", "Endpoints", default_endpoints, nullptr, validate_endpoints},
    Entry{"v1", "Event", nullptr, nullptr, validate_event},
    Entry{"events.k8s.io/v1", "Event", nullptr, nullptr, validate_event},
    Entry{"apps/v1", "Deployment", default_deployment, prepare_status, validate_deployment},
    Entry{"apps/v1", "ReplicaSet", default_replica_set, prepare_status, validate_replica_set},
    Entry{"apps/v1", "ControllerRevision", nullptr, nullptr, validate_controller_revision},
    Entry{"policy/v1", "PodDisruptionBudget", nullptr, prepare_status, validate_disruption_budget},
    Entry{"scheduling.k8s.io/v1", "PriorityClass", default_priority_class, nullptr,
          validate_priority_class},
    Entry{"coordination.k8s.io/v1", "Lease", nullptr, nullptr, validate_lease},
    Entry{kRbac, "Role", nullptr, nullptr, validate_role},
    Entry{kRbac, "ClusterRole", nullptr, nullptr, validate_role},
    Entry{kRbac, "RoleBinding", default_role_binding, nullptr, validate_role_binding},
    Entry{kRbac, "ClusterRoleBinding", default_role_binding, nullptr, validate_role_binding},
    Entry{"apiextensions.k8s.io/v1", "CustomResourceDefinition", default_custom_definition,
          prepare_custom_definition, validate_custom_definition},
};

const Entry* find(std::string_view api_version, std::string_view kind) {
  for (const Entry& entry : kEntries) {
    if (entry.api_version == api_version && entry.kind == kind) return &entry;
  }
  return nullptr;
}

}  // namespace

ApplyDefaults apply_defaults_of(std::string_view api_version, std::string_view kind) {
  const Entry* entry = find(api_version, kind);
  return entry != nullptr ? entry->apply_defaults : nullptr;
}

Prepare prepare_of(std::string_view api_version, std::string_view kind) {
  const Entry* entry = find(api_version, kind);
  return entry != nullptr ? entry->prepare : nullptr;
}

Validate validate_of(std::string_view api_version, std::string_view kind) {
  const Entry* entry = find(api_version, kind);
  return entry != nullptr ? entry->validate : nullptr;
}

}  // namespace keelway::kinds
