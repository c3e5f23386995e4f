#include <fmt/core.h>

#include "client/resources.h"
#include "sim/oracles/oracle.h"

namespace keelway::sim {
namespace {

namespace resources = client::resources;
using value::Value;

bool is_final(std::string_view phase) {
  return phase == "Succeeded" || phase == "Failed";
}

Complaint pod_history(const Value& before, const Value& after) {
  const std::string& was_on = before.at("spec", "nodeName").as_string();
  const std::string& is_on = after.at("spec", "nodeName").as_string();
  if (!was_on.empty() && is_on != was_on) {
    return fmt::format("moved from node {} to '{}'", was_on, is_on);
  }
  const std::string& was = before.at("status", "phase").as_string();
  const std::string& is = after.at("status", "phase").as_string();
  if ((was == "Running" && is == "Pending") || (is_final(was) && is != was)) {
    return fmt::format("was {} and is {}", was, is);
  }
  const std::string& had = before.at("status", "podIP").as_string();
  const std::string& has = after.at("status", "podIP").as_string();
  if (!had.empty() && has != had) return fmt::format("had address {} and has '{}'", had, has);
  return std::nullopt;
}

Complaint claim_history(const Value& before, const Value& after) {
  const std::string& had = before.at("status", "providerID").as_string();
  const std::string& has = after.at("status", "providerID").as_string();
  if (!had.empty() && has != had) return fmt::format("was machine {} and is '{}'", had, has);
  return std::nullopt;
}

}  // namespace

Complaint object_changes_as_it_may(const client::Change& change) {
  if (!change.object || !change.previous) return std::nullopt;
  const Value before = change.previous->value(), after = change.object->value();
  Complaint complaint;
  if (change.previous->uid() != change.object->uid()) {
    complaint = "became another object without going";
  } else if (change.previous->deleting() && !change.object->deleting()) {
    complaint = "is no longer being deleted";
  } else if (change.resource == resources::pods) {
    complaint = pod_history(before, after);
  } else if (change.resource == resources::node_claims) {
    complaint = claim_history(before, after);
  }
  if (!complaint) return std::nullopt;
  return fmt::format("{} {} {}", change.resource.resource, change.object->name(), *complaint);
}

}  // namespace keelway::sim
