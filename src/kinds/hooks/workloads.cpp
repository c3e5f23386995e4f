// PodTemplate, Deployment, ReplicaSet, ControllerRevision.
#include <fmt/core.h>

#include "kinds/hooks/internal.h"
#include "value/selector.h"

namespace keelway::kinds {
namespace {

using schema::forbidden_field;
using schema::invalid_value;
using schema::required;

bool is_empty_selector(const Value& selector) {
  return selector["matchLabels"].empty() && selector["matchExpressions"].empty();
}

void check_selector(const Value& selector, std::string_view what, FieldErrors& errors) {
  if (!selector.is_object()) {
    errors.push_back(required("spec.selector"));
    return;
  }
  schema::validate_label_selector(selector, "spec.selector", errors);
  if (is_empty_selector(selector)) {
    add_printed(errors, "spec.selector", go_selector(selector),
                fmt::format("empty selector is invalid for {}", what));
  }
}

void check_template(const Value& spec, std::string_view what, FieldErrors& errors) {
  const Value& pod_template = spec["template"];
  const Value& selector = spec["selector"];
  if (selector.is_object() && !is_empty_selector(selector)) {
    const Value& labels = pod_template.at("metadata", "labels");
    const auto parsed = value::LabelSelector::from_value(selector);
    if (parsed && !parsed->matches(labels)) {
      add_printed(errors, "spec.template.metadata.labels", go_string_map(labels),
                  "`selector` does not match template `labels`");
    }
  }
  validate_pod_template(pod_template, "spec.template", errors);
  const Value& policy = pod_template.at("spec", "restartPolicy");
  if (policy.is_string() && policy.as_string() != "Always") {
    errors.push_back(schema::not_supported("spec.template.spec.restartPolicy", policy, {"Always"}));
  }
  if (pod_template.at("spec", "activeDeadlineSeconds").is_int()) {
    errors.push_back(
        forbidden_field("spec.template.spec.activeDeadlineSeconds",
                        fmt::format("activeDeadlineSeconds in {} is not Supported", what)));
  }
}

void check_selector_kept(const Value& object, const Value* old, FieldErrors& errors) {
  if (old == nullptr) return;
  const Value& now = object.at("spec", "selector");
  if (now == old->at("spec", "selector")) return;
  add_printed(errors, "spec.selector", go_selector(now), "field is immutable");
}

void check_strategy(const Value& strategy, FieldErrors& errors) {
  const std::string& type = strategy["type"].as_string();
  const Value& rolling = strategy["rollingUpdate"];
  const std::string path = "spec.strategy.rollingUpdate";
  if (type == "Recreate") {
    if (rolling.is_object()) {
      errors.push_back(
          forbidden_field(path, "may not be specified when strategy `type` is 'Recreate'"));
    }
    return;
  }
  if (type != "RollingUpdate") {
    errors.push_back(
        schema::not_supported("spec.strategy.type", type, {"Recreate", "RollingUpdate"}));
    return;
  }
  if (!rolling.is_object()) {
    errors.push_back(required(path, "this should be defaulted and never be nil"));
    return;
  }
  const Value& unavailable = rolling["maxUnavailable"];
  const Value& surge = rolling["maxSurge"];
  check_int_or_percent(unavailable, path + ".maxUnavailable", errors);
  check_int_or_percent(surge, path + ".maxSurge", errors);
  const auto is_zero = [](const Value& v) {
    return (v.is_int() && v.as_int() == 0) || v.as_string() == "0%";
  };
  if (is_zero(unavailable) && is_zero(surge)) {
    add_printed(errors, path + ".maxUnavailable", go_int_or_string(unavailable),
                "may not be 0 when `maxSurge` is 0");
  }
  check_at_most_100_percent(unavailable, path + ".maxUnavailable", errors);
}

// Of whatever has a member `template`.
void default_template(Value& holder) {
  default_pod_spec(holder.mutate("template", "spec"));
}

}  // namespace

void default_bare_template(const Kind&, Value& object) {
  default_template(object);
}

void validate_bare_template(const Kind&, const Value& object, const Value*, FieldErrors& errors) {
  validate_pod_template(object["template"], "template", errors);
}

void default_deployment(const Kind&, Value& object) {
  Value& spec = object.mutate("spec");
  if (!spec.contains("replicas")) spec.set("replicas", 1);
  default_template(spec);
  fill(spec, "strategy", Value::object());
  fill(spec.mutate("strategy"), "type", "RollingUpdate");
  if (spec.at("strategy", "type").as_string() == "RollingUpdate") {
    Value& rolling = spec.mutate("strategy", "rollingUpdate");
    fill(rolling, "maxUnavailable", "25%");
    fill(rolling, "maxSurge", "25%");
  }
  if (!spec.contains("revisionHistoryLimit")) spec.set("revisionHistoryLimit", 10);
  if (!spec.contains("progressDeadlineSeconds")) spec.set("progressDeadlineSeconds", 600);
}

void default_replica_set(const Kind&, Value& object) {
  Value& spec = object.mutate("spec");
  if (!spec.contains("replicas")) spec.set("replicas", 1);
  default_template(spec);
}

void validate_deployment(const Kind&, const Value& object, const Value* old, FieldErrors& errors) {
  const Value& spec = object["spec"];
  check_not_negative(spec["replicas"], "spec.replicas", errors);
  check_selector(spec["selector"], "deployment", errors);
  check_template(spec, "ReplicaSet", errors);
  check_strategy(spec["strategy"], errors);
  check_not_negative(spec["minReadySeconds"], "spec.minReadySeconds", errors);
  check_not_negative(spec["revisionHistoryLimit"], "spec.revisionHistoryLimit", errors);
  if (const Value& deadline = spec["progressDeadlineSeconds"]; deadline.is_int()) {
    check_not_negative(deadline, "spec.progressDeadlineSeconds", errors);
    if (deadline.as_int() <= spec["minReadySeconds"].as_int()) {
      errors.push_back(invalid_value("spec.progressDeadlineSeconds", deadline,
                                     "must be greater than minReadySeconds"));
    }
  }
  check_selector_kept(object, old, errors);
}

void validate_replica_set(const Kind&, const Value& object, const Value* old, FieldErrors& errors) {
  const Value& spec = object["spec"];
  check_not_negative(spec["replicas"], "spec.replicas", errors);
  check_not_negative(spec["minReadySeconds"], "spec.minReadySeconds", errors);
  check_selector(spec["selector"], "ReplicaSet", errors);
  check_template(spec, "ReplicaSet", errors);
  check_selector_kept(object, old, errors);
}

void validate_controller_revision(const Kind&, const Value& object, const Value* old,
                                  FieldErrors& errors) {
  if (!object["data"].is_object()) errors.push_back(required("data", "data is mandatory"));
  check_not_negative(object["revision"], "revision", errors);
  if (old != nullptr) schema::validate_immutable(object["data"], (*old)["data"], "data", errors);
}

}  // namespace keelway::kinds
