#include "scheduler/scheduler_loop.h"

#include <algorithm>
#include <set>
#include <unordered_map>

#include "base/encoding.h"
#include "base/random.h"
#include "client/resources.h"
#include "reconcile/conditions.h"
#include "reconcile/events.h"
#include "scheduler/candidates.h"
#include "scheduler/ledger.h"
#include "scheduler/scoring.h"

namespace keelway::scheduler {
namespace {

namespace resources = client::resources;
using client::ObjectPtr;
using client::View;
using placement::PodInfo;
using placement::Topology;
using reconcile::Plan;

// Enough feasible nodes to choose from; upstream's rule.
std::size_t enough_nodes(std::size_t nodes) {
  constexpr std::size_t kLeast = 100;
  if (nodes <= kLeast) return nodes;
  const std::size_t percent = nodes / 125 >= 45 ? 5 : 50 - nodes / 125;
  return std::max(kLeast, nodes * percent / 100);
}

// What was issued and is not visible yet.
struct Overlay {
  Bindings bound;
  std::set<std::string> noticed;  // pods whose condition is being written
};

Overlay read_overlay(const reconcile::BatchLoop::Assumed& assumed) {
  Overlay overlay;
  for (const reconcile::Action* action : assumed.actions) {
    const auto* call = std::get_if<client::Call>(&action->what);
    if (call == nullptr || call->resource.resource != "pods") continue;
    const std::string key = Ledger::key_of(call->name_space, call->name);
    if (call->subresource == "binding") {
      overlay.bound[key] = call->body.at("target", "name").as_string();
    } else if (call->subresource == "status") {
      overlay.noticed.insert(key);
    }
  }
  return overlay;
}

// One plan being made.
class Round {
 public:
  Round(const Options& options, Ledger& ledger, base::WallTime now, reconcile::Seed seed)
      : options_(options), ledger_(ledger), topology_(ledger.topology()), now_(now), seed_(seed) {
    // Each plan begins its search elsewhere, so that sampling is fair to all nodes.
    if (!topology_.nodes().empty()) start_ = base::Random(seed).below(topology_.nodes().size());
  }

  bool is_full() const { return bindings_ >= options_.bindings_max; }

  // False: the plan is full, the pod waits for the next one.
  bool schedule(const PodDigest& pod, bool being_noticed) {
    if (is_full()) return false;
    const std::string& alike =
        ledger_.labels_matter() ? pod.waiting->fit_class : pod.waiting->fit_class_without_labels;
    if (!alike.empty()) {
      // Placing pods only takes room: whoever is alike fails alike within one plan.
      const auto failed = failed_classes_.find(alike);
      if (failed != failed_classes_.end()) return notice(pod, failed->second, being_noticed);
    }
    const std::vector<std::size_t> winners = find_winners(pod, alike);
    if (winners.empty()) {
      const std::string message = explain(*pod.info);
      if (!alike.empty()) failed_classes_.emplace(alike, message);
      return notice(pod, message, being_noticed);
    }
    base::Random random(seed_ ^ base::hash64(pod.info->uid));
    bind(pod, winners[random.below(winners.size())]);
    return true;
  }

  Plan take() { return std::move(plan_); }

 private:
  std::vector<std::size_t> find_feasible(const PodInfo& pod, const Topology::Question& question) {
    const std::vector<placement::NodeState>& nodes = topology_.nodes();
    const std::size_t wanted = enough_nodes(nodes.size());
    std::vector<std::size_t> feasible;
    std::size_t looked_at = 0;
    for (; looked_at < nodes.size() && feasible.size() < wanted; ++looked_at) {
      const std::size_t index = (start_ + looked_at) % nodes.size();
      if (!placement::fits_quick(pod, nodes[index])) continue;
      if (question.has_hard_rules() && !question.allows(nodes[index])) continue;
      feasible.push_back(index);
    }
    if (!nodes.empty()) start_ = (start_ + looked_at) % nodes.size();
    return feasible;
  }

  // The best nodes, in index order, so that where the search began does not matter.
  std::vector<std::size_t> find_winners(const PodDigest& pod, const std::string& alike) {
    const PodInfo& info = *pod.info;
    if (alike.empty() || ledger_.labels_matter() || !info.node_affinity->preferred.empty()) {
      const Topology::Question question = topology_.ask(info);
      return best_of(info, question, find_feasible(info, question));
    }
    const auto known = candidates_.find(alike);
    if (known != candidates_.end()) {
      known->second.refresh(info, topology_, placements_);
      std::vector<std::size_t> winners = known->second.winners();
      if (!winners.empty()) return winners;
      candidates_.erase(known);  // the sample is used up; others may have room
    }
    std::vector<std::size_t> feasible = find_feasible(info, topology_.ask(info));
    if (feasible.empty()) return {};
    Candidates made(info, topology_, std::move(feasible), placements_.size());
    return candidates_.emplace(alike, std::move(made)).first->second.winners();
  }

  std::vector<std::size_t> best_of(const PodInfo& pod, const Topology::Question& question,
                                   const std::vector<std::size_t>& feasible) const {
    std::vector<std::size_t> winners;
    if (feasible.empty()) return winners;
    const std::vector<std::int64_t> scores = score(pod, topology_, question, feasible);
    const std::int64_t best = *std::max_element(scores.begin(), scores.end());
    for (std::size_t i = 0; i < scores.size(); ++i) {
      if (scores[i] == best) winners.push_back(feasible[i]);
    }
    std::sort(winners.begin(), winners.end());
    return winners;
  }

  std::string explain(const PodInfo& pod) const {
    const Topology::Question question = topology_.ask(pod);
    placement::MisfitSummary summary;
    for (const placement::NodeState& node : topology_.nodes()) {
      placement::Misfit misfit = placement::fits(pod, node);
      if (misfit.fits()) misfit = question.check(node);
      summary.add(misfit);
    }
    return summary.message(topology_.nodes().size());
  }

  void bind(const PodDigest& pod, std::size_t node) {
    const std::string& node_name = topology_.nodes()[node].name;
    const PodInfo& info = *pod.info;
    client::Call call;
    call.verb = client::Verb::create;
    call.resource = resources::pods;
    call.name_space = info.name_space;
    call.name = info.name;
    call.subresource = "binding";
    call.body = value::Value::object(
        {{"apiVersion", "v1"},
         {"kind", "Binding"},
         {"metadata",
          value::Value::object(
              {{"name", info.name}, {"namespace", info.name_space}, {"uid", info.uid}})},
         {"target",
          value::Value::object({{"apiVersion", "v1"}, {"kind", "Node"}, {"name", node_name}})}});
    // Gone or bound by somebody else: the view will show it.
    plan_.actions.push_back({std::move(call), {"NotFound", "Conflict"}, ""});
    say(pod,
        {"Scheduled",
         "Successfully assigned " + Ledger::key_of(info.name_space, info.name) + " to " + node_name,
         false});
    placements_.push_back(node);
    ++bindings_;
    ledger_.bind(pod, node);
  }

  // Tells the pod why it waits, once for each why.
  bool notice(const PodDigest& pod, const std::string& message, bool being_noticed) {
    if (being_noticed) return true;
    const value::Value document = pod.waiting->object->value();
    value::Value conditions = document.at("status", "conditions");
    const value::Value& old = reconcile::find_condition(conditions, "PodScheduled");
    if (old["status"].as_string() == "False" && old["reason"].as_string() == "Unschedulable" &&
        old["message"].as_string() == message) {
      return true;
    }
    if (notices_ >= options_.notices_max) return false;
    ++notices_;
    reconcile::set_condition(conditions, {"PodScheduled", "False", "Unschedulable", message}, now_);
    value::Value patch = value::Value::object();
    patch.mutate("metadata").set("uid", pod.info->uid);
    patch.mutate("status").set("conditions", std::move(conditions));
    plan_.actions.push_back({client::merge_patch_call(resources::pods, pod.info->name_space,
                                                      pod.info->name, std::move(patch), "status"),
                             {"NotFound", "Conflict"},
                             ""});
    say(pod, {"FailedScheduling", message, true});
    return true;
  }

  void say(const PodDigest& pod, reconcile::EventText text) {
    plan_.actions.push_back(reconcile::event_action(resources::pods, *pod.waiting->object,
                                                    options_.name, std::move(text), now_, seed_));
  }

  const Options& options_;
  Ledger& ledger_;
  Topology& topology_;
  const base::WallTime now_;
  const reconcile::Seed seed_;
  std::size_t start_ = 0, bindings_ = 0, notices_ = 0;
  std::unordered_map<std::string, std::string> failed_classes_;  // class -> message
  std::unordered_map<std::string, Candidates> candidates_;       // by class
  std::vector<std::size_t> placements_;                          // nodes, in order
  Plan plan_;
};

class SchedulerLoop final : public reconcile::BatchLoop {
 public:
  explicit SchedulerLoop(Options options) : options_(std::move(options)), ledger_(options_.name) {}

  std::string_view name() const override { return options_.name; }
  std::vector<client::Resource> watches() const override {
    return {resources::pods, resources::nodes};
  }

  void observe(const client::Change& change) const override { ledger_.observe(change); }

  bool wakes(const client::Change& change) const override {
    if (change.resource == resources::nodes) return node_wakes(change);
    if (!change.object) return is_bound(*change.previous);  // room came free
    if (!change.previous) return true;
    const value::Value now = change.object->value(), before = change.previous->value();
    if (!(now["spec"] == before["spec"])) return true;
    const std::string& phase = now.at("status", "phase").as_string();
    const bool finished = phase == "Succeeded" || phase == "Failed";
    if (finished && !(now.at("status", "phase") == before.at("status", "phase"))) return true;
    return !(change.object->labels() == change.previous->labels());
  }

  Plan plan(const View& view, const Assumed& assumed, base::WallTime now,
            reconcile::Seed seed) const override {
    const Overlay overlay = read_overlay(assumed);
    if (overlay.bound.empty() && !ledger_.is_worth_updating(view)) return {};
    ledger_.update(view, overlay.bound);
    // Binding takes pods off the queue.
    const std::vector<const PodDigest*> queue(ledger_.pending().begin(), ledger_.pending().end());
    Round round(options_, ledger_, now, seed);
    bool all = true;
    for (const PodDigest* pod : queue) {
      if (round.is_full()) {
        all = false;
        break;
      }
      const std::string key = Ledger::key_of(pod->info->name_space, pod->info->name);
      all = round.schedule(*pod, overlay.noticed.contains(key)) && all;
    }
    Plan plan = round.take();
    if (!all) plan.next = reconcile::After{base::Duration(0)};
    return plan;
  }

 private:
  static bool is_bound(const client::Object& pod) {
    return !pod.value().at("spec", "nodeName").as_string().empty();
  }

  // Heartbeats change nothing that matters here.
  static bool node_wakes(const client::Change& change) {
    if (!change.object || !change.previous) return change.object != nullptr;
    const value::Value now = change.object->value(), before = change.previous->value();
    return !(now["spec"] == before["spec"]) ||
           !(now.at("status", "allocatable") == before.at("status", "allocatable")) ||
           !(change.object->labels() == change.previous->labels());
  }

  const Options options_;
  mutable Ledger ledger_;  // a cache of the view and the assumed bindings
};

}  // namespace

std::unique_ptr<reconcile::BatchLoop> make_scheduler_loop(Options options) {
  return std::make_unique<SchedulerLoop>(std::move(options));
}

}  // namespace keelway::scheduler
