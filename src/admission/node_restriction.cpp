// A node writes its own Node, its own lease, and the pods bound to it; labels that steer
// scheduling or isolation are not its to set.
#include <fmt/core.h>

#include <algorithm>
#include <set>
#include <span>

#include "access/mirror_pod.h"
#include "access/node_authorizer.h"
#include "admission/plugins.h"
#include "client/resources.h"

namespace keelway::admission {
namespace {

using value::Value;
namespace resources = client::resources;

bool in_domain(std::string_view domain, std::string_view parent) {
  return domain == parent ||
         (domain.ends_with(parent) && domain[domain.size() - parent.size() - 1] == '.');
}

bool node_may_set(std::string_view label) {
  const std::size_t slash = label.find('/');
  if (slash == std::string_view::npos) return true;
  const std::string_view domain = label.substr(0, slash);
  if (in_domain(domain, "node-restriction.kubernetes.io")) return false;
  if (!in_domain(domain, "kubernetes.io") && !in_domain(domain, "k8s.io")) return true;
  if (in_domain(domain, "kubelet.kubernetes.io") || in_domain(domain, "node.kubernetes.io")) {
    return true;
  }
  static constexpr std::string_view allowed[] = {
      "beta.kubernetes.io/arch",
      "beta.kubernetes.io/instance-type",
      "beta.kubernetes.io/os",
      "failure-domain.beta.kubernetes.io/region",
      "failure-domain.beta.kubernetes.io/zone",
      "kubernetes.io/arch",
      "kubernetes.io/hostname",
      "kubernetes.io/os",
      "topology.kubernetes.io/region",
      "topology.kubernetes.io/zone",
  };
  return std::find(std::begin(allowed), std::end(allowed), label) != std::end(allowed);
}

// Labels that differ and that a node may not touch, comma-separated.
std::string forbidden_changes(const Value& now, const Value& before) {
  std::set<std::string> changed;
  for (const auto& [key, text] : now.members()) {
    const Value* old = before.find(key);
    if (old == nullptr || *old != text) changed.insert(key);
  }
  for (const auto& [key, text] : before.members()) {
    if (!now.contains(key)) changed.insert(key);
  }
  std::string names;
  for (const std::string& key : changed) {
    if (node_may_set(key)) continue;
    if (!names.empty()) names += ", ";
    names += key;
  }
  return names;
}

const Value& labels(const Value& object) {
  return object.at("metadata", "labels");
}

// Members that name another object, wherever in a pod's spec they stand; a list or text that is
// empty names none.
constexpr std::string_view secret_references[] = {"imagePullSecrets", "secretRef",
                                                  "secretKeyRef",     "secret",
                                                  "secretName",       "nodePublishSecretRef"};
constexpr std::string_view config_map_references[] = {"configMap", "configMapRef",
                                                      "configMapKeyRef"};
constexpr std::string_view bundle_references[] = {"clusterTrustBundle"};
constexpr std::string_view claim_references[] = {"persistentVolumeClaim", "ephemeral"};

bool refers(const Value& v, std::span<const std::string_view> names) {
  for (const Value& item : v.items()) {
    if (refers(item, names)) return true;
  }
  for (const auto& [key, member] : v.members()) {
    const bool named = std::find(names.begin(), names.end(), key) != names.end();
    const bool says = !member.empty() || !member.as_string().empty();
    if ((named && says) || refers(member, names)) return true;
  }
  return false;
}

class NodeRestriction final : public Plugin {
 public:
  std::string_view name() const override { return "NodeRestriction"; }

  schema::Answer<void> validate(const Request& request, const Context& context) const override {
    if (request.identity == nullptr || !request.identity->in_group("system:nodes")) return {};
    const std::string node(access::node_name_of(*request.identity));
    if (node.empty()) {
      return forbid(request, fmt::format("could not determine node from user \"{}\"",
                                         request.identity->user));
    }
    if (request.is(resources::pods)) return pod(request, context, node);
    if (request.is(resources::nodes)) return own_node(request, node);
    if (request.resource.group.empty() && request.resource.resource == "persistentvolumeclaims") {
      return claim(request, node);
    }
    if (request.is(resources::leases)) return lease(request, node);
    if (request.is(resources::service_accounts) && request.subresource == "token") {
      return token(request, context, node);
    }
    if (request.resource.group == "storage.k8s.io" && request.resource.resource == "csinodes" &&
        name_of(request) != node) {
      return forbid(request, "can only access CSINode with the same name as the requesting node");
    }
    return {};
  }

 private:
  static std::string name_of(const Request& request) {
    return request.name.empty() ? request.object.at("metadata", "name").as_string() : request.name;
  }
  static bool runs_on(const Value& pod, const std::string& node) {
    return pod.at("spec", "nodeName").as_string() == node;
  }

  static schema::Answer<void> pod(const Request& request, const Context& context,
                                  const std::string& node) {
    if (request.subresource == "eviction") {
      const auto target = context.view.get(resources::pods, request.name_space, name_of(request));
      if (!target || runs_on(target->value(), node)) return {};
      return forbid(request, fmt::format("node {} can only evict pods with spec.nodeName set to "
                                         "itself",
                                         node));
    }
    if (request.subresource == "status" && request.operation == Operation::update) {
      if (request.old == nullptr || !runs_on(*request.old, node)) {
        return forbid(request, fmt::format("node \"{}\" can only update pod status for pods with "
                                           "spec.nodeName set to itself",
                                           node));
      }
      if (labels(request.object) != labels(*request.old)) {
        return forbid(request,
                      fmt::format("node \"{}\" cannot update labels through pod status", node));
      }
      return {};
    }
    if (!request.subresource.empty()) {
      return forbid(request, fmt::format("unexpected pod subresource \"{}\", only 'status' and "
                                         "'eviction' are allowed",
                                         request.subresource));
    }
    if (request.operation == Operation::create) return mirror_pod(request, context, node);
    if (request.operation == Operation::remove) {
      if (request.old == nullptr || runs_on(*request.old, node)) return {};
      return forbid(request, fmt::format("node \"{}\" can only delete pods with spec.nodeName set "
                                         "to itself",
                                         node));
    }
    return forbid(request, fmt::format("unexpected operation, node \"{}\" can only create and "
                                       "delete mirror pods",
                                       node));
  }

  // What a node runs from its own files, shown to the cluster. It must not refer to anything that
  // the node could then read.
  static schema::Answer<void> mirror_pod(const Request& request, const Context& context,
                                         const std::string& node) {
    if (!access::is_mirror_pod(request.object)) {
      return forbid(request,
                    fmt::format("pod does not have \"kubernetes.io/config.mirror\" annotation, "
                                "node \"{}\" can only create mirror pods",
                                node));
    }
    if (!runs_on(request.object, node)) {
      return forbid(request, fmt::format("node \"{}\" can only create pods with spec.nodeName set "
                                         "to itself",
                                         node));
    }
    if (auto owned = owned_by_node(request, context, node); !owned) return owned;
    const Value& spec = request.object["spec"];
    std::string_view what;
    if (!spec["serviceAccountName"].as_string().empty()) what = "a service account";
    if (what.empty() && refers(spec, secret_references)) what = "secrets";
    if (what.empty() && refers(spec, config_map_references)) what = "configmaps";
    if (what.empty() && refers(spec, bundle_references)) what = "clustertrustbundles";
    if (what.empty() && refers(spec, claim_references)) what = "persistentvolumeclaims";
    if (what.empty()) return {};
    return forbid(request,
                  fmt::format("node \"{}\" can not create pods that reference {}", node, what));
  }

  static schema::Answer<void> owned_by_node(const Request& request, const Context& context,
                                            const std::string& node) {
    const auto only = [&](std::string_view what) {
      return forbid(request, fmt::format("node \"{}\" {}", node, what));
    };
    const auto& owners = request.object.at("metadata", "ownerReferences").items();
    if (owners.size() > 1) {
      return only("can only create pods with a single owner reference set to itself");
    }
    if (owners.empty() || owners[0]["apiVersion"].as_string() != "v1" ||
        owners[0]["kind"].as_string() != "Node" || owners[0]["name"].as_string() != node) {
      return only("can only create pods with an owner reference set to itself");
    }
    const Value& owner = owners[0];
    if (!owner["controller"].as_bool()) {
      return only("can only create pods with a controller owner reference set to itself");
    }
    if (owner["blockOwnerDeletion"].as_bool()) {
      return only("must not set blockOwnerDeletion on an owner reference");
    }
    const auto object = context.view.get(resources::nodes, "", node);
    if (!object) return std::unexpected(schema::not_found("", "nodes", node));
    if (owner["uid"].as_string() == object->uid()) return {};
    return forbid(request, fmt::format("node {} UID mismatch: expected {} got {}", node,
                                       owner["uid"].as_string(), object->uid()));
  }

  // Of a claim a node reports what it found on the volume.
  static schema::Answer<void> claim(const Request& request, const std::string& node) {
    if (request.subresource != "status") return forbid(request, "may only update PVC status");
    if (request.old == nullptr) return {};
    const auto rest = [](Value object) {
      object.mutate("metadata").erase("resourceVersion");
      object.mutate("metadata").erase("managedFields");
      for (const char* own :
           {"capacity", "conditions", "allocatedResources", "allocatedResourceStatuses"}) {
        object.mutate("status").erase(own);
      }
      return object;
    };
    if (rest(request.object) == rest(*request.old)) return {};
    return forbid(request, fmt::format("node \"{}\" is not allowed to update fields other than "
                                       "status.capacity and status.conditions",
                                       node));
  }

  static schema::Answer<void> own_node(const Request& request, const std::string& node) {
    if (name_of(request) != node) {
      return forbid(request, fmt::format("node \"{}\" is not allowed to modify node \"{}\"", node,
                                         name_of(request)));
    }
    if (request.operation == Operation::create) {
      const std::string bad = forbidden_changes(labels(request.object), {});
      if (bad.empty()) return {};
      return forbid(request, fmt::format("node \"{}\" is not allowed to set the following labels: "
                                         "{}",
                                         node, bad));
    }
    if (request.operation != Operation::update || request.old == nullptr) return {};
    if (request.object.at("spec", "taints") != request.old->at("spec", "taints")) {
      return forbid(request, fmt::format("node \"{}\" is not allowed to modify taints", node));
    }
    const std::string bad = forbidden_changes(labels(request.object), labels(*request.old));
    if (!bad.empty()) {
      return forbid(request,
                    fmt::format("node \"{}\" is not allowed to modify labels: {}", node, bad));
    }
    if (request.object.at("metadata", "ownerReferences") !=
        request.old->at("metadata", "ownerReferences")) {
      return forbid(request,
                    fmt::format("node \"{}\" is not allowed to modify ownerReferences", node));
    }
    return {};
  }

  static schema::Answer<void> lease(const Request& request, const std::string& node) {
    if (request.name_space != "kube-node-lease") {
      return forbid(request, "can only access leases in the \"kube-node-lease\" system namespace");
    }
    if (name_of(request) == node) return {};
    return forbid(request, "can only access node lease with the same name as the requesting node");
  }

  static schema::Answer<void> token(const Request& request, const Context& context,
                                    const std::string& node) {
    const Value& bound = request.object.at("spec", "boundObjectRef");
    if (bound["kind"].as_string() != "Pod" || bound["name"].as_string().empty()) {
      return forbid(request, "node requested token not bound to a pod");
    }
    if (bound["uid"].as_string().empty()) {
      return forbid(request, "node requested token with a pod binding without a uid");
    }
    const auto target =
        context.view.get(resources::pods, request.name_space, bound["name"].as_string());
    if (!target) {
      return std::unexpected(schema::not_found("", "pods", bound["name"].as_string()));
    }
    if (target->uid() != bound["uid"].as_string()) {
      return forbid(request, fmt::format("the UID in the bound object reference ({}) does not "
                                         "match the UID in record. The object might have been "
                                         "deleted and then recreated",
                                         bound["uid"].as_string()));
    }
    if (!runs_on(target->value(), node)) {
      return forbid(request, "node requested token bound to a pod scheduled on a different node");
    }
    return {};
  }
};

}  // namespace

std::unique_ptr<Plugin> node_restriction() {
  return std::make_unique<NodeRestriction>();
}

}  // namespace keelway::admission
