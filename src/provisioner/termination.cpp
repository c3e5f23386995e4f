#include "provisioner/termination.h"

#include <algorithm>

#include "client/resources.h"
#include "placement/node_state.h"
#include "provisioner/names.h"
#include "reconcile/finalizers.h"

namespace keelway::provisioner {
namespace {

namespace resources = client::resources;
using client::ObjectPtr;
using reconcile::Action;
using reconcile::Plan;
using value::Value;

// How long a refused eviction rests before the next try.
constexpr auto eviction_again = std::chrono::seconds(1);
// A pod that is still there so long after its end was due is not waited for.
constexpr auto stuck_after = std::chrono::minutes(1);

bool has_disrupted_taint(const Value& node) {
  for (const Value& taint : node.at("spec", "taints").items()) {
    if (taint["key"].as_string() == disrupted_taint) return true;
  }
  return false;
}

Action taint(const client::Object& object) {
  Value node = object.value();
  node.mutate("spec", "taints")
      .push(Value::object({{"key", disrupted_taint}, {"effect", "NoSchedule"}}));
  node.mutate("metadata", "labels")
      .set("node.kubernetes.io/exclude-from-external-load-balancers", "karpenter");
  return {client::update_call(resources::nodes, std::move(node)), {"NotFound"}};
}

// A pod that tolerates the taint would come back at once: evicting it is no way to an empty node.
bool stays(const placement::PodInfo& pod) {
  return pod.finished || pod.of_daemon_set ||
         placement::tolerates(pod.tolerations,
                              {std::string(disrupted_taint), "", placement::Effect::no_schedule});
}

Action evict(const client::Object& pod) {
  client::Call call = client::create_call(
      resources::pods, pod.name_space(),
      Value::object(
          {{"apiVersion", "policy/v1"},
           {"kind", "Eviction"},
           {"metadata", Value::object({{"name", pod.name()}, {"namespace", pod.name_space()}})},
           {"deleteOptions", client::delete_options(pod.uid())}}));
  call.name = pod.name();
  call.subresource = "eviction";
  // However it is refused (a budget; two budgets, for good): the next round asks again, and the
  // node's other pods are asked in this one.
  return {std::move(call), {"*"}};
}

Action remove_pod(const client::Object& pod, base::Duration grace) {
  Value options = client::delete_options(pod.uid());
  options.set("gracePeriodSeconds",
              std::chrono::duration_cast<std::chrono::seconds>(grace).count());
  return {client::remove_call(resources::pods, pod.name_space(), pod.name(), std::move(options)),
          {"NotFound", "Conflict"}};
}

// How long an ending pod is still waited for; not positive: no longer.
base::Duration left_to_end(const Value& pod, base::WallTime now) {
  const auto due = base::parse_rfc3339(pod.at("metadata", "deletionTimestamp").as_string());
  return due ? *due + stuck_after - now : base::Duration(0);
}

base::Duration grace_of(const Value& pod) {
  return std::chrono::seconds(pod.at("spec", "terminationGracePeriodSeconds").as_int(30));
}

// When disruption budgets stop protecting; nothing where the claim sets no limit.
std::optional<base::WallTime> deadline(const Value& claim) {
  const auto period = base::parse_duration(claim.at("spec", "terminationGracePeriod").as_string());
  const auto since = base::parse_rfc3339(claim.at("metadata", "deletionTimestamp").as_string());
  if (!period || !since) return std::nullopt;
  return *since + *period;
}

// Asks the pods to go; true while the node must wait for them. Budgets, and its own wish not to be
// disrupted, protect a pod until so little time is left before the limit that it could not end in
// its grace period; at the limit nobody is waited for.
bool drain(const client::View& view, const std::string& node, std::optional<base::WallTime> limit,
           base::WallTime now, Plan& plan) {
  if (limit && *limit <= now) return false;
  bool waits = false;
  base::Duration again = base::Duration::max();
  std::vector<Action> evictions;
  for (const ObjectPtr& object : view.pods_on(node)) {
    const Value pod = object->value();
    if (stays(placement::read_pod(pod))) continue;
    if (object->deleting()) {
      const base::Duration left = left_to_end(pod, now);
      if (left <= base::Duration(0)) continue;
      waits = true;
      again = std::min(again, left);
      continue;
    }
    waits = true;
    if (limit && *limit - now <= grace_of(pod)) {
      // What has no time left goes before what may be refused.
      plan.actions.push_back(remove_pod(*object, *limit - now));
      continue;
    }
    again = std::min<base::Duration>(again, eviction_again);
    if (!asks_not_to_be_disrupted(pod)) evictions.push_back(evict(*object));
  }
  for (Action& eviction : evictions) plan.actions.push_back(std::move(eviction));
  if (limit) again = std::min(again, *limit - now);
  if (waits && again != base::Duration::max()) plan.next = reconcile::After{again};
  return waits;
}

}  // namespace

reconcile::Plan plan_termination(const client::View& view, const value::Value& claim,
                                 const client::ObjectPtr& node, base::WallTime now) {
  Plan plan;
  if (node && !has_disrupted_taint(node->value())) {
    plan.actions.push_back(taint(*node));
    return plan;
  }
  if (node && drain(view, node->name(), deadline(claim), now, plan)) return plan;
  // The machine before its node: one that is still there could register anew.
  plan.actions.push_back(
      {reconcile::Effect{"terminate", claim.at("metadata", "uid").as_string(),
                         Value::object({{"name", claim.at("metadata", "name")}})},
       {}});
  if (node) {
    if (const Value document = node->value();
        reconcile::has_finalizer(document, termination_finalizer)) {
      plan.actions.push_back(
          reconcile::drop_finalizer(resources::nodes, document, termination_finalizer));
    }
    plan.actions.push_back({client::remove_call(resources::nodes, "", node->name(),
                                                client::delete_options(node->uid())),
                            {"NotFound", "Conflict"}});
  }
  plan.actions.push_back(
      reconcile::drop_finalizer(resources::node_claims, claim, termination_finalizer));
  return plan;
}

}  // namespace keelway::provisioner
