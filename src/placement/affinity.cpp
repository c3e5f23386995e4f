#include "placement/affinity.h"

#include <algorithm>

#include "value/json.h"

namespace keelway::placement {
namespace {

NodeTerm read_term(const value::Value& document) {
  NodeTerm term;
  for (const value::Value& item : document["matchExpressions"].items()) {
    term.expressions.push_back(read_requirement(item));
  }
  for (const value::Value& item : document["matchFields"].items()) {
    term.fields.push_back(read_requirement(item));
  }
  return term;
}

bool selects_field(const Requirement& field, std::string_view node_name) {
  if (field.key != "metadata.name") return false;
  return field.matches(&node_name);
}

PodTerm read_pod_term(const value::Value& document, const value::Value& pod) {
  PodTerm term;
  term.selector = read_selector(document["labelSelector"]);
  term.topology_key = document["topologyKey"].as_string();
  for (const value::Value& item : document["namespaces"].items()) {
    term.namespaces.push_back(item.as_string());
  }
  const value::Value& selector = document["namespaceSelector"];
  term.all_namespaces = selector.is_object() && read_selector(selector).is_everything();
  if (term.namespaces.empty() && selector.is_null()) {
    term.namespaces.push_back(pod.at("metadata", "namespace").as_string());
  }
  std::sort(term.namespaces.begin(), term.namespaces.end());
  const value::Value& labels = pod.at("metadata", "labels");
  for (const value::Value& key : document["matchLabelKeys"].items()) {
    const value::Value* text = labels.find(key.as_string());
    if (text == nullptr) continue;
    term.selector.add({key.as_string(), Requirement::Operator::in, {text->as_string()}, true});
  }
  return term;
}

}  // namespace

bool NodeTerm::matches(const Labels& labels, std::string_view node_name) const {
  if (expressions.empty() && fields.empty()) return false;
  for (const Requirement& expression : expressions) {
    if (!placement::matches(expression, labels)) return false;
  }
  return std::all_of(fields.begin(), fields.end(),
                     [&](const Requirement& field) { return selects_field(field, node_name); });
}

bool NodeAffinity::allows(const Labels& labels, std::string_view node_name) const {
  for (const auto& [key, text] : node_selector.pairs()) {
    const std::string* found = labels.find(key);
    if (found == nullptr || *found != text) return false;
  }
  if (!has_required) return true;
  return std::any_of(required.begin(), required.end(),
                     [&](const NodeTerm& term) { return term.matches(labels, node_name); });
}

int NodeAffinity::preference(const Labels& labels, std::string_view node_name) const {
  int sum = 0;
  for (const PreferredNodeTerm& preferred_term : preferred) {
    const bool anything =
        preferred_term.term.expressions.empty() && preferred_term.term.fields.empty();
    if (anything || preferred_term.term.matches(labels, node_name)) sum += preferred_term.weight;
  }
  return sum;
}

NodeAffinity read_node_affinity(const value::Value& pod_spec) {
  NodeAffinity affinity;
  affinity.node_selector = Labels::read(pod_spec["nodeSelector"]);
  const value::Value& node = pod_spec.at("affinity", "nodeAffinity");
  const value::Value& required = node["requiredDuringSchedulingIgnoredDuringExecution"];
  affinity.has_required = required.is_object();
  for (const value::Value& item : required["nodeSelectorTerms"].items()) {
    affinity.required.push_back(read_term(item));
  }
  for (const value::Value& item : node["preferredDuringSchedulingIgnoredDuringExecution"].items()) {
    affinity.preferred.push_back(
        {static_cast<int>(item["weight"].as_int(1)), read_term(item["preference"])});
  }
  if (!affinity.node_selector.empty() || affinity.has_required) {
    affinity.required_text = value::to_json(pod_spec["nodeSelector"]) + value::to_json(required);
  }
  return affinity;
}

bool PodTerm::selects(std::string_view name_space, const Labels& labels) const {
  if (!all_namespaces && !std::binary_search(namespaces.begin(), namespaces.end(), name_space)) {
    return false;
  }
  return selector.matches(labels.pairs());
}

std::string PodTerm::text() const {
  std::string text = topology_key + '\n' + (all_namespaces ? "*" : "");
  for (const std::string& name : namespaces) text += name + ',';
  return text + '\n' + (selector.is_nothing() ? "\1" : selector.to_string());
}

PodAffinity read_pod_affinity(const value::Value& pod, std::string_view member) {
  PodAffinity affinity;
  const value::Value& document = pod.at("spec", "affinity", member);
  for (const value::Value& item :
       document["requiredDuringSchedulingIgnoredDuringExecution"].items()) {
    affinity.required.push_back(read_pod_term(item, pod));
  }
  for (const value::Value& item :
       document["preferredDuringSchedulingIgnoredDuringExecution"].items()) {
    PodTerm term = read_pod_term(item["podAffinityTerm"], pod);
    term.weight = static_cast<int>(item["weight"].as_int(1));
    affinity.preferred.push_back(std::move(term));
  }
  return affinity;
}

}  // namespace keelway::placement
