// Where a pod may go: affinity, tolerations, spread.
#include <fmt/core.h>

#include <set>

#include "kinds/hooks/internal.h"
#include "value/json.h"

namespace keelway::kinds {
namespace {

using schema::forbidden_field;
using schema::invalid_value;
using schema::required;

void check_requirement(const Value& requirement, const std::string& path, FieldErrors& errors) {
  const std::string& op = requirement["operator"].as_string();
  const Value& values = requirement["values"];
  if (op == "In" || op == "NotIn") {
    if (values.empty()) {
      errors.push_back(
          required(path + ".values", "must be specified when `operator` is 'In' or 'NotIn'"));
    }
  } else if (op == "Exists" || op == "DoesNotExist") {
    if (!values.empty()) {
      errors.push_back(forbidden_field(
          path + ".values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
    }
  } else if (op == "Gt" || op == "Lt") {
    if (values.size() != 1) {
      errors.push_back(required(path + ".values",
                                "must be specified single value when `operator` is 'Lt' or 'Gt'"));
    }
  } else {
    errors.push_back(invalid_value(path + ".operator", op, "not a valid selector operator"));
  }
  add(errors, path + ".key", requirement["key"],
      schema::check_qualified_name(requirement["key"].as_string()));
}

void check_node_term(const Value& term, const std::string& path, FieldErrors& errors) {
  std::size_t index = 0;
  for (const Value& requirement : term["matchExpressions"].items()) {
    check_requirement(requirement, fmt::format("{}.matchExpressions[{}]", path, index++), errors);
  }
  index = 0;
  for (const Value& requirement : term["matchFields"].items()) {
    const std::string here = fmt::format("{}.matchFields[{}]", path, index++);
    const std::string& op = requirement["operator"].as_string();
    if (op != "In" && op != "NotIn") {
      errors.push_back(invalid_value(here + ".operator", op, "not a valid selector operator"));
    } else if (requirement["values"].size() != 1) {
      errors.push_back(required(here + ".values",
                                "must be only one value when `operator` is 'In' or 'NotIn' for "
                                "node field selector"));
    }
    if (requirement["key"].as_string() != "metadata.name") {
      errors.push_back(
          invalid_value(here + ".key", requirement["key"], "not a valid field selector key"));
    }
  }
}

void check_weight(const Value& item, const std::string& path, FieldErrors& errors) {
  const std::int64_t weight = item["weight"].as_int();
  if (weight < 1 || weight > 100) {
    errors.push_back(invalid_value(path + ".weight", weight, "must be in the range 1-100"));
  }
}

void check_pod_term(const Value& term, const std::string& path, FieldErrors& errors) {
  schema::validate_label_selector(term["labelSelector"], path + ".labelSelector", errors);
  schema::validate_label_selector(term["namespaceSelector"], path + ".namespaceSelector", errors);
  for (const Value& name : term["namespaces"].items()) {
    add(errors, path + ".namespaces", name, schema::check_dns1123_label(name.as_string()));
  }
  const Value& key = term["topologyKey"];
  if (!is_set(term, "topologyKey")) {
    errors.push_back(required(path + ".topologyKey", "can not be empty"));
  }
  add(errors, path + ".topologyKey", key.as_string(),
      schema::check_qualified_name(key.as_string()));
}

void check_pod_affinity(const Value& affinity, const std::string& path, FieldErrors& errors) {
  std::size_t index = 0;
  for (const Value& term : affinity["requiredDuringSchedulingIgnoredDuringExecution"].items()) {
    check_pod_term(
        term, fmt::format("{}.requiredDuringSchedulingIgnoredDuringExecution[{}]", path, index++),
        errors);
  }
  index = 0;
  for (const Value& item : affinity["preferredDuringSchedulingIgnoredDuringExecution"].items()) {
    const std::string here =
        fmt::format("{}.preferredDuringSchedulingIgnoredDuringExecution[{}]", path, index++);
    check_weight(item, here, errors);
    check_pod_term(item["podAffinityTerm"], here + ".podAffinityTerm", errors);
  }
}

void check_node_affinity(const Value& affinity, const std::string& path, FieldErrors& errors) {
  const Value& needed = affinity["requiredDuringSchedulingIgnoredDuringExecution"];
  if (needed.is_object()) {
    const std::string here =
        path + ".requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms";
    if (needed["nodeSelectorTerms"].empty()) {
      errors.push_back(required(here, "must have at least one node selector term"));
    }
    std::size_t index = 0;
    for (const Value& term : needed["nodeSelectorTerms"].items()) {
      check_node_term(term, fmt::format("{}[{}]", here, index++), errors);
    }
  }
  std::size_t index = 0;
  for (const Value& item : affinity["preferredDuringSchedulingIgnoredDuringExecution"].items()) {
    const std::string here =
        fmt::format("{}.preferredDuringSchedulingIgnoredDuringExecution[{}]", path, index++);
    check_weight(item, here, errors);
    check_node_term(item["preference"], here + ".preference", errors);
  }
}

void check_spread(const Value& spec, const std::string& path, FieldErrors& errors) {
  std::set<std::string> pairs;
  std::size_t index = 0;
  for (const Value& spread : spec["topologySpreadConstraints"].items()) {
    const std::string here = fmt::format("{}.topologySpreadConstraints[{}]", path, index++);
    const std::string& when = spread["whenUnsatisfiable"].as_string();
    const std::string& key = spread["topologyKey"].as_string();
    if (spread["maxSkew"].as_int() <= 0) {
      errors.push_back(invalid_value(here + ".maxSkew", spread["maxSkew"].as_int(),
                                     "must be greater than zero"));
    }
    if (key.empty())
      errors.push_back(required(here + ".topologyKey", "can not be empty"));
    else
      add(errors, here + ".topologyKey", key, schema::check_qualified_name(key));
    check_choice(when, here + ".whenUnsatisfiable", {"DoNotSchedule", "ScheduleAnyway"}, errors);
    const std::string pair = fmt::format("{{{}, {}}}", key, when);
    if (!pairs.insert(pair).second) {
      errors.push_back(schema::duplicate_value(here + ".{topologyKey, whenUnsatisfiable}", pair));
    }
    const Value& domains = spread["minDomains"];
    if (domains.is_int() && domains.as_int() <= 0) {
      errors.push_back(invalid_value(here + ".minDomains", domains, "must be greater than zero"));
    }
    if (domains.is_int() && when != "DoNotSchedule") {
      errors.push_back(invalid_value(
          here + ".minDomains", domains,
          fmt::format("can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {}", when)));
    }
    schema::validate_label_selector(spread["labelSelector"], here + ".labelSelector", errors);
  }
}

void check_tolerations(const Value& spec, const std::string& path, FieldErrors& errors) {
  std::size_t index = 0;
  for (const Value& toleration : spec["tolerations"].items()) {
    const std::string here = fmt::format("{}.tolerations[{}]", path, index++);
    const std::string& key = toleration["key"].as_string();
    const std::string& op = toleration["operator"].as_string();
    const std::string& effect = toleration["effect"].as_string();
    if (!key.empty())
      add(errors, here + ".key", key, schema::check_qualified_name(key));
    else if (op != "Exists") {
      errors.push_back(invalid_value(here + ".operator", op,
                                     "operator must be Exists when `key` is empty, which means "
                                     "\"match all values and all keys\""));
    }
    if (toleration["tolerationSeconds"].is_int() && effect != "NoExecute") {
      errors.push_back(invalid_value(here + ".effect", effect,
                                     "effect must be 'NoExecute' when `tolerationSeconds` is set"));
    }
    if (op.empty() || op == "Equal") {
      add(errors, here + ".operator", toleration["value"].as_string(),
          schema::check_label_value(toleration["value"].as_string()));
    } else if (op == "Exists") {
      if (is_set(toleration, "value")) {
        errors.push_back(invalid_value(here + ".operator", toleration,
                                       "value must be empty when `operator` is 'Exists'"));
      }
    } else {
      errors.push_back(schema::not_supported(here + ".operator", op, {"Equal", "Exists"}));
    }
    if (!effect.empty()) {
      check_choice(effect, here + ".effect", {"NoSchedule", "PreferNoSchedule", "NoExecute"},
                   errors);
    }
  }
}

}  // namespace

void validate_scheduling(const Value& spec, const std::string& path, FieldErrors& errors) {
  const Value& affinity = spec["affinity"];
  check_node_affinity(affinity["nodeAffinity"], path + ".affinity.nodeAffinity", errors);
  check_pod_affinity(affinity["podAffinity"], path + ".affinity.podAffinity", errors);
  check_pod_affinity(affinity["podAntiAffinity"], path + ".affinity.podAntiAffinity", errors);
  check_spread(spec, path, errors);
  check_tolerations(spec, path, errors);
}

}  // namespace keelway::kinds
