#include "controllers/replicaset/replica_set_loop.h"

#include <algorithm>
#include <map>

#include "base/random.h"
#include "client/resources.h"
#include "controllers/ownership.h"
#include "reconcile/conditions.h"
#include "reconcile/events.h"
#include "value/selector.h"

namespace keelway::controllers {
namespace {

namespace resources = client::resources;
using client::ObjectPtr;
using client::View;
using reconcile::Action;
using reconcile::Key;
using reconcile::Plan;

constexpr std::int64_t kBurst = 500;  // pods made or removed in one round
// A set with many pods sees their changes together: this much rest a pod, and no more than the
// most.
constexpr base::Duration kRestPerPod = std::chrono::microseconds(500);
constexpr base::Duration kRestMax = std::chrono::milliseconds(200);
constexpr std::size_t kGeneratedPrefixMax = 58;  // a pod's name has at most 63 characters

struct Family {
  std::vector<const PodState*> pods;  // active, ours
  std::vector<Action> claims;         // adoptions and releases
};

// What a set looks for in pods.
struct Wanted {
  value::LabelSelector selector, labels_of_template;
  std::int64_t generation = 0;

  // Pods by the hundred are looked at again and again; their labels are read once.
  void judge(PodState& state) const {
    if (state.judged_at == generation) return;
    const schema::LabelViews labels = state.object->labels();
    state.judged_at = generation;
    state.selected = selector.matches(labels);
    state.labelled = labels_of_template.matches(labels);
  }
};

Family claim_pods(const View& view, const client::Object& set, const Wanted& wanted,
                  PodStates& states) {
  Family family;
  for (const auto& [resource, pod] : view.owned_by(set.uid())) {
    if (resource.resource != "pods") continue;
    const schema::OwnerReference* controller = pod->controller();
    if (controller == nullptr || controller->uid != set.uid()) continue;
    PodState& state = states.read(pod);
    wanted.judge(state);
    if (!state.selected) {
      if (!set.deleting() && !pod->deleting()) {
        family.claims.push_back(release(resources::pods, *pod, {set.uid()}));
      }
      continue;
    }
    if (state.active) family.pods.push_back(&state);
  }
  if (set.deleting()) return family;
  for (const ObjectPtr& pod : view.pods_without_controller(set.name_space())) {
    if (pod->deleting() || !wanted.selector.matches(pod->labels())) continue;
    PodState& state = states.read(pod);
    if (!state.active) continue;
    wanted.judge(state);
    state.judged_at = -1;  // by one of several that may want it
    family.claims.push_back(adopt(resources::pods, *pod, resources::replica_sets, set));
    family.pods.push_back(&state);
  }
  return family;
}

value::Value pod_from_template(const client::Object& set, const value::Value& document,
                               base::Random& random) {
  const value::Value& pod_template = document.at("spec", "template");
  value::Value metadata = value::Value::object();
  for (const char* field : {"labels", "annotations", "finalizers"}) {
    const value::Value& own = pod_template.at("metadata", field);
    if (!own.empty()) metadata.set(field, own);
  }
  const std::string prefix = set.name() + "-";
  metadata.set("generateName", prefix);
  // Named here and not by the server, so that the event can say the name.
  metadata.set("name", prefix.substr(0, kGeneratedPrefixMax) + base::make_name_suffix(random, 5));
  metadata.set("namespace", set.name_space());
  metadata.set("ownerReferences",
               value::Value::array({controller_reference(resources::replica_sets, set)}));
  return value::Value::object({{"apiVersion", "v1"},
                               {"kind", "Pod"},
                               {"metadata", std::move(metadata)},
                               {"spec", pod_template["spec"]}});
}

// Whether a set counts both states of a pod alike and may keep it as it did. A pod that gets its
// node, say: where pods run is asked when some are to go.
bool counts_alike(const PodState& now, const PodState& before) {
  const client::Object& a = *now.object;
  const client::Object& b = *before.object;
  return a.uid() == b.uid() && a.deleting() == b.deleting() && a.owners() == b.owners() &&
         a.labels() == b.labels() && now.active == before.active && now.phase == before.phase &&
         now.ready == before.ready && now.ready_since == before.ready_since;
}

class ReplicaSetLoop final : public reconcile::KeyedLoop {
 public:
  std::string_view name() const override { return "replicaset-controller"; }

  std::vector<client::Resource> watches() const override {
    return {resources::replica_sets, resources::pods};
  }

  void keys_of(const client::Change& change, const View& view,
               std::vector<Key>& keys) const override {
    if (change.resource.resource == "replicasets") {
      const ObjectPtr& named = change.object ? change.object : change.previous;
      keys.push_back({named->name_space(), named->name(), ""});
      return;
    }
    if (!change.object) {
      states_.forget(*change.previous);
    } else if (const auto* owner = change.object->controller();
               owner != nullptr && owner->kind == "ReplicaSet" && note(change)) {
      return;
    }
    for (const ObjectPtr& pod : {change.object, change.previous}) {
      if (!pod) continue;
      if (const schema::OwnerReference* controller = pod->controller()) {
        if (controller->kind == "ReplicaSet") {
          keys.push_back({pod->name_space(), controller->name, ""});
        }
      } else if (pod == change.object && !pod->deleting()) {
        // Anybody's orphan: whoever selects it may adopt it.
        for (const ObjectPtr& set : view.list(resources::replica_sets, pod->name_space())) {
          const auto selector =
              value::LabelSelector::from_value(set->value().at("spec", "selector"));
          if (selector && selector->matches(pod->labels())) {
            keys.push_back({set->name_space(), set->name(), ""});
          }
        }
      }
    }
  }

  Plan plan(const View& view, const Key& key, base::WallTime now,
            reconcile::Seed seed) const override {
    const ObjectPtr set = view.get(resources::replica_sets, key.name_space, key.name);
    if (!set) return {};
    const value::Value document = set->value();
    const auto selector = value::LabelSelector::from_value(document.at("spec", "selector"));
    if (!selector || selector->is_nothing() || selector->is_everything()) {
      return {{}, reconcile::Stop{"the selector selects nothing or everything"}};
    }
    Plan plan;
    plan.independent = true;
    const Wanted looks_for{
        *selector,
        value::LabelSelector::from_map(document.at("spec", "template", "metadata", "labels")),
        document.at("metadata", "generation").as_int()};
    Family family = claim_pods(view, *set, looks_for, states_);
    plan.actions = std::move(family.claims);
    const std::int64_t wanted = document.at("spec", "replicas").as_int(1);
    const std::int64_t have = static_cast<std::int64_t>(family.pods.size());
    if (!set->deleting() && have < wanted) {
      create(plan, *set, document, std::min(wanted - have, kBurst), {now, seed});
    } else if (!set->deleting() && have > wanted) {
      const std::vector<Candidate> victims =
          choose(view, *set, family.pods, std::min(have - wanted, kBurst), now);
      for (const Candidate& victim : victims) {
        const std::string& pod_name = victim.pod->object->name();
        plan.actions.push_back(remove_exactly(resources::pods, *victim.pod->object));
        plan.actions.push_back(
            say(document, "SuccessfulDelete", "Deleted pod: " + pod_name, {now, seed}));
      }
    }
    write_status(plan, document, family.pods, now);
    plan.rest = std::min(kRestMax, kRestPerPod * have);
    return plan;
  }

  // The event and the condition that tell why pods are missing, or stay.
  std::vector<Action> on_refusal(const View& view, const Key& key, const Action& action,
                                 const std::string& message, base::WallTime now,
                                 reconcile::Seed seed) const override {
    const auto* call = std::get_if<client::Call>(&action.what);
    const ObjectPtr set = view.get(resources::replica_sets, key.name_space, key.name);
    if (!set || call == nullptr || !(call->resource == resources::pods)) return {};
    const bool creates = call->verb == client::Verb::create;
    if (!creates && call->verb != client::Verb::remove) return {};
    const char* reason = creates ? "FailedCreate" : "FailedDelete";
    const value::Value document = set->value();
    std::vector<Action> actions{reconcile::event_action(
        resources::replica_sets, document, name(),
        {reason, (creates ? "Error creating: " : "Error deleting: ") + message, true}, now, seed)};
    value::Value conditions = document.at("status", "conditions");
    if (reconcile::set_condition(conditions, {"ReplicaFailure", "True", reason, message}, now)) {
      value::Value changed = document;
      changed.mutate("status").set("conditions", std::move(conditions));
      actions.push_back(
          {client::update_call(resources::replica_sets, std::move(changed), "status"), {"*"}, ""});
    }
    return actions;
  }

 private:
  // Reads the pod while its document is at hand. True: its set need not hear of the change.
  bool note(const client::Change& change) const {
    const PodState before = states_.find(change.object->uid());
    const PodState& now = states_.read(change.object);
    return change.previous && before.object == change.previous && counts_alike(now, before);
  }

  struct Moment {
    base::WallTime now;
    reconcile::Seed seed;
  };

  Action say(const value::Value& document, std::string reason, std::string message,
             const Moment& moment) const {
    return reconcile::event_action(resources::replica_sets, document, name(),
                                   {std::move(reason), std::move(message), false}, moment.now,
                                   moment.seed);
  }

  void create(Plan& plan, const client::Object& set, const value::Value& document,
              std::int64_t count, const Moment& moment) const {
    base::Random random(moment.seed);
    for (std::int64_t i = 0; i < count; ++i) {
      value::Value pod = pod_from_template(set, document, random);
      const std::string pod_name = pod.at("metadata", "name").as_string();
      // A namespace that goes away needs no pods; whatever else fails is tried again.
      plan.actions.push_back(
          {client::create_call(resources::pods, set.name_space(), std::move(pod)), {}, ""});
      plan.actions.push_back(say(document, "SuccessfulCreate", "Created pod: " + pod_name, moment));
    }
  }

  static std::vector<Candidate> choose(const View& view, const client::Object& set,
                                       const std::vector<const PodState*>& pods, std::int64_t count,
                                       base::WallTime now) {
    // Pods of sibling sets (other revisions of one deployment) on a node count as neighbours.
    std::map<std::string, int> on_node;
    std::vector<std::string> family_uids{set.uid()};
    if (const schema::OwnerReference* controller = set.controller()) {
      for (const auto& [resource, sibling] : view.owned_by(controller->uid)) {
        if (resource.resource == "replicasets" && sibling->uid() != set.uid()) {
          family_uids.push_back(sibling->uid());
        }
      }
    }
    for (const std::string& uid : family_uids) {
      for (const auto& [resource, pod] : view.owned_by(uid)) {
        if (resource.resource != "pods" || pod->deleting()) continue;
        ++on_node[pod->value().at("spec", "nodeName").as_string()];
      }
    }
    std::vector<Candidate> candidates;
    for (const PodState* pod : pods) {
      candidates.push_back({pod, pod->node.empty() ? 0 : on_node[pod->node]});
    }
    rank_for_deletion(candidates, now);
    candidates.resize(static_cast<std::size_t>(count));
    return candidates;
  }

  static void write_status(Plan& plan, const value::Value& document,
                           const std::vector<const PodState*>& pods, base::WallTime now) {
    const std::int64_t min_ready = document.at("spec", "minReadySeconds").as_int();
    std::int64_t labelled = 0, ready = 0, available = 0;
    std::optional<base::Duration> left;
    for (const PodState* pod : pods) {
      labelled += pod->labelled;
      ready += pod->ready;
      available += pod->available(min_ready, now, &left);
    }
    value::Value status = document["status"];
    const auto set_count = [&](const char* field, std::int64_t count) {
      if (count == 0)
        status.erase(field);
      else
        status.set(field, count);
    };
    status.set("replicas", static_cast<std::int64_t>(pods.size()));
    set_count("fullyLabeledReplicas", labelled);
    set_count("readyReplicas", ready);
    set_count("availableReplicas", available);
    status.set("observedGeneration", document.at("metadata", "generation").as_int());
    if (static_cast<std::int64_t>(pods.size()) == document.at("spec", "replicas").as_int(1)) {
      value::Value conditions = status["conditions"];
      if (reconcile::remove_condition(conditions, "ReplicaFailure")) {
        if (conditions.empty())
          status.erase("conditions");
        else
          status.set("conditions", std::move(conditions));
      }
    }
    if (!(status == document["status"])) {
      value::Value changed = document;
      changed.set("status", std::move(status));
      plan.actions.push_back(
          {client::update_call(resources::replica_sets, std::move(changed), "status"),
           {"NotFound"},
           ""});
    }
    if (left) plan.next = reconcile::After{*left};
  }

  mutable PodStates states_;  // a cache of the view's pods
};

}  // namespace

std::unique_ptr<reconcile::KeyedLoop> make_replica_set_loop() {
  return std::make_unique<ReplicaSetLoop>();
}

}  // namespace keelway::controllers
