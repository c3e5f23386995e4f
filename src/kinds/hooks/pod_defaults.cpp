#include <algorithm>
#include <array>

#include "base/quantity.h"
#include "kinds/hooks/internal.h"

namespace keelway::kinds {
namespace {

constexpr std::int64_t kFileMode = 0644;

// Could a registry have this name? Only the part before the first slash may be a host.
bool is_reference(std::string_view repository) {
  bool first = true;
  while (true) {
    const std::size_t slash = repository.find('/');
    const std::string_view part = repository.substr(0, slash);
    const bool host = first && slash != repository.npos;
    const bool fits = std::ranges::all_of(part, [host](char c) {
      const bool small = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
      return small || c == '.' || c == '_' || c == '-' ||
             (host && (c == ':' || (c >= 'A' && c <= 'Z')));
    });
    if (part.empty() || part.back() == ':' || !fits) return false;
    if (slash == repository.npos) return true;
    repository.remove_prefix(slash + 1);
    first = false;
  }
}

// "registry:5000/a/b" -> latest; a digest counts as a tag of its own. As upstream has it, a name
// that is malformed is not.
bool is_latest(std::string_view image) {
  if (image.find('@') != image.npos) return false;
  const std::size_t slash = image.rfind('/');
  const std::string_view name = slash == image.npos ? image : image.substr(slash + 1);
  const std::size_t colon = name.find(':');
  if (colon != name.npos) return name.substr(colon + 1) == "latest";
  return is_reference(image);
}

void default_handler(Value& handler) {
  if (handler["httpGet"].is_object()) {
    Value& get = handler.mutate("httpGet");
    fill(get, "path", "/");
    fill(get, "scheme", "HTTP");
  }
  if (handler["grpc"].is_object()) {
    Value& grpc = handler.mutate("grpc");
    if (!grpc.contains("service")) grpc.set("service", "");
  }
}

void default_probe(Value& probe) {
  const auto at_least = [&probe](const char* name, int standard) {
    if (probe[name].as_int() == 0) probe.set(name, standard);
  };
  at_least("timeoutSeconds", 1);
  at_least("periodSeconds", 10);
  at_least("successThreshold", 1);
  at_least("failureThreshold", 3);
  default_handler(probe);
}

void default_container(Value& container) {
  if (is_set(container, "image")) {
    fill(container, "imagePullPolicy",
         is_latest(container["image"].as_string()) ? "Always" : "IfNotPresent");
  }
  fill(container, "terminationMessagePath", "/dev/termination-log");
  fill(container, "terminationMessagePolicy", "File");
  fill(container, "resources", Value::object());
  if (!container["ports"].empty()) {
    for (Value& port : container.mutate("ports").mutable_items()) fill(port, "protocol", "TCP");
  }
  for (const char* name : {"livenessProbe", "readinessProbe", "startupProbe"}) {
    if (container[name].is_object()) default_probe(container.mutate(name));
  }
  for (const char* name : {"postStart", "preStop"}) {
    if (container["lifecycle"][name].is_object()) {
      default_handler(container.mutate("lifecycle", name));
    }
  }
  for (const Value& variable : container["env"].items()) {
    if (!variable.at("valueFrom", "fieldRef").is_object()) continue;
    for (Value& each : container.mutate("env").mutable_items()) {
      if (each.at("valueFrom", "fieldRef").is_object()) {
        fill(each.mutate("valueFrom", "fieldRef"), "apiVersion", "v1");
      }
    }
    break;
  }
}

void default_field_items(Value& source) {
  if (source["items"].empty()) return;
  for (Value& item : source.mutate("items").mutable_items()) {
    if (item["fieldRef"].is_object()) fill(item.mutate("fieldRef"), "apiVersion", "v1");
  }
}

void default_volume(Value& volume) {
  bool has_source = false;
  for (const value::Member& member : volume.members()) has_source |= member.first != "name";
  if (!has_source) volume.set("emptyDir", Value::object());
  for (const char* name : {"configMap", "secret", "projected", "downwardAPI"}) {
    if (volume[name].is_object()) fill(volume.mutate(name), "defaultMode", kFileMode);
  }
  if (volume["downwardAPI"].is_object()) default_field_items(volume.mutate("downwardAPI"));
  if (!volume.at("projected", "sources").empty()) {
    for (Value& source : volume.mutate("projected", "sources").mutable_items()) {
      if (source["serviceAccountToken"].is_object()) {
        fill(source.mutate("serviceAccountToken"), "expirationSeconds", 3600);
      }
      if (source["downwardAPI"].is_object()) default_field_items(source.mutate("downwardAPI"));
    }
  }
  if (volume["hostPath"].is_object() && !volume["hostPath"].contains("type")) {
    volume.mutate("hostPath").set("type", "");
  }
  if (volume["iscsi"].is_object()) fill(volume.mutate("iscsi"), "iscsiInterface", "default");
  if (volume.at("ephemeral", "volumeClaimTemplate", "spec").is_object()) {
    fill(volume.mutate("ephemeral", "volumeClaimTemplate", "spec"), "volumeMode", "Filesystem");
  }
}

constexpr std::array<const char*, 3> kContainerLists{"containers", "initContainers",
                                                     "ephemeralContainers"};

void requests_from_limits(Value& container) {
  const Value limits = container.at("resources", "limits");
  for (const value::Member& limit : limits.members()) {
    if (container.at("resources", "requests").contains(limit.first)) continue;
    container.mutate("resources", "requests").set(limit.first, limit.second);
  }
}

bool is_positive(const Value& quantity) {
  return base::Quantity::parse_or_zero(quantity.as_string()).sign() > 0;
}

void host_ports(Value& container) {
  if (container["ports"].empty()) return;
  for (Value& port : container.mutate("ports").mutable_items()) {
    if (port["hostPort"].as_int() == 0) port.set("hostPort", port["containerPort"]);
  }
}

}  // namespace

void default_pod_spec(Value& spec) {
  if (!spec.is_object()) spec = Value::object();
  fill(spec, "dnsPolicy", "ClusterFirst");
  fill(spec, "restartPolicy", "Always");
  fill(spec, "securityContext", Value::object());
  if (!spec.contains("terminationGracePeriodSeconds")) {
    spec.set("terminationGracePeriodSeconds", 30);
  }
  fill(spec, "schedulerName", "default-scheduler");
  for (const char* name : kContainerLists) {
    if (spec[name].empty()) continue;
    for (Value& container : spec.mutate(name).mutable_items()) default_container(container);
  }
  if (!spec["volumes"].empty()) {
    for (Value& volume : spec.mutate("volumes").mutable_items()) default_volume(volume);
  }
  // The old name of the field mirrors the new one.
  if (is_set(spec, "serviceAccountName")) {
    spec.set("serviceAccount", spec["serviceAccountName"]);
  } else if (is_set(spec, "serviceAccount")) {
    spec.set("serviceAccountName", spec["serviceAccount"]);
  }
}

void default_pod(const Kind&, Value& object) {
  Value& spec = object.mutate("spec");
  default_pod_spec(spec);
  if (!spec.contains("enableServiceLinks")) spec.set("enableServiceLinks", true);
  const bool host_network = spec["hostNetwork"].as_bool();
  for (const char* name : {"containers", "initContainers"}) {
    if (spec[name].empty()) continue;
    for (Value& container : spec.mutate(name).mutable_items()) {
      requests_from_limits(container);
      if (host_network) host_ports(container);
    }
  }
  if (object["status"].is_object() && !is_set(object["status"], "phase") &&
      !object["status"].empty()) {
    object.mutate("status").set("phase", "Pending");
  }
}

std::string_view qos_class(const Value& spec) {
  bool any = false, guaranteed = true;
  for (const char* list : {"containers", "initContainers"}) {
    for (const Value& container : spec[list].items()) {
      const Value& resources = container["resources"];
      for (const char* name : {"cpu", "memory"}) {
        const Value& request = resources.at("requests", name);
        const Value& limit = resources.at("limits", name);
        any = any || is_positive(request) || is_positive(limit);
        const bool equal =
            is_positive(limit) &&
            (request.is_null() || base::Quantity::parse_or_zero(request.as_string()) ==
                                      base::Quantity::parse_or_zero(limit.as_string()));
        guaranteed = guaranteed && equal;
      }
    }
  }
  if (!any) return "BestEffort";
  return guaranteed ? "Guaranteed" : "Burstable";
}

void prepare_pod(const Kind& kind, Value& object, const Value* old) {
  if (old != nullptr) return prepare_status(kind, object, old);
  object.set("status",
             Value::object({{"phase", "Pending"}, {"qosClass", qos_class(object["spec"])}}));
}

}  // namespace keelway::kinds
