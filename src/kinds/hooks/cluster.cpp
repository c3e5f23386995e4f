// Namespace, Node, PriorityClass: objects without a namespace.
#include <fmt/core.h>

#include <set>

#include "kinds/hooks/internal.h"

namespace keelway::kinds {
namespace {

using schema::forbidden_field;
using schema::invalid_value;
using schema::required;

constexpr std::int64_t kUserPriorityMax = 1'000'000'000;

void check_cidr(const Value& v, const std::string& field, FieldErrors& errors) {
  if (schema::is_cidr(v.as_string())) return;
  errors.push_back(
      invalid_value(field, v, "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"));
}

void check_taints(const Value& taints, FieldErrors& errors) {
  std::set<std::string> seen;
  std::size_t index = 0;
  for (const Value& taint : taints.items()) {
    const std::string here = fmt::format("metadata.taints[{}]", index++);
    const std::string& key = taint["key"].as_string();
    const std::string& effect = taint["effect"].as_string();
    add(errors, here + ".key", key, schema::check_qualified_name(key));
    add(errors, here + ".value", taint["value"],
        schema::check_label_value(taint["value"].as_string()));
    if (effect.empty())
      errors.push_back(required(here + ".effect"));
    else
      check_choice(taint["effect"], here + ".effect",
                   {"NoSchedule", "PreferNoSchedule", "NoExecute"}, errors);
    if (!seen.insert(key + ":" + effect).second) {
      schema::FieldError error = schema::duplicate_value(here, nullptr);
      error.printed =
          fmt::format("core.Taint{{Key:\"{}\", Value:\"{}\", Effect:\"{}\", TimeAdded:<nil>}}", key,
                      taint["value"].as_string(), effect);
      error.detail = "taints must be unique by key and effect pair";
      errors.push_back(std::move(error));
    }
  }
}

struct SystemPriority {
  std::string_view name;
  std::int64_t value;
};
constexpr SystemPriority kSystemPriorities[] = {{"system-node-critical", 2000001000},
                                                {"system-cluster-critical", 2000000000}};

bool is_system_priority(const std::string& name, std::int64_t value) {
  for (const SystemPriority& known : kSystemPriorities) {
    if (known.name == name && known.value == value) return true;
  }
  return false;
}

}  // namespace

void default_namespace(const Kind&, Value& object) {
  const std::string name = object.at("metadata", "name").as_string();
  if (name.empty()) return;
  object.mutate("metadata", "labels").set("kubernetes.io/metadata.name", name);
}

void prepare_namespace(const Kind&, Value& object, const Value* old) {
  if (old != nullptr) {
    object.set("spec", (*old)["spec"]);
    object.set("status", (*old)["status"]);
    return;
  }
  object.set("status", Value::object({{"phase", "Active"}}));
  Value& finalizers = object.mutate("spec", "finalizers");
  for (const Value& finalizer : finalizers.items()) {
    if (finalizer.as_string() == "kubernetes") return;
  }
  finalizers.push("kubernetes");
}

void validate_namespace(const Kind&, const Value& object, const Value* old, FieldErrors& errors) {
  const Value& labels = object.at("metadata", "labels");
  for (const char* mode : {"enforce", "audit", "warn"}) {
    const std::string key = fmt::format("pod-security.kubernetes.io/{}", mode);
    const Value* level = labels.find(key);
    if (level == nullptr) continue;
    if (old != nullptr && old->at("metadata", "labels", key) == *level) continue;
    const std::string& text = level->as_string();
    if (text != "privileged" && text != "baseline" && text != "restricted") {
      errors.push_back(invalid_value(fmt::format("metadata.labels[{}]", key), *level,
                                     "must be one of privileged, baseline, restricted"));
    }
  }
  std::size_t index = 0;
  for (const Value& finalizer : object.at("spec", "finalizers").items()) {
    const std::string here = fmt::format("spec.finalizers[{}]", index++);
    const std::string& name = finalizer.as_string();
    add(errors, here, finalizer, schema::check_qualified_name(name));
    if (name.find('/') == std::string::npos && name != "kubernetes" && name != "orphan" &&
        name != "foregroundDeletion") {
      errors.push_back(invalid_value(
          here, finalizer, "name is neither a standard finalizer name nor is it fully qualified"));
    }
  }
}

void default_node(const Kind&, Value& object) {
  const Value& status = object["status"];
  if (status["capacity"].is_object() && !status["allocatable"].is_object()) {
    object.mutate("status").set("allocatable", object["status"]["capacity"]);
  }
  // The old name of the field mirrors the first of the list.
  const Value& spec = object["spec"];
  if (is_set(spec, "podCIDR") && spec["podCIDRs"].empty()) {
    object.mutate("spec").set("podCIDRs", Value::array({spec["podCIDR"]}));
  } else if (!is_set(spec, "podCIDR") && !spec["podCIDRs"].empty()) {
    object.mutate("spec").set("podCIDR", spec["podCIDRs"][0]);
  }
}

void validate_node(const Kind&, const Value& object, const Value* old, FieldErrors& errors) {
  const Value& spec = object["spec"];
  check_taints(spec["taints"], errors);
  std::size_t index = 0;
  for (const Value& cidr : spec["podCIDRs"].items()) {
    check_cidr(cidr, fmt::format("spec.podCIDRs[{}]", index++), errors);
  }
  if (old == nullptr) return;
  const Value& before = (*old)["spec"];
  if (!before["podCIDRs"].empty() && before["podCIDRs"] != spec["podCIDRs"]) {
    errors.push_back(forbidden_field(
        "spec.podCIDRs", "node updates may not change podCIDR except from \"\" to valid"));
  }
  if (is_set(before, "providerID") && before["providerID"] != spec["providerID"]) {
    errors.push_back(forbidden_field(
        "spec.providerID", "node updates may not change providerID except from \"\" to valid"));
  }
}

void default_priority_class(const Kind&, Value& object) {
  fill(object, "preemptionPolicy", "PreemptLowerPriority");
  if (!object["value"].is_int()) object.set("value", 0);
}

void validate_priority_class(const Kind&, const Value& object, const Value* old,
                             FieldErrors& errors) {
  const std::string& name = object.at("metadata", "name").as_string();
  const std::int64_t value = object["value"].as_int();
  if (old != nullptr) {
    if (object["value"] != (*old)["value"]) {
      errors.push_back(forbidden_field("value", "may not be changed in an update."));
    }
    schema::validate_immutable(object["preemptionPolicy"], (*old)["preemptionPolicy"],
                               "preemptionPolicy", errors);
    return;
  }
  if (name.starts_with("system-")) {
    if (!is_system_priority(name, value)) {
      errors.push_back(forbidden_field("metadata.name",
                                       "priority class names with 'system-' prefix are reserved "
                                       "for system use only"));
    }
  } else if (value > kUserPriorityMax) {
    errors.push_back(forbidden_field(
        "value",
        fmt::format("maximum allowed value of a user defined priority is {}", kUserPriorityMax)));
  }
  check_choice(object["preemptionPolicy"], "preemptionPolicy", {"Never", "PreemptLowerPriority"},
               errors);
}

}  // namespace keelway::kinds
