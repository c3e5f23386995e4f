#include "kinds/bootstrap.h"

#include <algorithm>

#include "base/error.h"
#include "kinds/embedded.h"
#include "value/json.h"

namespace keelway::kinds {
namespace {

using value::Value;

std::vector<Value> parse_all(std::span<const Embedded> documents) {
  std::vector<Value> out;
  out.reserve(documents.size());
  for (const Embedded& document : documents) {
    auto parsed = value::parse_json(document.json);
    KEELWAY_INVARIANT(parsed, std::string(document.file) + " was embedded broken");
    out.push_back(std::move(*parsed));
  }
  return out;
}

bool has_labels(const Value& role, const Value& wanted) {
  const Value& labels = role.at("metadata", "labels");
  return !wanted.empty() &&
         std::ranges::all_of(wanted.members(), [&labels](const value::Member& label) {
           return labels[label.first] == label.second;
         });
}

// The rules of every cluster role that the aggregation rule of `role` selects, each once.
Value aggregated_rules(const Value& role, const std::vector<Value>& all) {
  Value rules = Value::array();
  for (const Value& other : all) {
    const auto& selectors = role.at("aggregationRule", "clusterRoleSelectors").items();
    const bool selected = std::ranges::any_of(selectors, [&other](const Value& selector) {
      return has_labels(other, selector["matchLabels"]);
    });
    if (other["kind"].as_string() != "ClusterRole" || !selected) continue;
    for (const Value& rule : other["rules"].items()) {
      const auto& known = rules.items();
      if (std::ranges::find(known, rule) == known.end()) rules.push(rule);
    }
  }
  return rules;
}

// edit takes from view and admin from edit, so rules travel one step each round.
void aggregate(std::vector<Value>& objects) {
  for (bool changed = true; changed;) {
    changed = false;
    for (Value& role : objects) {
      if (!role.contains("aggregationRule")) continue;
      Value rules = aggregated_rules(role, objects);
      if (rules == role["rules"]) continue;
      role.set("rules", std::move(rules));
      changed = true;
    }
  }
}

}  // namespace

std::vector<Value> bootstrap_objects(int /*minor*/) {
  std::vector<Value> objects = parse_all(bootstrap_documents());
  aggregate(objects);
  return objects;
}

std::vector<Value> bootstrap_crds() {
  return parse_all(crd_documents());
}

}  // namespace keelway::kinds
