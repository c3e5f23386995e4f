// POST pods/NAME/eviction: a deletion that disruption budgets may refuse. What a budget allows is
// taken in the transaction that deletes the pod, so two evictions cannot share one allowance.
#include <fmt/core.h>

#include "apiserver/strategy/handlers.h"
#include "apiserver/verbs/commit.h"
#include "apiserver/verbs/shape.h"
#include "apiserver/verbs/verbs.h"
#include "value/selector.h"
#include "watch/keys.h"

namespace keelway::apiserver {
namespace {

constexpr int kRaceAttempts = 16;
constexpr std::size_t kDisruptedMax = 2000;

struct Eviction {
  OperationPtr op;
  Value options;
  int races_left = kRaceAttempts;
  OutcomeCallback done;
};
using EvictionPtr = std::shared_ptr<Eviction>;

bool pod_is_ready(const Value& pod) {
  for (const Value& condition : pod.at("status", "conditions").items()) {
    if (condition["type"].as_string() == "Ready") return condition["status"].as_string() == "True";
  }
  return false;
}

bool goes_freely(const Value& pod) {
  const std::string& phase = pod.at("status", "phase").as_string();
  return phase == "Succeeded" || phase == "Failed" || phase == "Pending" ||
         !pod["metadata"]["deletionTimestamp"].is_null();
}

std::vector<ObjectPtr> budgets_of(Core& core, const Value& pod) {
  std::vector<ObjectPtr> found;
  const std::string& name_space = pod.at("metadata", "namespace").as_string();
  const client::Resource budgets{"policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget",
                                 true};
  for (const ObjectPtr& budget : core.view.list(budgets, name_space)) {
    const Value document = budget->value();
    const auto selector = value::LabelSelector::from_value(document.at("spec", "selector"));
    if (selector && selector->matches(pod.at("metadata", "labels"))) found.push_back(budget);
  }
  return found;
}

schema::Status refusal(const std::string& cause, int retry_seconds) {
  schema::Status status = schema::too_many_requests(
      "Cannot evict pod as it would violate the pod's disruption budget.", retry_seconds);
  status.causes.push_back({"DisruptionBudget", cause, ""});
  return status;
}

// The budget after this eviction, or why it refuses.
Answer<Value> charge(const Value& budget, const std::string& pod_name, base::WallTime now) {
  const std::string& name = budget.at("metadata", "name").as_string();
  const Value& status = budget["status"];
  if (status["observedGeneration"].as_int(0) < budget.at("metadata", "generation").as_int(0)) {
    return std::unexpected(refusal(
        fmt::format("The disruption budget {} is still being processed by the server.", name), 10));
  }
  const std::int64_t allowed = status["disruptionsAllowed"].as_int(0);
  if (allowed < 0) {
    return std::unexpected(schema::forbidden("policy", "poddisruptionbudgets", name,
                                             "pdb disruptions allowed is negative"));
  }
  if (status["disruptedPods"].size() > kDisruptedMax) {
    return std::unexpected(
        schema::forbidden("policy", "poddisruptionbudgets", name,
                          "DisruptedPods map too big - too many evictions not confirmed by PDB "
                          "controller"));
  }
  if (allowed == 0) {
    return std::unexpected(refusal(
        fmt::format("The disruption budget {} needs {} healthy pods and has {} currently", name,
                    status["desiredHealthy"].as_int(0), status["currentHealthy"].as_int(0)),
        0));
  }
  Value next = budget;
  Value& changed = next.mutate("status");
  changed.set("disruptionsAllowed", allowed - 1);
  changed.mutate("disruptedPods").set(pod_name, base::format_rfc3339(now));
  return next;
}

// Pods that are not ready do not count as healthy: evicting one may cost the budget nothing.
bool unready_goes_freely(const Value& budget, const Value& pod) {
  if (pod_is_ready(pod)) return false;
  if (budget.at("spec", "unhealthyPodEvictionPolicy").as_string() == "AlwaysAllow") return true;
  const Value& status = budget["status"];
  return status["currentHealthy"].as_int(0) >= status["desiredHealthy"].as_int(0) &&
         status["desiredHealthy"].as_int(0) > 0;
}

// Adds the budget's part to the transaction.
Answer<void> pass_budgets(Core& core, const Value& pod, store::Transaction& transaction) {
  if (goes_freely(pod)) return {};
  const std::vector<ObjectPtr> budgets = budgets_of(core, pod);
  if (budgets.empty()) return {};
  if (budgets.size() > 1) {
    return std::unexpected(schema::internal_error(
        "This pod has more than one PodDisruptionBudget, which the eviction subresource does not "
        "support."));
  }
  const ObjectPtr& budget = budgets[0];
  const Value document = budget->value();
  const std::string key =
      watch::store_key("policy", "poddisruptionbudgets", budget->name_space(), budget->name());
  if (unready_goes_freely(document, pod)) {
    transaction.compares.push_back({key, budget->revision()});
    return {};
  }
  auto charged = charge(document, pod.at("metadata", "name").as_string(), core.now());
  if (!charged) {
    core.executor.reached("apiserver.eviction_refused");
    return std::unexpected(std::move(charged.error()));
  }
  transaction.compares.push_back({key, budget->revision()});
  transaction.puts.push_back(
      {key, std::make_shared<const std::string>(stored_bytes(std::move(*charged))), std::nullopt});
  return {};
}

Value evicted_answer() {
  return Value::object({{"kind", "Status"},
                        {"apiVersion", "v1"},
                        {"metadata", Value::object()},
                        {"status", "Success"},
                        {"code", 201}});
}

void mark_disrupted(Value& pod, base::WallTime now) {
  const Value condition = Value::object({{"type", "DisruptionTarget"},
                                         {"status", "True"},
                                         {"reason", "EvictionByEvictionAPI"},
                                         {"message", "Eviction API: evicting"},
                                         {"lastProbeTime", nullptr},
                                         {"lastTransitionTime", base::format_rfc3339(now)}});
  value::Array& conditions = pod.mutate("status").mutate("conditions").mutable_items();
  for (Value& existing : conditions) {
    if (existing["type"].as_string() != "DisruptionTarget") continue;
    existing = condition;
    return;
  }
  conditions.push_back(condition);
}

void attempt(Core& core, const EvictionPtr& e);

// The pod is marked and the budget charged; the deletion itself is the ordinary one.
void remove_marked(Core& core, const EvictionPtr& e) {
  auto op = std::make_shared<Operation>(*e->op);
  op->info.subresource.clear();
  op->info.verb = "delete";
  op->body.clear();
  op->document = Value();
  remove_with(core, std::move(op), e->options, [e](Answer<Outcome> answer) {
    if (!answer && !answer.error().is("NotFound")) return e->done(std::move(answer));
    Outcome reply = document_outcome(evicted_answer(), 201);
    if (answer) reply.revision = answer->revision;
    e->done(std::move(reply));
  });
}

void attempt(Core& core, const EvictionPtr& e) {
  const Operation& op = *e->op;
  const std::string key = object_key(*op.kind, op.info.name_space, op.info.name);
  const ObjectPtr pod = core.cache.get(key);
  if (!pod) return e->done(std::unexpected(schema::not_found("", "pods", op.info.name)));
  if (auto ok = check_preconditions(*op.kind, e->options["preconditions"], *pod); !ok) {
    return e->done(std::unexpected(std::move(ok.error())));
  }
  store::Transaction transaction;
  Value next = pod->value();
  if (auto ok = pass_budgets(core, next, transaction); !ok) {
    return e->done(std::unexpected(std::move(ok.error())));
  }
  if (op.dry_run()) {
    return e->done(document_outcome(evicted_answer(), 201));
  }
  mark_disrupted(next, core.now());
  transaction.compares.push_back({key, pod->revision()});
  transaction.puts.push_back(
      {key, std::make_shared<const std::string>(stored_bytes(std::move(next))), std::nullopt});
  commit(core, op.fence, std::move(transaction), [&core, e](Answer<Committed> committed) {
    if (!committed) return e->done(std::unexpected(std::move(committed.error())));
    if (committed->ok) {
      // What the caller has seen is what the mark was put on: the pod is one revision further.
      if (!e->options.at("preconditions", "resourceVersion").is_null()) {
        e->options.mutate("preconditions")
            .set("resourceVersion", std::to_string(committed->revision));
      }
      return remove_marked(core, e);
    }
    if (--e->races_left > 0) return attempt(core, e);
    e->done(std::unexpected(schema::too_many_requests(
        "the pod or its disruption budget keeps changing; try again", 1)));
  });
}

}  // namespace

void evict_pod(Core& core, OperationPtr op, OutcomeCallback done) {
  const schema::Kind* kind = op->kinds->by_kind("policy", "v1", "Eviction");
  if (kind == nullptr) return done(std::unexpected(schema::internal_error("no Eviction kind")));
  auto body = read_object(*op, *kind);
  if (!body) return done(std::unexpected(std::move(body.error())));
  const std::string& name = body->at("metadata", "name").as_string();
  if (!name.empty() && name != op->info.name) {
    return done(
        std::unexpected(schema::bad_request("name in URL does not match name in Eviction object")));
  }
  auto eviction = std::make_shared<Eviction>();
  eviction->options = (*body)["deleteOptions"];
  if (!eviction->options.is_object()) eviction->options = Value::object();
  if (!eviction->options["dryRun"].empty()) op->query.set("dryRun", "All");
  eviction->op = std::move(op);
  eviction->done = std::move(done);
  attempt(core, eviction);
}

}  // namespace keelway::apiserver
