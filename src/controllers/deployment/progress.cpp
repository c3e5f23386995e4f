#include "controllers/deployment/progress.h"

#include <algorithm>

#include "reconcile/conditions.h"

namespace keelway::controllers {
namespace {

using reconcile::find_condition;

struct Counts {
  std::int64_t total = 0, updated = 0, ready = 0, available = 0, unavailable = 0;
};

Counts count(const Rollout& rollout) {
  Counts counts;
  for (const Revision& revision : rollout.revisions) {
    counts.total += revision.total;
    counts.ready += revision.ready;
    counts.available += revision.available;
  }
  if (rollout.newest() != nullptr) counts.updated = rollout.newest()->total;
  counts.unavailable = std::max<std::int64_t>(counts.total - counts.available, 0);
  return counts;
}

void write_counts(value::Value& status, const Counts& counts, std::int64_t generation) {
  const auto set = [&](const char* field, std::int64_t amount) {
    if (amount == 0)
      status.erase(field);
    else
      status.set(field, amount);
  };
  set("replicas", counts.total);
  set("updatedReplicas", counts.updated);
  set("readyReplicas", counts.ready);
  set("availableReplicas", counts.available);
  set("unavailableReplicas", counts.unavailable);
  set("observedGeneration", generation);
}

bool has_moved(const value::Value& before, const Counts& now) {
  const std::int64_t old_before = before["replicas"].as_int() - before["updatedReplicas"].as_int();
  return now.updated > before["updatedReplicas"].as_int() || now.total - now.updated < old_before ||
         now.ready > before["readyReplicas"].as_int() ||
         now.available > before["availableReplicas"].as_int();
}

std::string subject(const Rollout& rollout) {
  if (const Revision* newest = rollout.newest()) return "ReplicaSet \"" + newest->name() + "\"";
  return "Deployment \"" + rollout.object->name() + "\"";
}

std::optional<base::Duration> left_of_deadline(const Rollout& rollout,
                                               const value::Value& progressing,
                                               base::WallTime now) {
  const auto updated = base::parse_rfc3339(progressing["lastUpdateTime"].as_string());
  if (!updated) return std::nullopt;
  return *updated + std::chrono::seconds(rollout.progress_deadline) - now;
}

void judge_progress(const Rollout& rollout, const Counts& counts, value::Value& conditions,
                    base::WallTime now, Progress& progress) {
  const value::Value before = find_condition(conditions, "Progressing");
  const std::string& reason = before["reason"].as_string();
  if (counts.total == counts.updated && reason == "NewReplicaSetAvailable") return;
  if (progress.complete) {
    set_deployment_condition(conditions, "Progressing", "True", "NewReplicaSetAvailable",
                             subject(rollout) + " has successfully progressed.", now);
    return;
  }
  if (has_moved(rollout.document["status"], counts)) {
    set_deployment_condition(conditions, "Progressing", "True", "ReplicaSetUpdated",
                             subject(rollout) + " is progressing.", now, true);
    return;
  }
  if (before.is_null() && rollout.newest() != nullptr) {
    set_deployment_condition(conditions, "Progressing", "True", "FoundNewReplicaSet",
                             "Found new replica set \"" + rollout.newest()->name() + "\"", now);
    return;
  }
  if (before.is_null() || reason == "NewReplicaSetAvailable" || rollout.paused) return;
  const std::optional<base::Duration> left = left_of_deadline(rollout, before, now);
  if (reason == "ProgressDeadlineExceeded" || (left && *left < base::Duration(0))) {
    set_deployment_condition(conditions, "Progressing", "False", "ProgressDeadlineExceeded",
                             subject(rollout) + " has timed out progressing.", now);
  }
}

void judge_failures(const Rollout& rollout, value::Value& conditions, base::WallTime now) {
  const auto failure_of = [](const Revision& revision) -> const value::Value& {
    return find_condition(revision.document.at("status", "conditions"), "ReplicaFailure");
  };
  value::Value failure;
  if (rollout.newest() != nullptr) failure = failure_of(*rollout.newest());
  for (const Revision& revision : rollout.revisions) {
    if (failure.is_null()) failure = failure_of(revision);
  }
  if (failure.is_null()) {
    reconcile::remove_condition(conditions, "ReplicaFailure");
  } else {
    set_deployment_condition(conditions, "ReplicaFailure", failure["status"].as_string(),
                             failure["reason"].as_string(), failure["message"].as_string(), now);
  }
}

}  // namespace

bool set_deployment_condition(value::Value& conditions, std::string_view type,
                              std::string_view status, std::string_view reason,
                              std::string_view message, base::WallTime now, bool refresh) {
  const value::Value old = find_condition(conditions, type);
  const bool same_status = old["status"].as_string() == status;
  if (!old.is_null() && same_status && old["reason"].as_string() == reason && !refresh)
    return false;
  const std::string at = base::format_rfc3339(now);
  value::Value next = value::Value::object({{"type", type},
                                            {"status", status},
                                            {"reason", reason},
                                            {"message", message},
                                            {"lastUpdateTime", at},
                                            {"lastTransitionTime", at}});
  if (same_status) next.set("lastTransitionTime", old["lastTransitionTime"]);
  // As upstream: a changed condition moves to the end.
  reconcile::remove_condition(conditions, type);
  conditions.push(std::move(next));
  return true;
}

Progress measure_progress(const Rollout& rollout, base::WallTime now) {
  Progress progress;
  const Counts counts = count(rollout);
  progress.status = rollout.document["status"];
  const std::int64_t generation = rollout.document.at("metadata", "generation").as_int();
  write_counts(progress.status, counts, generation);
  progress.complete = rollout.newest() != nullptr && counts.updated == rollout.replicas &&
                      counts.total == rollout.replicas && counts.available == rollout.replicas;
  value::Value conditions = progress.status["conditions"];
  const bool enough = counts.available >= rollout.replicas - rollout.unavailable;
  set_deployment_condition(conditions, "Available", enough ? "True" : "False",
                           enough ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
                           enough ? "Deployment has minimum availability."
                                  : "Deployment does not have minimum availability.",
                           now);
  if (rollout.progress_deadline > 0) {
    judge_progress(rollout, counts, conditions, now, progress);
    const value::Value& progressing = find_condition(conditions, "Progressing");
    const std::string& reason = progressing["reason"].as_string();
    if (!progress.complete && !rollout.paused && reason != "NewReplicaSetAvailable" &&
        reason != "ProgressDeadlineExceeded") {
      if (const auto left = left_of_deadline(rollout, progressing, now)) {
        // Times have whole seconds; one more is surely past the deadline.
        progress.until_deadline =
            std::max<base::Duration>(*left, base::Duration(0)) + std::chrono::seconds(1);
      }
    }
  } else {
    reconcile::remove_condition(conditions, "Progressing");
  }
  judge_failures(rollout, conditions, now);
  progress.status.set("conditions", std::move(conditions));
  return progress;
}

}  // namespace keelway::controllers
