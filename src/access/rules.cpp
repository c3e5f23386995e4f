// Policy rules on their own: what one allows, and what a list of them covers.
#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "access/rbac.h"
#include "client/resources.h"
#include "value/selector.h"

namespace keelway::access {
namespace {

using Strings = std::vector<std::string>;

Strings strings(const value::Value& list) {
  Strings texts;
  for (const value::Value& one : list.items()) texts.push_back(one.as_string());
  return texts;
}

bool has(const Strings& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

bool has_or_all(const Strings& list, std::string_view text) {
  return has(list, "*") || has(list, text);
}

bool resource_matches(const Strings& resources, std::string_view resource,
                      std::string_view subresource) {
  const std::string combined =
      subresource.empty() ? std::string(resource) : fmt::format("{}/{}", resource, subresource);
  if (has_or_all(resources, combined)) return true;
  return !subresource.empty() && has(resources, fmt::format("*/{}", subresource));
}

bool path_matches(const Strings& paths, std::string_view path) {
  return std::any_of(paths.begin(), paths.end(), [path](std::string_view pattern) {
    if (pattern == "*" || pattern == path) return true;
    return pattern.ends_with('*') && path.starts_with(pattern.substr(0, pattern.size() - 1));
  });
}

// Every string of `wanted` is in `held`, where "*" holds all.
bool covers_all(const Strings& held, const Strings& wanted) {
  return has(held, "*") || std::all_of(wanted.begin(), wanted.end(),
                                       [&](const std::string& one) { return has(held, one); });
}

bool covers_resources(const Strings& held, const Strings& wanted) {
  if (covers_all(held, wanted)) return true;
  return std::all_of(wanted.begin(), wanted.end(), [&](const std::string& one) {
    if (has(held, one)) return true;
    const std::size_t slash = one.find('/');
    return slash != std::string::npos && has(held, "*" + one.substr(slash));
  });
}

bool covers(const PolicyRule& held, const PolicyRule& wanted) {
  if (!covers_all(held.verbs, wanted.verbs)) return false;
  if (!wanted.non_resource_urls.empty()) {
    return std::all_of(
        wanted.non_resource_urls.begin(), wanted.non_resource_urls.end(),
        [&](const std::string& url) { return path_matches(held.non_resource_urls, url); });
  }
  const bool names =
      held.resource_names.empty() ||
      (!wanted.resource_names.empty() &&
       std::all_of(wanted.resource_names.begin(), wanted.resource_names.end(),
                   [&](const std::string& n) { return has(held.resource_names, n); }));
  return names && covers_all(held.api_groups, wanted.api_groups) &&
         covers_resources(held.resources, wanted.resources);
}

// One rule for each (group, resource, verb, name), so that what is missing can be named exactly.
std::vector<PolicyRule> break_down(const PolicyRule& rule) {
  std::vector<PolicyRule> parts;
  for (const std::string& verb : rule.verbs) {
    for (const std::string& url : rule.non_resource_urls) {
      parts.push_back({{verb}, {}, {}, {}, {url}});
    }
    for (const std::string& group : rule.api_groups) {
      for (const std::string& resource : rule.resources) {
        if (rule.resource_names.empty()) parts.push_back({{verb}, {group}, {resource}, {}, {}});
        for (const std::string& name : rule.resource_names) {
          parts.push_back({{verb}, {group}, {resource}, {name}, {}});
        }
      }
    }
  }
  return parts;
}

void append_list(std::string& text, std::string_view label, const Strings& list) {
  if (list.empty()) return;
  if (text.size() > 1) text += ", ";
  text += label;
  text += ":[";
  for (std::size_t i = 0; i < list.size(); ++i) {
    text += fmt::format("{}\"{}\"", i == 0 ? "" : " ", list[i]);
  }
  text += ']';
}

value::Value list_value(const Strings& list) {
  value::Value v = value::Value::array();
  for (const std::string& one : list) v.push(one);
  return v;
}

// Appends the role's rules. `seen` ends cycles of roles that aggregate each other.
void gather(const value::Value& role, const client::View& view, std::set<std::string>& seen,
            std::vector<PolicyRule>& rules) {
  const value::Value& selectors = role.at("aggregationRule", "clusterRoleSelectors");
  if (selectors.empty()) {
    for (const value::Value& one : role["rules"].items()) {
      rules.push_back(PolicyRule::from_value(one));
    }
    return;
  }
  if (!seen.insert(role.at("metadata", "name").as_string()).second) return;
  std::vector<value::LabelSelector> parsed;
  for (const value::Value& one : selectors.items()) {
    if (auto selector = value::LabelSelector::from_value(one)) {
      parsed.push_back(std::move(*selector));
    }
  }
  for (const schema::ObjectPtr& other : view.list(client::resources::cluster_roles)) {
    const bool selected = std::any_of(parsed.begin(), parsed.end(), [&](const auto& selector) {
      return selector.matches(other->labels());
    });
    if (selected) gather(other->value(), view, seen, rules);
  }
}

}  // namespace

PolicyRule PolicyRule::from_value(const value::Value& rule) {
  return {strings(rule["verbs"]), strings(rule["apiGroups"]), strings(rule["resources"]),
          strings(rule["resourceNames"]), strings(rule["nonResourceURLs"])};
}

value::Value PolicyRule::to_value() const {
  value::Value rule = value::Value::object({{"verbs", list_value(verbs)}});
  if (!api_groups.empty()) rule.set("apiGroups", list_value(api_groups));
  if (!resources.empty()) rule.set("resources", list_value(resources));
  if (!resource_names.empty()) rule.set("resourceNames", list_value(resource_names));
  if (!non_resource_urls.empty()) rule.set("nonResourceURLs", list_value(non_resource_urls));
  return rule;
}

std::string PolicyRule::text() const {
  std::string all = "{";
  append_list(all, "APIGroups", api_groups);
  append_list(all, "Resources", resources);
  append_list(all, "ResourceNames", resource_names);
  append_list(all, "NonResourceURLs", non_resource_urls);
  append_list(all, "Verbs", verbs);
  return all + "}";
}

bool rule_allows(const PolicyRule& rule, const Attributes& what) {
  if (!has_or_all(rule.verbs, what.verb)) return false;
  if (!what.resource_request) return path_matches(rule.non_resource_urls, what.path);
  return has_or_all(rule.api_groups, what.group) &&
         resource_matches(rule.resources, what.resource, what.subresource) &&
         (rule.resource_names.empty() || has(rule.resource_names, what.name));
}

std::vector<PolicyRule> missing_rules(const std::vector<PolicyRule>& held,
                                      const std::vector<PolicyRule>& wanted) {
  std::vector<PolicyRule> missing;
  for (const PolicyRule& rule : wanted) {
    for (PolicyRule& part : break_down(rule)) {
      const bool held_already = std::any_of(
          held.begin(), held.end(), [&](const PolicyRule& one) { return covers(one, part); });
      if (!held_already) missing.push_back(std::move(part));
    }
  }
  return missing;
}

std::vector<PolicyRule> rules_of_role(const value::Value& role, const client::View& view) {
  std::vector<PolicyRule> rules;
  std::set<std::string> seen;
  gather(role, view, seen, rules);
  return rules;
}

}  // namespace keelway::access
