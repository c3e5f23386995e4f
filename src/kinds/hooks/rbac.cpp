#include <fmt/core.h>

#include "kinds/hooks/internal.h"

namespace keelway::kinds {
namespace {

using schema::invalid_value;
using schema::not_supported;
using schema::required;

constexpr const char* kGroup = "rbac.authorization.k8s.io";

void check_rule(const Value& rule, const std::string& path, bool namespaced, FieldErrors& errors) {
  if (rule["verbs"].empty()) {
    errors.push_back(required(path + ".verbs", "verbs must contain at least one value"));
  }
  const Value& urls = rule["nonResourceURLs"];
  if (!urls.empty()) {
    if (namespaced) {
      add_printed(errors, path + ".nonResourceURLs", go_strings(urls),
                  "namespaced rules cannot apply to non-resource URLs");
    }
    if (!rule["apiGroups"].empty() || !rule["resources"].empty() ||
        !rule["resourceNames"].empty()) {
      add_printed(errors, path + ".nonResourceURLs", go_strings(urls),
                  "rules cannot apply to both regular resources and non-resource URLs");
    }
    return;
  }
  if (rule["apiGroups"].empty()) {
    errors.push_back(
        required(path + ".apiGroups", "resource rules must supply at least one api group"));
  }
  if (rule["resources"].empty()) {
    errors.push_back(
        required(path + ".resources", "resource rules must supply at least one resource"));
  }
}

void check_subject(const Value& subject, const std::string& path, bool namespaced,
                   FieldErrors& errors) {
  const std::string& name = subject["name"].as_string();
  const std::string& kind = subject["kind"].as_string();
  const Value group = subject["apiGroup"].as_string();
  if (name.empty()) errors.push_back(required(path + ".name"));
  if (kind == "ServiceAccount") {
    if (!name.empty()) add(errors, path + ".name", name, schema::check_dns1123_subdomain(name));
    if (!group.as_string().empty()) {
      errors.push_back(not_supported(path + ".apiGroup", group, {""}));
    }
    if (!namespaced && !is_set(subject, "namespace")) {
      errors.push_back(required(path + ".namespace"));
    }
  } else if (kind == "User" || kind == "Group") {
    if (group.as_string() != kGroup) {
      errors.push_back(not_supported(path + ".apiGroup", group, {kGroup}));
    }
  } else {
    errors.push_back(not_supported(path + ".kind", kind, {"ServiceAccount", "User", "Group"}));
  }
}

std::string go_role_ref(const Value& reference) {
  return fmt::format("rbac.RoleRef{{APIGroup:\"{}\", Kind:\"{}\", Name:\"{}\"}}",
                     reference["apiGroup"].as_string(), reference["kind"].as_string(),
                     reference["name"].as_string());
}

}  // namespace

void validate_role(const Kind& kind, const Value& object, const Value*, FieldErrors& errors) {
  std::size_t index = 0;
  for (const Value& rule : object["rules"].items()) {
    check_rule(rule, fmt::format("rules[{}]", index++), kind.namespaced, errors);
  }
  const Value& aggregation = object["aggregationRule"];
  if (!aggregation.is_object()) return;
  if (aggregation["clusterRoleSelectors"].empty()) {
    errors.push_back(required("aggregationRule.clusterRoleSelectors",
                              "at least one clusterRoleSelector required if aggregationRule is "
                              "non-nil"));
  }
  index = 0;
  for (const Value& selector : aggregation["clusterRoleSelectors"].items()) {
    const std::string here = fmt::format("aggregationRule.clusterRoleSelectors[{}]", index++);
    const std::size_t before = errors.size();
    schema::validate_label_selector(selector, here, errors);
    if (errors.size() > before) {
      errors.push_back(invalid_value(here, nullptr, "invalid label selector."));
    }
  }
}

void default_role_binding(const Kind&, Value& object) {
  if (object["roleRef"].is_object())
    fill(object.mutate("roleRef"), "apiGroup", kGroup);
  else
    object.set("roleRef", Value::object({{"apiGroup", kGroup}}));
  if (object["subjects"].empty()) return;
  for (Value& subject : object.mutate("subjects").mutable_items()) {
    const std::string& kind = subject["kind"].as_string();
    if (kind == "User" || kind == "Group") fill(subject, "apiGroup", kGroup);
  }
}

void validate_role_binding(const Kind& kind, const Value& object, const Value* old,
                           FieldErrors& errors) {
  const Value& reference = object["roleRef"];
  const Value group = reference["apiGroup"].as_string();
  const Value role_kind = reference["kind"].as_string();
  if (group.as_string() != kGroup) {
    errors.push_back(not_supported("roleRef.apiGroup", group, {kGroup}));
  }
  if (kind.namespaced)
    check_choice(role_kind, "roleRef.kind", {"Role", "ClusterRole"}, errors);
  else
    check_choice(role_kind, "roleRef.kind", {"ClusterRole"}, errors);
  if (!is_set(reference, "name"))
    errors.push_back(required("roleRef.name"));
  else
    add(errors, "roleRef.name", reference["name"],
        schema::check_path_segment(reference["name"].as_string()));
  std::size_t index = 0;
  for (const Value& subject : object["subjects"].items()) {
    check_subject(subject, fmt::format("subjects[{}]", index++), kind.namespaced, errors);
  }
  if (old != nullptr && (*old)["roleRef"] != reference) {
    add_printed(errors, "roleRef", go_role_ref(reference), "cannot change roleRef");
  }
}

}  // namespace keelway::kinds
