#include <set>

#include "kinds/printers/cells.h"
#include "kinds/printers/printers.h"

namespace keelway::kinds {
namespace {

using value::Value;

std::string state_of(const Value& node) {
  std::string out = "Unknown";
  for (const Value& condition : node.at("status", "conditions").items()) {
    if (condition["type"].as_string() != "Ready") continue;
    out = condition["status"].as_string() == "True" ? "Ready" : "NotReady";
  }
  if (node.at("spec", "unschedulable").as_bool()) out += ",SchedulingDisabled";
  return out;
}

std::string roles_of(const Value& node) {
  constexpr std::string_view prefix = "node-role.kubernetes.io/";
  std::set<std::string> roles;
  for (const auto& [key, text] : node.at("metadata", "labels").members()) {
    if (key.starts_with(prefix) && key.size() > prefix.size()) {
      roles.insert(key.substr(prefix.size()));
    } else if (key == "kubernetes.io/role" && !text.as_string().empty()) {
      roles.insert(text.as_string());
    }
  }
  return roles.empty() ? "<none>" : cells::join({roles.begin(), roles.end()}, ",");
}

std::string address_of(const Value& node, std::string_view type) {
  for (const Value& address : node.at("status", "addresses").items()) {
    if (address["type"].as_string() == type) return address["address"].as_string();
  }
  return "<none>";
}

}  // namespace

value::Array print_node(const schema::Kind&, const Value& node, base::WallTime now) {
  const Value& info = node.at("status", "nodeInfo");
  return {cells::name(node),
          state_of(node),
          roles_of(node),
          cells::age(node, now),
          info["kubeletVersion"].as_string(),
          address_of(node, "InternalIP"),
          address_of(node, "ExternalIP"),
          cells::or_else(info["osImage"], "<unknown>"),
          cells::or_else(info["kernelVersion"], "<unknown>"),
          cells::or_else(info["containerRuntimeVersion"], "<unknown>")};
}

}  // namespace keelway::kinds
