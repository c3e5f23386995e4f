// PodDisruptionBudget, Lease, Event, Endpoints, CustomResourceDefinition.
#include <fmt/core.h>

#include "kinds/hooks/internal.h"
#include "kinds/tables.h"
#include "schema/crd.h"

namespace keelway::kinds {

using schema::invalid_value;
using schema::required;

void validate_disruption_budget(const Kind&, const Value& object, const Value*,
                                FieldErrors& errors) {
  const Value& spec = object["spec"];
  const Value& least = spec["minAvailable"];
  const Value& most = spec["maxUnavailable"];
  if (!least.is_null() && !most.is_null()) {
    add_printed(errors, "spec",
                fmt::format("policy.PodDisruptionBudgetSpec{{MinAvailable:{}, Selector:{}, "
                            "MaxUnavailable:{}, UnhealthyPodEvictionPolicy:{}}}",
                            go_pointer("intstr.IntOrString", least),
                            go_pointer("v1.LabelSelector", spec["selector"]),
                            go_pointer("intstr.IntOrString", most),
                            go_pointer("policy.UnhealthyPodEvictionPolicyType",
                                       spec["unhealthyPodEvictionPolicy"])),
                "minAvailable and maxUnavailable cannot be both set");
  }
  check_int_or_percent(least, "spec.minAvailable", errors);
  check_at_most_100_percent(least, "spec.minAvailable", errors);
  check_int_or_percent(most, "spec.maxUnavailable", errors);
  check_at_most_100_percent(most, "spec.maxUnavailable", errors);
  check_choice(spec["unhealthyPodEvictionPolicy"], "spec.unhealthyPodEvictionPolicy",
               {"AlwaysAllow", "IfHealthyBudget"}, errors);
  schema::validate_label_selector(spec["selector"], "spec.selector", errors);
}

void validate_lease(const Kind&, const Value& object, const Value*, FieldErrors& errors) {
  const Value& spec = object["spec"];
  if (spec["leaseDurationSeconds"].is_int() && spec["leaseDurationSeconds"].as_int() <= 0) {
    errors.push_back(invalid_value("spec.leaseDurationSeconds", spec["leaseDurationSeconds"],
                                   "must be greater than 0"));
  }
  check_not_negative(spec["leaseTransitions"], "spec.leaseTransitions", errors);
}

namespace {

// `subject`: involvedObject of core events, regarding of events.k8s.io.
void check_event_namespace(const Value& object, const char* subject, FieldErrors& errors) {
  const std::string& name_space = object.at("metadata", "namespace").as_string();
  const Value& about = object[subject]["namespace"];
  if (about.is_null() || about.as_string().empty()) return;
  if (about.as_string() != name_space) {
    errors.push_back(
        invalid_value("involvedObject.namespace", about, "does not match event.namespace"));
  }
}

void check_new_event(const Value& object, FieldErrors& errors) {
  const auto length = [&](const char* field, std::size_t most) {
    const std::string& text = object[field].as_string();
    if (text.empty())
      errors.push_back(required(field));
    else if (text.size() > most) {
      errors.push_back(
          invalid_value(field, "", fmt::format("can have at most {} characters", most)));
    }
  };
  if (!is_set(object, "eventTime")) errors.push_back(required("eventTime"));
  const Value& controller = object["reportingController"];
  if (!is_set(object, "reportingController")) {
    errors.push_back(required("reportingController"));
  } else {
    add(errors, "reportingController", controller,
        schema::check_qualified_name(controller.as_string()));
  }
  length("reportingInstance", 128);
  length("action", 128);
  length("reason", 128);
  const std::string& type = object["type"].as_string();
  if (type.empty())
    errors.push_back(required("type"));
  else if (type != "Normal" && type != "Warning") {
    errors.push_back(invalid_value("type", "", fmt::format("has invalid value: {}", type)));
  }
  if (object["note"].as_string().size() > 1024) {
    errors.push_back(invalid_value("message", "", "can have at most 1024 characters"));
  }
}

}  // namespace

void validate_event(const Kind& kind, const Value& object, const Value* old, FieldErrors& errors) {
  const bool core = kind.group.empty();
  if (core && !is_set(object, "eventTime")) {
    check_event_namespace(object, "involvedObject", errors);
    return;
  }
  check_event_namespace(object, core ? "involvedObject" : "regarding", errors);
  if (old == nullptr && !core) check_new_event(object, errors);
}

void validate_endpoints(const Kind&, const Value& object, const Value*, FieldErrors& errors) {
  std::size_t index = 0;
  for (const Value& subset : object["subsets"].items()) {
    const std::string here = fmt::format("subsets[{}]", index++);
    if (subset["addresses"].empty() && subset["notReadyAddresses"].empty()) {
      errors.push_back(required(here, "must specify `addresses` or `notReadyAddresses`"));
    }
    for (const char* list : {"addresses", "notReadyAddresses"}) {
      std::size_t item = 0;
      for (const Value& address : subset[list].items()) {
        add(errors, fmt::format("{}.{}[{}].ip", here, list, item++), address["ip"],
            schema::check_ip(address["ip"].as_string()));
      }
    }
    std::size_t item = 0;
    for (const Value& port : subset["ports"].items()) {
      const std::string at = fmt::format("{}.ports[{}]", here, item++);
      if (subset["ports"].size() > 1 && !is_set(port, "name")) {
        errors.push_back(required(at + ".name"));
      }
      add(errors, at + ".port", port["port"].as_int(),
          schema::check_port_number(port["port"].as_int()));
    }
  }
}

void default_endpoints(const Kind&, Value& object) {
  if (object["subsets"].empty()) return;
  for (Value& subset : object.mutate("subsets").mutable_items()) {
    if (subset["ports"].empty()) continue;
    for (Value& port : subset.mutate("ports").mutable_items()) fill(port, "protocol", "TCP");
  }
}

void default_custom_definition(const Kind&, Value& object) {
  schema::default_crd(object);
}

void prepare_custom_definition(const Kind&, Value& object, const Value* old) {
  if (old == nullptr)
    object.set("status", Value::object());
  else
    object.set("status", (*old)["status"]);
  for (const Value& version : object["spec"]["versions"].items()) {
    if (!version["storage"].as_bool()) continue;
    const Value name = version["name"];
    bool known = false;
    for (const Value& stored : object.at("status", "storedVersions").items()) {
      known = known || stored == name;
    }
    if (!known) object.mutate("status", "storedVersions").push(name);
    break;
  }
}

bool is_built_in(std::string_view group, std::string_view resource) {
  for (const tables::File* file : tables::files()) {
    for (const Kind& kind : file->kinds) {
      if (kind.group == group && kind.resource == resource) return true;
    }
  }
  return false;
}

void validate_custom_definition(const Kind&, const Value& object, const Value* old,
                                FieldErrors& errors) {
  schema::validate_crd(object, old, errors);
  // Objects of a resource share one place in the store, whichever version wrote them.
  const Value& plural = object.at("spec", "names", "plural");
  if (is_built_in(object.at("spec", "group").as_string(), plural.as_string())) {
    errors.push_back(schema::invalid_value("spec.names.plural", plural,
                                           "is a resource of the server itself in this group"));
  }
}

}  // namespace keelway::kinds
