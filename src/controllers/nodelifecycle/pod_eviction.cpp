#include <algorithm>
#include <map>
#include <optional>

#include "client/resources.h"
#include "controllers/nodelifecycle/node_lifecycle_loop.h"
#include "controllers/ownership.h"
#include "placement/taints.h"
#include "reconcile/conditions.h"
#include "reconcile/events.h"
#include "value/json_scan.h"

namespace keelway::controllers {
namespace {

namespace resources = client::resources;
using client::ObjectPtr;
using client::View;
using reconcile::Key;
using reconcile::Plan;

constexpr std::size_t kFinishedDeletesMax = 500;  // of one round
// Each round looks at all pods.
constexpr base::Duration kFinishedRest = std::chrono::seconds(20);
constexpr std::string_view kFinished = "finished";
// A node that is missing may be about to register, or to register anew.
constexpr base::Duration kQuarantine = std::chrono::seconds(40);

std::string node_of(const client::Object& pod) {
  return pod.field("spec.nodeName");
}

// Says why in the pod's status, then deletes it.
void disrupt(Plan& plan, const client::Object& pod, const reconcile::Condition& why, bool at_once,
             base::WallTime now) {
  value::Value document = pod.value();
  value::Value conditions = document.at("status", "conditions");
  value::Value& status = document.mutate("status");
  const std::string& phase = status["phase"].as_string();
  const bool fails = at_once && phase != "Succeeded" && phase != "Failed";
  if (reconcile::set_condition(conditions, why, now) || fails) {
    status.set("conditions", std::move(conditions));
    if (fails) status.set("phase", "Failed");
    plan.actions.push_back({client::update_call(resources::pods, std::move(document), "status"),
                            {"NotFound", "Conflict"},
                            ""});
  }
  reconcile::Action removal = remove_exactly(resources::pods, pod);
  if (at_once) std::get<client::Call>(removal.what).body.set("gracePeriodSeconds", 0);
  plan.actions.push_back(std::move(removal));
}

base::WallTime time_of(const value::Value& text) {
  return base::parse_rfc3339(text.as_string()).value_or(base::WallTime{});
}

class TaintEvictionLoop final : public reconcile::KeyedLoop {
 public:
  std::string_view name() const override { return "taint-eviction-controller"; }
  std::vector<client::Resource> watches() const override {
    return {resources::nodes, resources::pods};
  }

  void keys_of(const client::Change& change, const View& view,
               std::vector<Key>& keys) const override {
    if (!change.object) return;
    if (change.resource == resources::nodes) {
      if (has_no_execute(*change.object)) keys.push_back({"", change.object->name(), ""});
      return;
    }
    const std::string node = node_of(*change.object);
    if (node.empty() || change.object->deleting()) return;
    const ObjectPtr home = view.get(resources::nodes, "", node);
    if (home && has_no_execute(*home)) keys.push_back({"", node, ""});
  }

  Plan plan(const View& view, const Key& key, base::WallTime now,
            reconcile::Seed seed) const override {
    const ObjectPtr node = view.get(resources::nodes, "", key.name);
    if (!node) return {};
    const value::Value document = node->value();
    const value::Value& listed = document.at("spec", "taints");
    const std::vector<placement::Taint> taints = placement::read_taints(listed);
    base::WallTime since{};
    for (const value::Value& taint : listed.items()) {
      if (taint["effect"].as_string() != "NoExecute") continue;
      // The lifecycle loop will date it; then this loop is woken again.
      if (!taint.contains("timeAdded")) return {};
      since = std::max(since, time_of(taint["timeAdded"]));
    }
    Plan plan;
    std::optional<base::Duration> next;
    for (const ObjectPtr& pod : view.pods_on(key.name)) {
      if (pod->deleting()) continue;
      const value::Value pod_document = pod->value();
      const auto stay = placement::seconds_until_eviction(
          taints, placement::read_tolerations(pod_document.at("spec", "tolerations")));
      if (!stay) continue;
      const base::WallTime from =
          std::max(since, time_of(pod_document.at("metadata", "creationTimestamp")));
      const base::Duration left = from + std::chrono::seconds(*stay) - now;
      if (left > base::Duration(0)) {
        next = std::min(next.value_or(left), left);
        continue;
      }
      plan.actions.push_back(reconcile::event_action(
          resources::pods, pod_document, name(),
          {"TaintManagerEviction",
           "Marking for deletion Pod " + pod->name_space() + "/" + pod->name(), false},
          now, seed));
      disrupt(plan, *pod,
              {"DisruptionTarget", "True", "DeletionByTaintManager",
               "Taint manager: deleting due to NoExecute taint"},
              false, now);
    }
    if (next) plan.next = reconcile::After{*next};
    return plan;
  }

 private:
  static bool has_no_execute(const client::Object& node) {
    // Asked for every change of every pod; mostly there is no such word.
    const auto text = value::find_json_member(node.outline(), "spec.taints");
    if (!text || text->find("NoExecute") == std::string_view::npos) return false;
    const value::Value document = node.value();
    const value::Array& taints = document.at("spec", "taints").items();
    return std::any_of(taints.begin(), taints.end(), [](const value::Value& taint) {
      return taint["effect"].as_string() == "NoExecute";
    });
  }
};

// Keys are names of nodes that are missing, and one for all pods that have finished.
class PodCollectionLoop final : public reconcile::KeyedLoop {
 public:
  explicit PodCollectionLoop(std::size_t finished_max) : finished_max_(finished_max) {}

  std::string_view name() const override { return "pod-garbage-collector"; }
  std::vector<client::Resource> watches() const override {
    return {resources::nodes, resources::pods};
  }

  void keys_of(const client::Change& change, const View& view,
               std::vector<Key>& keys) const override {
    if (change.resource == resources::nodes) {
      const std::string& name = (change.object ? change.object : change.previous)->name();
      if (!change.object || missed_.contains(name)) keys.push_back({"", name, ""});
      return;
    }
    if (count_finished(change)) keys.push_back({"", "", std::string(kFinished)});
    const std::string node = node_of(change.object ? *change.object : *change.previous);
    if (!change.object && !missed_.contains(node)) return;
    if (!node.empty() && !view.get(resources::nodes, "", node)) {
      keys.push_back({"", node, ""});
    }
  }

  Plan plan(const View& view, const Key& key, base::WallTime now, reconcile::Seed) const override {
    if (key.kind == kFinished) return plan_finished(view);
    const auto pods = view.pods_on(key.name);
    if (pods.empty() || view.get(resources::nodes, "", key.name)) {
      missed_.erase(key.name);
      return {};
    }
    const auto since = missed_.try_emplace(key.name, now).first->second;
    if (const base::Duration left = since + kQuarantine - now; left > base::Duration(0)) {
      return {{}, reconcile::After{left}};
    }
    Plan plan;
    for (const ObjectPtr& pod : pods) {
      if (plan.actions.empty()) {
        // The view may be behind: the server has the last word.
        plan.actions.push_back({client::get_call(resources::nodes, "", key.name), {}, "*"});
      }
      disrupt(plan, *pod,
              {"DisruptionTarget", "True", "DeletionByPodGC", "PodGC: node no longer exists"}, true,
              now);
    }
    return plan;
  }

 private:
  static bool is_finished(const client::Object& pod) {
    const std::string phase = pod.field("status.phase");
    return !pod.deleting() && (phase == "Succeeded" || phase == "Failed");
  }

  // True: there are too many.
  bool count_finished(const client::Change& change) const {
    const bool is = change.object && is_finished(*change.object);
    const bool was = change.previous && is_finished(*change.previous);
    if (is && !was) ++finished_;
    if (was && !is && finished_ > 0) --finished_;
    return is && !was && finished_ > finished_max_;
  }

  Plan plan_finished(const View& view) const {
    if (finished_ <= finished_max_) return {};
    std::vector<std::pair<base::WallTime, ObjectPtr>> found;
    for (const ObjectPtr& pod : view.list(resources::pods)) {
      if (!is_finished(*pod)) continue;
      const value::Value document = pod->value();
      found.emplace_back(time_of(document.at("metadata", "creationTimestamp")), pod);
    }
    if (found.size() <= finished_max_) return {};
    std::stable_sort(found.begin(), found.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    Plan plan;
    plan.independent = true;
    plan.rest = kFinishedRest;
    plan.next = reconcile::After{base::Duration(0)};
    found.resize(std::min(found.size() - finished_max_, kFinishedDeletesMax));
    for (const auto& [created, pod] : found) {
      plan.actions.push_back(remove_exactly(resources::pods, *pod));
    }
    return plan;
  }

  const std::size_t finished_max_;
  mutable std::size_t finished_ = 0;  // pods of the view that have finished and are not going
  // Nodes that pods are bound to and that are not there, since when they were missed. What the view
  // showed, and no more.
  mutable std::map<std::string, base::WallTime, std::less<>> missed_;
};

}  // namespace

std::unique_ptr<reconcile::KeyedLoop> make_taint_eviction_loop() {
  return std::make_unique<TaintEvictionLoop>();
}

std::unique_ptr<reconcile::KeyedLoop> make_pod_collection_loop(std::size_t finished_max) {
  return std::make_unique<PodCollectionLoop>(finished_max);
}

}  // namespace keelway::controllers
