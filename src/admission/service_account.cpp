// Every pod runs as a service account that exists, and gets its token unless it says otherwise.
#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "access/mirror_pod.h"
#include "admission/plugins.h"
#include "client/resources.h"

namespace keelway::admission {
namespace {

using value::Value;
namespace resources = client::resources;

constexpr std::string_view token_path = "/var/run/secrets/kubernetes.io/serviceaccount";
constexpr std::string_view volume_prefix = "kube-api-access-";
// The node agent renews at 80 % of this; 3607 tells its requests from those of users.
constexpr std::int64_t token_seconds = 3607;
constexpr int default_mode = 0644;

bool automounts(const Value& pod, const Value& account) {
  if (const Value* own = pod["spec"].find("automountServiceAccountToken")) return own->as_bool();
  if (const Value* wish = account.find("automountServiceAccountToken")) return wish->as_bool();
  return true;
}

Value token_volume(const std::string& name) {
  const auto file = [](const char* key, const char* path) {
    return Value::object({{"key", key}, {"path", path}});
  };
  Value token =
      Value::object({{"serviceAccountToken",
                      Value::object({{"expirationSeconds", token_seconds}, {"path", "token"}})}});
  Value authority = Value::object(
      {{"configMap", Value::object({{"name", "kube-root-ca.crt"},
                                    {"items", Value::array({file("ca.crt", "ca.crt")})}})}});
  Value field = Value::object(
      {{"path", "namespace"},
       {"fieldRef", Value::object({{"apiVersion", "v1"}, {"fieldPath", "metadata.namespace"}})}});
  Value own_namespace =
      Value::object({{"downwardAPI", Value::object({{"items", Value::array({field})}})}});
  return Value::object(
      {{"name", name},
       {"projected",
        Value::object({{"defaultMode", default_mode},
                       {"sources", Value::array({token, authority, own_namespace})}})}});
}

// A volume of this kind that came with the pod, as when it was copied from a running one.
std::string existing_volume(const Value& spec) {
  for (const Value& volume : spec["volumes"].items()) {
    if (volume["name"].as_string().starts_with(volume_prefix) && volume.contains("projected")) {
      return volume["name"].as_string();
    }
  }
  return {};
}

std::string fresh_name(const Value& spec, base::Random& random) {
  std::set<std::string> taken;
  for (const Value& volume : spec["volumes"].items()) taken.insert(volume["name"].as_string());
  for (;;) {
    std::string name = std::string(volume_prefix) + base::make_name_suffix(random, 5);
    if (!taken.contains(name)) return name;
  }
}

// Adds the mount where nothing else is mounted there. Returns whether it did.
bool mount(Value& container, const std::string& volume) {
  for (const Value& one : container["volumeMounts"].items()) {
    if (one["mountPath"].as_string() == token_path) return false;
  }
  container.mutate("volumeMounts")
      .push(Value::object({{"mountPath", token_path}, {"name", volume}, {"readOnly", true}}));
  return true;
}

void mount_token(Value& pod, base::Random& random) {
  Value& spec = pod.mutate("spec");
  std::string volume = existing_volume(spec);
  const bool fresh = volume.empty();
  if (fresh) volume = fresh_name(spec, random);
  bool used = false;
  for (const char* list : {"initContainers", "containers"}) {
    if (!spec.contains(list)) continue;
    for (Value& container : spec.mutate(list).mutable_items()) used |= mount(container, volume);
  }
  if (fresh && used) spec.mutate("volumes").push(token_volume(volume));
}

class ServiceAccount final : public Plugin {
 public:
  std::string_view name() const override { return "ServiceAccount"; }

  schema::Answer<void> mutate(Request& request, const Context& context) const override {
    if (request.operation != Operation::create || !request.is(resources::pods) ||
        !request.subresource.empty()) {
      return {};
    }
    if (access::is_mirror_pod(request.object)) return check_mirror(request);
    Value& spec = request.object.mutate("spec");
    if (spec["serviceAccountName"].as_string().empty()) {
      spec.set("serviceAccountName", "default");
      spec.set("serviceAccount", "default");
    }
    const std::string account_name = spec["serviceAccountName"].as_string();
    const auto account =
        context.view.get(resources::service_accounts, request.name_space, account_name);
    if (!account) {
      return forbid(request,
                    fmt::format("error looking up service account {}/{}: serviceaccount \"{}\" not "
                                "found",
                                request.name_space, account_name, account_name));
    }
    const Value document = account->value();
    if (automounts(request.object, document)) mount_token(request.object, context.random);
    Value& pod_spec = request.object.mutate("spec");
    if (pod_spec["imagePullSecrets"].empty() && !document["imagePullSecrets"].empty()) {
      Value secrets = Value::array();
      for (const Value& one : document["imagePullSecrets"].items()) {
        secrets.push(Value::object({{"name", one["name"]}}));
      }
      pod_spec.set("imagePullSecrets", std::move(secrets));
    }
    return {};
  }

 private:
  // A mirror pod shows what a node runs on its own; it has no rights in the cluster.
  static schema::Answer<void> check_mirror(const Request& request) {
    const Value& spec = request.object["spec"];
    if (!spec["serviceAccountName"].as_string().empty()) {
      return forbid(request, "a mirror pod may not reference service accounts");
    }
    const auto& volumes = spec["volumes"].items();
    const bool projects_token = std::any_of(volumes.begin(), volumes.end(), [](const Value& v) {
      const auto& sources = v.at("projected", "sources").items();
      return std::any_of(sources.begin(), sources.end(), [](const Value& source) {
        return source.contains("serviceAccountToken");
      });
    });
    if (projects_token) {
      return forbid(request, "a mirror pod may not use ServiceAccountToken volume projections");
    }
    return {};
  }
};

}  // namespace

std::unique_ptr<Plugin> service_account() {
  return std::make_unique<ServiceAccount>();
}

}  // namespace keelway::admission
