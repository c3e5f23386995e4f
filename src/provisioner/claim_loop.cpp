#include <fmt/core.h>

#include <set>

#include "base/encoding.h"
#include "client/resources.h"
#include "provisioner/cluster_state.h"
#include "provisioner/loops.h"
#include "provisioner/names.h"
#include "provisioner/solver.h"
#include "provisioner/termination.h"
#include "reconcile/conditions.h"
#include "reconcile/finalizers.h"

namespace keelway::provisioner {
namespace {

namespace resources = client::resources;
using client::ObjectPtr;
using client::View;
using reconcile::Action;
using reconcile::Key;
using reconcile::Plan;
using value::Value;

// A machine that has not become a node by then is given up.
constexpr auto registration_limit = std::chrono::minutes(15);
// A node that no claim stands for is looked at again then, while a launch is not yet recorded.
constexpr auto orphan_again = std::chrono::seconds(5);
// How often the machine of a silent node is looked for.
constexpr auto inspect_again = std::chrono::seconds(30);
// Keys of these kinds: nodes without a claim; the uids of claims that have gone; all machines.
// Others are claims.
constexpr std::string_view orphan_kind = "orphan";
constexpr std::string_view gone_kind = "gone";
constexpr std::string_view sweep_kind = "sweep";
// Pods come and go in waves; their effect on a claim is written down at most this often.
constexpr auto pod_event_pace = std::chrono::seconds(2);

bool has_taint(const Value& node, std::string_view key) {
  for (const Value& taint : node.at("spec", "taints").items()) {
    if (taint["key"].as_string() == key) return true;
  }
  return false;
}

class ClaimLoop final : public reconcile::KeyedLoop {
 public:
  explicit ClaimLoop(cloud::CataloguePtr catalogue) : catalogue_(std::move(catalogue)) {}

  std::string_view name() const override { return "nodeclaim"; }

  std::vector<client::Resource> watches() const override {
    return {resources::node_claims, resources::nodes, resources::pods, resources::node_pools};
  }

  // What was lost while nobody looked.
  std::vector<Key> first_keys() const override { return {{"", "", std::string(sweep_kind)}}; }

  void keys_of(const client::Change& change, const View& view,
               std::vector<Key>& keys) const override {
    const ObjectPtr& object = change.object ? change.object : change.previous;
    if (change.resource == resources::node_claims) {
      keys.push_back({"", object->name(), ""});
      remember(change);
      // Somebody may have taken the finalizer away, and with it what ends the machine.
      if (!change.object) keys.push_back({"", object->uid(), std::string(gone_kind)});
      const std::string node = object->value().at("status", "nodeName").as_string();
      if (!change.object && !node.empty()) keys.push_back(orphan_key(node));
    } else if (change.resource == resources::node_pools) {
      if (change.object && change.previous &&
          change.object->value()["spec"] == change.previous->value()["spec"]) {
        return;
      }
      for (const ObjectPtr& claim : view.list(resources::node_claims)) {
        if (claim->label(pool_label) == object->name()) keys.push_back({"", claim->name(), ""});
      }
    } else if (change.resource == resources::nodes) {
      add_claim_of(*object, keys);
      if (change.object && is_orphan(*object)) keys.push_back(orphan_key(object->name()));
    } else if (change.resource == resources::pods) {
      const std::string node = object->field("spec.nodeName");
      const bool moved = !change.object || !change.previous ||
                         change.previous->field("spec.nodeName") != node ||
                         change.previous->deleting() != change.object->deleting();
      if (node.empty() || !moved) return;
      const ObjectPtr on = view.get(resources::nodes, "", node);
      // Pods that come matter to pools alone.
      const bool comes = change.object && !change.object->deleting();
      if (on && !(comes && on->label(pool_label).empty())) add_claim_of(*on, keys);
    }
  }

  Plan plan(const View& view, const Key& key, base::WallTime now, reconcile::Seed) const override {
    if (key.kind == orphan_kind) return plan_orphan(view, key.name);
    if (key.kind == gone_kind) return {{terminate(key.name)}, reconcile::Done{}};
    if (key.kind == sweep_kind) {
      return {{{reconcile::Effect{"sweep", "", Value()}, {}}}, reconcile::Done{}};
    }
    const ObjectPtr object = view.get(resources::node_claims, "", key.name);
    if (!object) return {};
    const Value claim = object->value();
    const ObjectPtr node = node_of(claim, view);
    if (node && is_silent(node->value())) {
      Plan plan;
      if (object->deleting())
        plan = plan_termination(view, claim, node, now);
      else if (node->deleting())
        plan = remove(claim);
      plan.actions.insert(plan.actions.begin(), inspect(claim, *node));
      if (!std::holds_alternative<reconcile::After>(plan.next)) {
        plan.next = reconcile::After{inspect_again};
      }
      return plan;
    }
    if (object->deleting()) return plan_termination(view, claim, node, now);
    if (!reconcile::is_condition_true(conditions_of(claim), "Launched")) return launch(claim);
    if (!node) return wait_for_node(claim, now);
    if (node->deleting()) return remove(claim);
    if (!reconcile::is_condition_true(conditions_of(claim), "Registered")) {
      return register_node(claim, *node, now);
    }
    if (!reconcile::is_condition_true(conditions_of(claim), "Initialized")) {
      return initialize(claim, *node, now);
    }
    return follow_pods(view, claim, *node, now);
  }

 private:
  // Nothing has been heard of it for a while: its machine may be gone.
  static bool is_silent(const Value& node) {
    return reconcile::find_condition(node.at("status", "conditions"), "Ready")["status"]
               .as_string() == "Unknown";
  }
  static Action inspect(const Value& claim, const client::Object& node) {
    return {reconcile::Effect{
                "inspect", claim.at("metadata", "uid").as_string(),
                Value::object({{"node", node.name()},
                               {"uid", node.uid()},
                               {"finalizers", reconcile::finalizers_without(
                                                  node.value(), termination_finalizer)}})},
            {}};
  }
  static Action terminate(const std::string& token) {
    return {reconcile::Effect{"terminate", token, Value()}, {}};
  }

  static const Value& conditions_of(const Value& claim) { return claim.at("status", "conditions"); }

  static Key orphan_key(std::string node) {
    return {"", std::move(node), std::string(orphan_kind)};
  }

  bool is_orphan(const client::Object& node) const {
    const std::string provider = node.field("spec.providerID");
    return !provider.empty() && !node.label(pool_label).empty() && !claims_.contains(provider);
  }

  // A machine that went while its node was registering leaves a node behind that nobody else
  // would remove.
  Plan plan_orphan(const View& view, const std::string& name) const {
    const ObjectPtr node = view.get(resources::nodes, "", name);
    if (!node || !is_orphan(*node)) return {};
    if (!launching_.empty()) return {{}, reconcile::After{orphan_again}};
    const Value document = node->value();
    Plan plan;
    if (const std::string claim = owner_of(document); !claim.empty()) {
      plan.actions.push_back(terminate(claim));
    }
    if (reconcile::has_finalizer(document, termination_finalizer)) {
      plan.actions.push_back(
          reconcile::drop_finalizer(resources::nodes, document, termination_finalizer));
    }
    plan.actions.push_back(
        {client::remove_call(resources::nodes, "", name, client::delete_options(node->uid())),
         {"NotFound", "Conflict"}});
    return plan;
  }

  // The uid of the claim that the node was registered for.
  static std::string owner_of(const Value& node) {
    for (const Value& owner : node.at("metadata", "ownerReferences").items()) {
      if (owner["kind"].as_string() == resources::node_claims.kind) return owner["uid"].as_string();
    }
    return {};
  }

  // Which claim a machine belongs to. It holds what claims have said, and so no more than they.
  void remember(const client::Change& change) const {
    if (change.previous) {
      claims_.erase(change.previous->value().at("status", "providerID").as_string());
    }
    const ObjectPtr& claim = change.object ? change.object : change.previous;
    launching_.erase(claim->name());
    if (!change.object) return;
    const std::string provider = claim->value().at("status", "providerID").as_string();
    if (provider.empty()) {
      launching_.insert(claim->name());
    } else {
      claims_[provider] = claim->name();
    }
  }

  void add_claim_of(const client::Object& node, std::vector<Key>& keys) const {
    const auto found = claims_.find(node.field("spec.providerID"));
    if (found != claims_.end()) keys.push_back({"", found->second, ""});
  }

  static ObjectPtr node_of(const Value& claim, const View& view) {
    const std::string& name = claim.at("status", "nodeName").as_string();
    if (name.empty()) return nullptr;
    const ObjectPtr node = view.get(resources::nodes, "", name);
    if (!node || node->field("spec.providerID") != claim.at("status", "providerID").as_string()) {
      return nullptr;
    }
    return node;
  }

  // The claim's uid is the launch's token: asking again gives the same machine.
  Plan launch(const Value& claim) const {
    const auto requirements = placement::Requirements::read(claim.at("spec", "requirements"));
    const auto requests = placement::ResourceList::read(claim.at("spec", "resources", "requests"));
    const Choice choice = cheapest_choice(requirements, requests, *catalogue_);
    const std::string& name = claim.at("metadata", "name").as_string();
    if (choice.offering == nullptr) {
      // Nothing can ever satisfy it; its pods are planned anew.
      return {{{client::remove_call(resources::node_claims, "", name), {"NotFound"}}},
              reconcile::Stop{"no offering satisfies the requirements of nodeclaim " + name}};
    }
    reconcile::Effect effect{"launch", claim.at("metadata", "uid").as_string(),
                             Value::object({{"claim", claim},
                                            {"instanceType", choice.type->name},
                                            {"zone", choice.offering->zone},
                                            {"capacityType", choice.offering->capacity_type},
                                            {"priceMicroUsd", choice.offering->price_micro_usd}})};
    return {{{std::move(effect), {}}}, reconcile::Done{}};
  }

  static Plan remove(const Value& claim) {
    return {
        {{client::remove_call(resources::node_claims, "", claim.at("metadata", "name").as_string(),
                              client::delete_options(claim.at("metadata", "uid").as_string())),
          {"NotFound", "Conflict"}}},
        reconcile::Done{}};
  }

  static Plan wait_for_node(const Value& claim, base::WallTime now) {
    // It was there, and somebody has deleted it: the machine goes, too.
    if (reconcile::is_condition_true(conditions_of(claim), "Registered")) return remove(claim);
    const auto created = base::parse_rfc3339(claim.at("metadata", "creationTimestamp").as_string());
    const auto left = created ? *created + registration_limit - now : base::Duration(0);
    if (left > base::Duration(0)) return {{}, reconcile::After{left}};
    return remove(claim);
  }

  static Action status_update(Value claim, Value conditions) {
    claim.mutate("status").set("conditions", std::move(conditions));
    return {client::update_call(resources::node_claims, std::move(claim), "status"), {"NotFound"}};
  }

  // The node carries what its claim says, and loses the taint that kept pods away until it did.
  // From now on its deletion waits for the claim's end, so that its pods are drained first.
  Plan register_node(const Value& claim, const client::Object& object, base::WallTime now) const {
    Plan plan;
    Value node = object.value();
    for (const auto& [key, text] : claim.at("metadata", "labels").members()) {
      node.mutate("metadata", "labels").set(key, text);
    }
    node.mutate("metadata", "labels").set(registered_label, "true");
    for (const auto& [key, text] : claim.at("metadata", "annotations").members()) {
      node.mutate("metadata", "annotations").set(key, text);
    }
    if (owner_of(node).empty()) {
      node.mutate("metadata", "ownerReferences")
          .push(Value::object({{"apiVersion", resources::node_claims.api_version()},
                               {"kind", resources::node_claims.kind},
                               {"name", claim.at("metadata", "name")},
                               {"uid", claim.at("metadata", "uid")},
                               {"blockOwnerDeletion", true}}));
    }
    if (!reconcile::has_finalizer(node, termination_finalizer)) {
      node.mutate("metadata", "finalizers").push(termination_finalizer);
    }
    Value taints = Value::array();
    for (const Value& taint : node.at("spec", "taints").items()) {
      if (taint["key"].as_string() != unregistered_taint) taints.push(taint);
    }
    node.mutate("spec").set("taints", std::move(taints));
    plan.actions.push_back({client::update_call(resources::nodes, std::move(node)), {}});
    Value conditions = conditions_of(claim);
    reconcile::set_condition(conditions, {"Registered", "True", "Registered", ""}, now);
    plan.actions.push_back(status_update(claim, std::move(conditions)));
    return plan;
  }

  static Plan initialize(const Value& claim, const client::Object& object, base::WallTime now) {
    const Value node = object.value();
    if (!reconcile::is_condition_true(node.at("status", "conditions"), "Ready")) return {};
    for (const Value& taint : claim.at("spec", "startupTaints").items()) {
      if (has_taint(node, taint["key"].as_string())) return {};
    }
    for (const std::string_view key :
         {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}) {
      if (has_taint(node, key)) return {};
    }
    Plan plan;
    plan.actions.push_back(
        {client::merge_patch_call(
             resources::nodes, "", object.name(),
             Value::object(
                 {{"metadata",
                   Value::object(
                       {{"labels", Value::object({{std::string(initialized_label), "true"}})}})}})),
         {}});
    Value conditions = conditions_of(claim);
    reconcile::set_condition(conditions, {"Initialized", "True", "Initialized", ""}, now);
    reconcile::set_condition(conditions, {"Ready", "True", "Ready", ""}, now);
    plan.actions.push_back(status_update(claim, std::move(conditions)));
    return plan;
  }

  // What runs there, as one word: another word means that a pod came or went.
  static std::string pods_word(const View& view, const std::string& node) {
    std::string uids;
    for (const ObjectPtr& pod : view.pods_on(node)) {
      if (!pod->deleting()) uids += pod->uid() + ",";
    }
    return "pods " + base::hex_encode(base::sha256(uids)).substr(0, 12);
  }

  // Condition Consolidatable: False from the last coming or going of a pod on, True once the
  // pool's quiet time has passed since; absent where the pool says Never.
  Plan follow_pods(const View& view, const Value& claim, const client::Object& node,
                   base::WallTime now) const {
    const ObjectPtr pool_object =
        view.get(resources::node_pools, "", claim.at("metadata", "labels", pool_label).as_string());
    if (!pool_object) return {};
    const NodePool pool = read_node_pool(*pool_object);
    Value conditions = conditions_of(claim);
    const Value known = reconcile::find_condition(conditions, "Consolidatable");
    if (!pool.consolidate_after) {
      if (known.is_null()) return {};
      reconcile::remove_condition(conditions, "Consolidatable");
      return {{status_update(claim, std::move(conditions))}, reconcile::Done{}};
    }
    const std::string word = pods_word(view, node.name());
    const auto since =
        base::parse_rfc3339(claim.at("status", "lastPodEventTime")
                                .string_or(known["lastTransitionTime"].string_or("")));
    if (known["message"].as_string() != word) {
      const auto wait = since ? *since + pod_event_pace - now : base::Duration(0);
      if (!known.is_null() && wait > base::Duration(0)) return {{}, reconcile::After{wait}};
      reconcile::set_condition(conditions, {"Consolidatable", "False", "PodsChanged", word}, now);
      Value changed = claim;
      changed.mutate("status").set("lastPodEventTime", base::format_rfc3339(now));
      return {{status_update(std::move(changed), std::move(conditions))},
              reconcile::After{*pool.consolidate_after}};
    }
    const auto left = since ? *since + *pool.consolidate_after - now : base::Duration(0);
    const bool is_true = known["status"].as_string() == "True";
    if (left > base::Duration(0)) {
      if (!is_true) return {{}, reconcile::After{left}};
      reconcile::set_condition(conditions, {"Consolidatable", "False", "NotQuietYet", word}, now);
      return {{status_update(claim, std::move(conditions))}, reconcile::After{left}};
    }
    if (is_true) return {};
    reconcile::set_condition(conditions, {"Consolidatable", "True", "Quiet", word}, now);
    return {{status_update(claim, std::move(conditions))}, reconcile::Done{}};
  }

  const cloud::CataloguePtr catalogue_;
  mutable std::map<std::string, std::string> claims_;  // by provider id
  mutable std::set<std::string> launching_;            // claims whose machine is not recorded
};

}  // namespace

std::unique_ptr<reconcile::KeyedLoop> make_claim_loop(cloud::CataloguePtr catalogue) {
  return std::make_unique<ClaimLoop>(std::move(catalogue));
}

}  // namespace keelway::provisioner
