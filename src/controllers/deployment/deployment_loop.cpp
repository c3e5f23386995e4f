#include "controllers/deployment/deployment_loop.h"

#include <algorithm>

#include "client/resources.h"
#include "controllers/deployment/progress.h"
#include "controllers/deployment/rollout.h"
#include "controllers/ownership.h"
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

constexpr std::string_view kRevision = "deployment.kubernetes.io/revision";
constexpr std::string_view kHistory = "deployment.kubernetes.io/revision-history";
constexpr std::string_view kDesired = "deployment.kubernetes.io/desired-replicas";
constexpr std::string_view kMax = "deployment.kubernetes.io/max-replicas";
constexpr std::string_view kLastApplied = "kubectl.kubernetes.io/last-applied-configuration";
constexpr std::string_view kRollbackTo = "deprecated.deployment.rollback.to";
constexpr std::string_view kHash = "pod-template-hash";
constexpr std::size_t kHistoryBytesMax = 2000;
// A deployment with many replicas sees the changes of its sets together.
constexpr base::Duration kRestPerReplica = std::chrono::microseconds(500);
constexpr base::Duration kRestMax = std::chrono::milliseconds(200);

bool is_own_annotation(std::string_view key) {
  return key == kRevision || key == kHistory || key == kDesired || key == kMax ||
         key == kLastApplied || key == kRollbackTo;
}

// One plan being made.
class Planner {
 public:
  Planner(const View& view, Rollout rollout, base::WallTime now, reconcile::Seed seed)
      : view_(view), rollout_(std::move(rollout)), now_(now), seed_(seed) {}

  Plan make() {
    if (rollout_.object->deleting()) {
      sync_status();
      return std::move(plan_);
    }
    if (note_pause()) return std::move(plan_);
    if (rollout_.paused || is_scaling(rollout_)) {
      if (!adjust_annotations()) return std::move(plan_);
      scale_proportionally(rollout_);
      write_sizes();
      if (rollout_.paused && plan_.actions.empty()) clean_up();
      sync_status();
      return std::move(plan_);
    }
    if (rollout_.recreate)
      recreate();
    else
      roll();
    return std::move(plan_);
  }

 private:
  void roll() {
    if (rollout_.newest() == nullptr) {
      create_newest();
      return;
    }
    if (!adjust_annotations()) return;
    rollout_.newest()->replicas = next_size_of_newest(rollout_);
    if (!rollout_.newest()->resized()) shrink_old(rollout_);
    write_sizes();
    if (plan_.actions.empty()) finish_if_complete();
    sync_status();
  }

  void recreate() {
    for (Revision* old : rollout_.old()) old->replicas = 0;
    if (rollout_.resized()) {
      write_sizes();
      sync_status();
      return;
    }
    if (old_pods_run()) {
      sync_status();
      return;
    }
    if (rollout_.newest() == nullptr) {
      create_newest();
      return;
    }
    if (!adjust_annotations()) return;
    rollout_.newest()->replicas = rollout_.replicas;
    write_sizes();
    if (plan_.actions.empty()) finish_if_complete();
    sync_status();
  }

  bool old_pods_run() {
    for (const Revision* old : rollout_.old()) {
      for (const auto& [resource, pod] : view_.owned_by(old->object->uid())) {
        if (resource.resource != "pods") continue;
        const value::Value document = pod->value();
        const std::string_view phase = document.at("status", "phase").string_or("Pending");
        if (phase != "Succeeded" && phase != "Failed") return true;
      }
    }
    return false;
  }

  void finish_if_complete() {
    if (measure_progress(rollout_, now_).complete) clean_up();
  }

  // Pausing stops the progress deadline; the condition says so. True: written, plan again later.
  bool note_pause() {
    if (rollout_.progress_deadline == 0) return false;
    value::Value status = rollout_.document["status"];
    value::Value conditions = status["conditions"];
    std::string reason;
    for (const value::Value& condition : conditions.items()) {
      if (condition["type"].as_string() == "Progressing") reason = condition["reason"].as_string();
    }
    if (reason == "ProgressDeadlineExceeded") return false;
    if (rollout_.paused && reason != "DeploymentPaused") {
      set_deployment_condition(conditions, "Progressing", "Unknown", "DeploymentPaused",
                               "Deployment is paused", now_);
    } else if (!rollout_.paused && reason == "DeploymentPaused") {
      set_deployment_condition(conditions, "Progressing", "Unknown", "DeploymentResumed",
                               "Deployment is resumed", now_);
    } else {
      return false;
    }
    status.set("conditions", std::move(conditions));
    write_status(std::move(status));
    return true;
  }

  void create_newest() {
    const value::Value& spec = rollout_.document["spec"];
    const std::int64_t collisions = rollout_.document.at("status", "collisionCount").as_int();
    const std::string hash = template_hash(spec["template"], collisions);
    const std::string name = rollout_.object->name() + "-" + hash;
    if (view_.get(resources::replica_sets, rollout_.object->name_space(), name)) {
      // Somebody else's, or of another template: another hash.
      value::Value status = rollout_.document["status"];
      status.set("collisionCount", collisions + 1);
      write_status(std::move(status));
      return;
    }
    const std::int64_t size = next_size_of_newest(rollout_);
    const std::int64_t number = rollout_.highest_old_number() + 1;
    plan_.actions.push_back(
        {client::create_call(resources::replica_sets, rollout_.object->name_space(),
                             new_set(name, hash, size, number)),
         {"AlreadyExists"},
         ""});
    if (size > 0) say_scaled(name, 0, size);
    value::Value status = rollout_.document["status"];
    if (rollout_.progress_deadline > 0) {
      value::Value conditions = status["conditions"];
      set_deployment_condition(conditions, "Progressing", "True", "NewReplicaSetCreated",
                               "Created new replica set \"" + name + "\"", now_, true);
      status.set("conditions", std::move(conditions));
    }
    // Before the annotation: the status is written against the deployment's revision.
    write_status(std::move(status));
    note_number(number);
  }

  value::Value new_set(const std::string& name, const std::string& hash, std::int64_t size,
                       std::int64_t number) const {
    const value::Value& spec = rollout_.document["spec"];
    value::Value pod_template = spec["template"];
    pod_template.mutate("metadata").mutate("labels").set(kHash, hash);
    value::Value selector = spec["selector"];
    selector.mutate("matchLabels").set(kHash, hash);
    value::Value annotations = inherited_annotations();
    annotations.set(kRevision, std::to_string(number));
    annotations.set(kDesired, std::to_string(rollout_.replicas));
    annotations.set(kMax, std::to_string(rollout_.replicas + rollout_.surge));
    value::Value metadata = value::Value::object(
        {{"name", name},
         {"namespace", rollout_.object->name_space()},
         {"labels", pod_template.at("metadata", "labels")},
         {"annotations", std::move(annotations)},
         {"ownerReferences",
          value::Value::array({controller_reference(resources::deployments, *rollout_.object)})}});
    value::Value set_spec = value::Value::object(
        {{"replicas", size}, {"selector", std::move(selector)}, {"template", pod_template}});
    if (spec.contains("minReadySeconds")) set_spec.set("minReadySeconds", spec["minReadySeconds"]);
    return value::Value::object({{"apiVersion", "apps/v1"},
                                 {"kind", "ReplicaSet"},
                                 {"metadata", std::move(metadata)},
                                 {"spec", std::move(set_spec)}});
  }

  value::Value inherited_annotations() const {
    value::Value annotations = value::Value::object();
    for (const auto& [key, text] : rollout_.document.at("metadata", "annotations").members()) {
      if (!is_own_annotation(key)) annotations.set(key, text);
    }
    return annotations;
  }

  // The newest set carries the highest number and the deployment's annotations. False: written,
  // plan again when that is visible.
  bool adjust_annotations() {
    const Revision* newest = rollout_.newest();
    if (newest == nullptr) return true;
    const std::int64_t number = std::max(rollout_.highest_old_number() + 1, newest->number);
    value::Value changes = value::Value::object();
    const value::Value inherited = inherited_annotations();
    for (const auto& [key, text] : inherited.members()) {
      if (newest->annotation(key) != text.as_string()) changes.set(key, text);
    }
    if (newest->number != number) {
      changes.set(kRevision, std::to_string(number));
      if (newest->number > 0) {
        std::string history = newest->annotation(kHistory);
        history += (history.empty() ? "" : ",") + std::to_string(newest->number);
        if (history.size() > kHistoryBytesMax) {
          history = history.substr(history.find(',', history.size() - kHistoryBytesMax) + 1);
        }
        changes.set(kHistory, history);
      }
    }
    value::Value patch = value::Value::object();
    if (!changes.empty()) patch.mutate("metadata").set("annotations", std::move(changes));
    const value::Value& min_ready = rollout_.document.at("spec", "minReadySeconds");
    if (newest->document.at("spec", "minReadySeconds").as_int() != min_ready.as_int()) {
      patch.mutate("spec").set("minReadySeconds", min_ready.as_int());
    }
    if (!patch.empty()) patch_set(*newest, std::move(patch));
    note_number(number);
    return plan_.actions.empty();
  }

  void note_number(std::int64_t number) {
    const std::string text = std::to_string(number);
    if (rollout_.document.at("metadata", "annotations", kRevision).as_string() == text) return;
    value::Value patch = value::Value::object();
    patch.mutate("metadata").mutate("annotations").set(kRevision, text);
    plan_.actions.push_back(
        {client::merge_patch_call(resources::deployments, rollout_.object->name_space(),
                                  rollout_.object->name(), std::move(patch)),
         {"NotFound"},
         ""});
  }

  void patch_set(const Revision& revision, value::Value patch) {
    plan_.actions.push_back(
        {client::merge_patch_call(resources::replica_sets, revision.object->name_space(),
                                  revision.name(), std::move(patch)),
         {"NotFound"},
         ""});
  }

  // Sizes that were decided, and the two annotations that say what they were decided for.
  void write_sizes() {
    const std::string desired = std::to_string(rollout_.replicas);
    const std::string most = std::to_string(rollout_.replicas + rollout_.surge);
    for (const Revision& revision : rollout_.revisions) {
      const bool stale =
          revision.annotation(kDesired) != desired || revision.annotation(kMax) != most;
      const bool active = revision.replicas > 0 || &revision == rollout_.newest();
      if (!revision.resized() && !(stale && active)) continue;
      value::Value patch = value::Value::object();
      patch.mutate("metadata").mutate("annotations").set(kDesired, desired).set(kMax, most);
      if (revision.resized()) patch.mutate("spec").set("replicas", revision.replicas);
      patch_set(revision, std::move(patch));
      if (revision.resized()) {
        say_scaled(revision.name(), revision.replicas_before, revision.replicas);
      }
    }
  }

  void say_scaled(const std::string& set, std::int64_t from, std::int64_t to) {
    const std::string message = std::string("Scaled ") + (to > from ? "up" : "down") +
                                " replica set " + set + " from " + std::to_string(from) + " to " +
                                std::to_string(to);
    plan_.actions.push_back(
        reconcile::event_action(resources::deployments, rollout_.document, "deployment-controller",
                                {"ScalingReplicaSet", message, false}, now_, seed_));
  }

  void clean_up() {
    const value::Value& limit = rollout_.document.at("spec", "revisionHistoryLimit");
    if (!limit.is_int()) return;
    std::vector<Revision*> alive = rollout_.old();
    std::erase_if(alive, [](const Revision* old) { return old->object->deleting(); });
    std::stable_sort(alive.begin(), alive.end(),
                     [](const Revision* a, const Revision* b) { return a->number < b->number; });
    const std::int64_t excess = static_cast<std::int64_t>(alive.size()) - limit.as_int();
    for (std::int64_t i = 0; i < excess; ++i) {
      const Revision& old = *alive[static_cast<std::size_t>(i)];
      const std::int64_t generation = old.document.at("metadata", "generation").as_int();
      const bool settled = old.document.at("status", "observedGeneration").as_int() >= generation;
      if (old.total != 0 || old.replicas != 0 || !settled) continue;
      plan_.actions.push_back(remove_exactly(resources::replica_sets, *old.object));
    }
  }

  void sync_status() {
    const Progress progress = measure_progress(rollout_, now_);
    write_status(progress.status);
    if (progress.until_deadline) plan_.next = reconcile::After{*progress.until_deadline};
  }

  void write_status(value::Value status) {
    if (status == rollout_.document["status"]) return;
    value::Value changed = rollout_.document;
    changed.set("status", std::move(status));
    plan_.actions.push_back(
        {client::update_call(resources::deployments, std::move(changed), "status"),
         {"NotFound"},
         ""});
  }

  const View& view_;
  Rollout rollout_;
  const base::WallTime now_;
  const reconcile::Seed seed_;
  Plan plan_;
};

class DeploymentLoop final : public reconcile::KeyedLoop {
 public:
  std::string_view name() const override { return "deployment-controller"; }

  std::vector<client::Resource> watches() const override {
    return {resources::deployments, resources::replica_sets, resources::pods};
  }

  void keys_of(const client::Change& change, const View& view,
               std::vector<Key>& keys) const override {
    const ObjectPtr& named = change.object ? change.object : change.previous;
    if (change.resource.resource == "deployments") {
      keys.push_back({named->name_space(), named->name(), ""});
    } else if (change.resource.resource == "replicasets") {
      keys_of_set(change, view, keys);
    } else if (!change.object) {
      // The last pod of an old set lets a Recreate rollout go on.
      const schema::OwnerReference* controller = named->controller();
      if (controller == nullptr || controller->kind != "ReplicaSet") return;
      const ObjectPtr set =
          view.get(resources::replica_sets, named->name_space(), controller->name);
      if (set && set->controller() != nullptr) {
        keys.push_back({set->name_space(), set->controller()->name, ""});
      }
    }
  }

  Plan plan(const View& view, const Key& key, base::WallTime now,
            reconcile::Seed seed) const override {
    const ObjectPtr deployment = view.get(resources::deployments, key.name_space, key.name);
    if (!deployment) return {};
    const value::Value document = deployment->value();
    const auto selector = value::LabelSelector::from_value(document.at("spec", "selector"));
    if (!selector || selector->is_nothing() || selector->is_everything()) {
      return {{}, reconcile::Stop{"the selector selects nothing or everything"}};
    }
    std::vector<ObjectPtr> sets;
    Plan claims;
    for (const ObjectPtr& set : view.list(resources::replica_sets, key.name_space)) {
      const schema::OwnerReference* controller = set->controller();
      const bool selected = selector->matches(set->labels());
      if (controller != nullptr && controller->uid == deployment->uid()) {
        if (selected)
          sets.push_back(set);
        else if (!deployment->deleting()) {
          claims.actions.push_back(release(resources::replica_sets, *set, {deployment->uid()}));
        }
      } else if (controller == nullptr && selected && !deployment->deleting() && !set->deleting()) {
        claims.actions.push_back(
            adopt(resources::replica_sets, *set, resources::deployments, *deployment));
      }
    }
    if (!claims.actions.empty()) return claims;
    Plan plan = Planner(view, read_rollout(deployment, sets), now, seed).make();
    plan.rest = std::min(kRestMax, kRestPerReplica * document.at("spec", "replicas").as_int());
    return plan;
  }

 private:
  static void keys_of_set(const client::Change& change, const View& view, std::vector<Key>& keys) {
    for (const ObjectPtr& set : {change.object, change.previous}) {
      if (!set) continue;
      if (const schema::OwnerReference* controller = set->controller()) {
        if (controller->kind == "Deployment") {
          keys.push_back({set->name_space(), controller->name, ""});
        }
        continue;
      }
      if (set != change.object) continue;
      for (const ObjectPtr& deployment : view.list(resources::deployments, set->name_space())) {
        const auto selector =
            value::LabelSelector::from_value(deployment->value().at("spec", "selector"));
        if (selector && selector->matches(set->labels())) {
          keys.push_back({deployment->name_space(), deployment->name(), ""});
        }
      }
    }
  }
};

}  // namespace

std::unique_ptr<reconcile::KeyedLoop> make_deployment_loop() {
  return std::make_unique<DeploymentLoop>();
}

}  // namespace keelway::controllers
