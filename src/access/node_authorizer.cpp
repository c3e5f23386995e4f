#include "access/node_authorizer.h"

#include <fmt/core.h>

#include <algorithm>

#include "access/mirror_pod.h"
#include "client/resources.h"
#include "value/selector.h"

namespace keelway::access {
namespace {

using value::Value;
namespace resources = client::resources;

constexpr std::string_view user_prefix = "system:node:";
const client::Resource& volumes() {
  static const client::Resource resource{"", "v1", "persistentvolumes", "PersistentVolume", false};
  return resource;
}
const client::Resource& attachments() {
  static const client::Resource resource{"storage.k8s.io", "v1", "volumeattachments",
                                         "VolumeAttachment", false};
  return resource;
}

bool one_of(std::string_view text, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), text) != list.end();
}
bool reads(std::string_view verb) {
  return one_of(verb, {"get", "list", "watch"});
}

Decision allow() {
  return {Decision::Kind::allow, ""};
}
Decision no(std::string reason) {
  return {Decision::Kind::no_opinion, std::move(reason)};
}

// Whether a container's env or envFrom names the secret (or config map).
bool container_refers(const Value& container, const char* reference, const char* key_reference,
                      std::string_view name) {
  for (const Value& from : container["envFrom"].items()) {
    if (from.at(reference, "name").as_string() == name) return true;
  }
  for (const Value& env : container["env"].items()) {
    if (env.at("valueFrom", key_reference, "name").as_string() == name) return true;
  }
  return false;
}

bool any_container_refers(const Value& spec, const char* reference, const char* key_reference,
                          std::string_view name) {
  for (const char* list : {"containers", "initContainers", "ephemeralContainers"}) {
    for (const Value& container : spec[list].items()) {
      if (container_refers(container, reference, key_reference, name)) return true;
    }
  }
  return false;
}

// Whether a projected source of the volume has the member `kind` with that name.
bool projects(const Value& volume, const char* kind, std::string_view name) {
  const auto& sources = volume.at("projected", "sources").items();
  return std::any_of(sources.begin(), sources.end(), [&](const Value& source) {
    return source.at(kind, "name").as_string() == name;
  });
}

// Volume plugins that take a secret by reference.
bool plugin_secret(const Value& volume, std::string_view name) {
  for (const char* plugin : {"cephfs", "rbd", "flexVolume", "iscsi", "scaleIO", "storageos"}) {
    if (volume.at(plugin, "secretRef", "name").as_string() == name) return true;
  }
  return volume.at("azureFile", "secretName").as_string() == name ||
         volume.at("csi", "nodePublishSecretRef", "name").as_string() == name;
}

bool uses_secret(const Value& spec, std::string_view name) {
  for (const Value& one : spec["imagePullSecrets"].items()) {
    if (one["name"].as_string() == name) return true;
  }
  for (const Value& volume : spec["volumes"].items()) {
    if (volume.at("secret", "secretName").as_string() == name || projects(volume, "secret", name) ||
        plugin_secret(volume, name)) {
      return true;
    }
  }
  return any_container_refers(spec, "secretRef", "secretKeyRef", name);
}

bool uses_config_map(const Value& spec, std::string_view name) {
  for (const Value& volume : spec["volumes"].items()) {
    if (volume.at("configMap", "name").as_string() == name || projects(volume, "configMap", name)) {
      return true;
    }
  }
  return any_container_refers(spec, "configMapRef", "configMapKeyRef", name);
}

bool uses_claim(const Value& pod, std::string_view name) {
  for (const Value& volume : pod.at("spec", "volumes").items()) {
    if (volume.at("persistentVolumeClaim", "claimName").as_string() == name) return true;
    if (volume.contains("ephemeral") && fmt::format("{}-{}", pod.at("metadata", "name").as_string(),
                                                    volume["name"].as_string()) == name) {
      return true;
    }
  }
  return false;
}

bool uses_resource_claim(const Value& pod, std::string_view name) {
  for (const Value& claim : pod.at("spec", "resourceClaims").items()) {
    if (claim["resourceClaimName"].as_string() == name) return true;
  }
  for (const Value& status : pod.at("status", "resourceClaimStatuses").items()) {
    if (status["resourceClaimName"].as_string() == name) return true;
  }
  return false;
}

// One request of one node, judged against the pods bound to it.
class Judgement {
 public:
  Judgement(const client::View& view, std::string_view node, const Attributes& what)
      : view_(view), node_(node), what_(what) {}

  Decision decide() const {
    if (!what_.resource_request) return no("");
    if (what_.group.empty()) return core();
    if (what_.group == "coordination.k8s.io" && what_.resource == "leases") return lease();
    if (what_.group == "storage.k8s.io") return storage();
    if (what_.group == "resource.k8s.io") return devices();
    if (what_.group == "certificates.k8s.io" && what_.resource == "certificatesigningrequests") {
      return one_of(what_.verb, {"create", "get", "list", "watch"}) ? allow() : no("");
    }
    if (one_of(what_.group, {"authentication.k8s.io", "authorization.k8s.io"})) {
      const bool review =
          one_of(what_.resource, {"tokenreviews", "subjectaccessreviews",
                                  "localsubjectaccessreviews", "selfsubjectaccessreviews"});
      return review && what_.verb == "create" ? allow() : no("");
    }
    if (what_.group == "node.k8s.io" && what_.resource == "runtimeclasses") {
      return reads(what_.verb) ? allow() : no("");
    }
    return no("");
  }

 private:
  Decision core() const {
    const std::string& resource = what_.resource;
    if (resource == "secrets") {
      return referenced(&uses_secret);
    }
    if (resource == "configmaps") return referenced(&uses_config_map);
    if (resource == "serviceaccounts") return service_account();
    if (resource == "nodes") return node();
    if (resource == "pods") return pod();
    if (resource == "persistentvolumeclaims") return claim();
    if (resource == "persistentvolumes") return volume();
    if (resource == "services") return reads(what_.verb) ? allow() : no("");
    if (resource == "events") {
      return one_of(what_.verb, {"create", "patch", "update"}) ? allow() : no("");
    }
    return no("");
  }

  // get, list and watch of one object by name, and only if a pod of the node refers to it.
  std::optional<Decision> unreadable() const {
    if (!reads(what_.verb)) return no("can only read resources of this type");
    if (!what_.subresource.empty()) return no("cannot read subresource");
    if (what_.name.empty()) return no("can only read namespaced object of this type by name");
    return std::nullopt;
  }

  Decision unrelated() const {
    return no(fmt::format("no relationship found between node '{}' and this object", node_));
  }

  // Mirror pods give no rights: a node writes them itself.
  template <class Uses>
  bool any_pod(const Uses& uses) const {
    for (const schema::ObjectPtr& pod : view_.pods_on(node_)) {
      if (pod->name_space() != what_.name_space) continue;
      const Value document = pod->value();
      if (!is_mirror_pod(document) && uses(document)) return true;
    }
    return false;
  }

  Decision referenced(bool (*uses)(const Value& spec, std::string_view name)) const {
    if (auto bad = unreadable()) return *bad;
    return any_pod([&](const Value& pod) { return uses(pod["spec"], what_.name); }) ? allow()
                                                                                    : unrelated();
  }

  Decision claim() const {
    if (what_.subresource == "status") {
      if (!one_of(what_.verb, {"update", "patch"})) return no("");
    } else if (what_.verb != "get") {
      return no("can only get individual resources of this type");
    }
    return any_pod([&](const Value& pod) { return uses_claim(pod, what_.name); }) ? allow()
                                                                                  : unrelated();
  }

  Decision volume() const {
    if (what_.verb != "get" || what_.name.empty()) {
      return no("can only get individual resources of this type");
    }
    const schema::ObjectPtr object = view_.get(volumes(), "", what_.name);
    if (!object) return unrelated();
    const Value reference = object->value().at("spec", "claimRef");
    for (const schema::ObjectPtr& pod : view_.pods_on(node_)) {
      if (pod->name_space() != reference["namespace"].as_string()) continue;
      const Value document = pod->value();
      if (is_mirror_pod(document)) continue;
      if (uses_claim(document, reference["name"].as_string())) return allow();
    }
    return unrelated();
  }

  Decision service_account() const {
    if (what_.subresource == "token") {
      if (what_.verb != "create")
        return no("can only create tokens for individual service accounts");
    } else if (what_.verb != "get") {
      return no("can only get individual resources of this type");
    }
    const auto uses = [&](const Value& pod) {
      return pod.at("spec", "serviceAccountName").as_string() == what_.name;
    };
    return any_pod(uses) ? allow() : unrelated();
  }

  Decision node() const {
    if (what_.verb == "create") {
      return what_.subresource.empty() ? allow() : no("");
    }
    if (what_.subresource.empty() && one_of(what_.verb, {"get", "list", "watch"})) {
      if (what_.name == node_) return allow();
      if (what_.verb == "get")
        return no(
            fmt::format("node '{}' cannot read '{}', only its own Node object", node_, what_.name));
      if (what_.field_selector == fmt::format("metadata.name={}", node_)) return allow();
      return no(fmt::format("node '{}' cannot read all nodes, only its own Node object", node_));
    }
    if (what_.name != node_) return no(fmt::format("node '{}' cannot change other nodes", node_));
    if (what_.subresource.empty() || what_.subresource == "status") {
      return one_of(what_.verb, {"update", "patch"}) ? allow() : no("");
    }
    // What another component asks this node's agent for; the agent asks on its behalf.
    return no("");
  }

  Decision pod() const {
    if (what_.subresource == "eviction") return what_.verb == "create" ? own_pod() : no("");
    if (what_.subresource == "status") {
      return one_of(what_.verb, {"update", "patch"}) ? own_pod() : no("");
    }
    if (!what_.subresource.empty()) return no("");
    if (what_.verb == "create") return allow();  // admission: mirror pods of its own only
    if (what_.verb == "delete") return own_pod();
    if (what_.verb == "get") return own_pod();
    if (one_of(what_.verb, {"list", "watch"})) {
      const auto fields = value::FieldSelector::parse(what_.field_selector);
      if (fields && fields->exact("spec.nodeName") == node_) return allow();
      // One that is not there yet may become anybody's, and without a namespace there are many.
      if (!what_.name.empty()) {
        return view_.get(resources::pods, what_.name_space, what_.name) ? own_pod() : unrelated();
      }
      return no("can only list/watch pods with spec.nodeName field selector");
    }
    return no("");
  }

  // A pod that is gone may be asked for: the answer, 404, tells the node to clean up.
  Decision own_pod() const {
    const schema::ObjectPtr pod = view_.get(resources::pods, what_.name_space, what_.name);
    if (!pod) return allow();
    return pod->field("spec.nodeName") == node_ ? allow() : unrelated();
  }

  Decision lease() const {
    if (what_.name_space != "kube-node-lease") {
      return no(fmt::format("can only access leases in the \"kube-node-lease\" system namespace"));
    }
    if (!one_of(what_.verb, {"get", "create", "update", "patch", "delete"})) {
      return no("can only get, create, update, patch, or delete a node lease");
    }
    if (what_.verb == "create" && what_.name.empty()) return allow();
    return what_.name == node_
               ? allow()
               : no("can only access node lease with the same name as the requesting node");
  }

  Decision storage() const {
    if (what_.resource == "csidrivers") return reads(what_.verb) ? allow() : no("");
    if (what_.resource == "volumeattachments") {
      if (what_.verb != "get") return no("can only get individual resources of this type");
      const schema::ObjectPtr attachment = view_.get(attachments(), "", what_.name);
      const bool own =
          attachment && attachment->value().at("spec", "nodeName").as_string() == node_;
      return own ? allow() : unrelated();
    }
    if (what_.resource == "csinodes") {
      if (!one_of(what_.verb, {"get", "create", "update", "patch", "delete"})) return no("");
      if (what_.verb == "create" && what_.name.empty()) return allow();
      return what_.name == node_
                 ? allow()
                 : no("can only access CSINode with the same name as the requesting node");
    }
    return no("");
  }

  Decision devices() const {
    if (what_.resource == "resourceslices") {
      return one_of(what_.verb, {"get", "list", "watch", "create", "update", "patch", "delete",
                                 "deletecollection"})
                 ? allow()
                 : no("");
    }
    if (what_.resource != "resourceclaims" || what_.verb != "get") return no("");
    return any_pod([&](const Value& pod) { return uses_resource_claim(pod, what_.name); })
               ? allow()
               : unrelated();
  }

  const client::View& view_;
  const std::string_view node_;
  const Attributes& what_;
};

}  // namespace

bool is_mirror_pod(const Value& pod) {
  return pod.at("metadata", "annotations").contains("kubernetes.io/config.mirror");
}

std::string_view node_name_of(const Identity& who) {
  const std::string_view user = who.user;
  if (!user.starts_with(user_prefix) || !who.in_group("system:nodes")) return {};
  return user.substr(user_prefix.size());
}

Decision NodeAuthorizer::authorize(const Identity& who, const Attributes& what) const {
  const std::string_view node = node_name_of(who);
  if (node.empty()) return {};
  return Judgement(view_, node, what).decide();
}

}  // namespace keelway::access
