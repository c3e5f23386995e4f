// The resources that loops of ours speak of.
#pragma once

#include "client/client.h"

namespace keelway::client::resources {

inline const Resource namespaces{"", "v1", "namespaces", "Namespace", false};
inline const Resource pods{"", "v1", "pods", "Pod", true};
inline const Resource nodes{"", "v1", "nodes", "Node", false};
inline const Resource services{"", "v1", "services", "Service", true};
inline const Resource config_maps{"", "v1", "configmaps", "ConfigMap", true};
inline const Resource secrets{"", "v1", "secrets", "Secret", true};
inline const Resource service_accounts{"", "v1", "serviceaccounts", "ServiceAccount", true};
inline const Resource events{"", "v1", "events", "Event", true};
inline const Resource deployments{"apps", "v1", "deployments", "Deployment", true};
inline const Resource replica_sets{"apps", "v1", "replicasets", "ReplicaSet", true};
inline const Resource controller_revisions{"apps", "v1", "controllerrevisions",
                                           "ControllerRevision", true};
inline const Resource leases{"coordination.k8s.io", "v1", "leases", "Lease", true};
inline const Resource priority_classes{"scheduling.k8s.io", "v1", "priorityclasses",
                                       "PriorityClass", false};
inline const Resource disruption_budgets{"policy", "v1", "poddisruptionbudgets",
                                         "PodDisruptionBudget", true};
inline const Resource crds{"apiextensions.k8s.io", "v1", "customresourcedefinitions",
                           "CustomResourceDefinition", false};
inline const Resource roles{"rbac.authorization.k8s.io", "v1", "roles", "Role", true};
inline const Resource role_bindings{"rbac.authorization.k8s.io", "v1", "rolebindings",
                                    "RoleBinding", true};
inline const Resource cluster_roles{"rbac.authorization.k8s.io", "v1", "clusterroles",
                                    "ClusterRole", false};
inline const Resource cluster_role_bindings{"rbac.authorization.k8s.io", "v1",
                                            "clusterrolebindings", "ClusterRoleBinding", false};
inline const Resource node_pools{"karpenter.sh", "v1", "nodepools", "NodePool", false};
inline const Resource node_claims{"karpenter.sh", "v1", "nodeclaims", "NodeClaim", false};
inline const Resource ec2_node_classes{"karpenter.k8s.aws", "v1", "ec2nodeclasses", "EC2NodeClass",
                                       false};
inline const Resource node_classes{"eks.amazonaws.com", "v1", "nodeclasses", "NodeClass", false};
// On the hub.
inline const Resource clusters{"hub.keelway.dev", "v1", "clusters", "Cluster", true};
inline const Resource updates{"hub.keelway.dev", "v1", "updates", "Update", true};
inline const Resource machines{"hub.keelway.dev", "v1", "machines", "Machine", true};
inline const Resource cluster_keys{"hub.keelway.dev", "v1", "clusterkeys", "ClusterKey", true};
inline const Resource access_keys{"hub.keelway.dev", "v1", "accesskeys", "AccessKey", false};

// On the hub: names the Cluster object that a Machine or an Update belongs to.
inline constexpr std::string_view cluster_label = "hub.keelway.dev/cluster";
// On a Cluster from its creation until its control plane and its data are gone.
inline constexpr std::string_view control_plane_finalizer = "hub.keelway.dev/control-plane";

}  // namespace keelway::client::resources
