#include "controllers/deployment/rollout.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/encoding.h"
#include "controllers/pod_state.h"
#include "value/json.h"

namespace keelway::controllers {
namespace {

constexpr std::string_view kDesired = "deployment.kubernetes.io/desired-replicas";
constexpr std::string_view kMax = "deployment.kubernetes.io/max-replicas";
constexpr std::string_view kRevision = "deployment.kubernetes.io/revision";
constexpr std::string_view kHash = "pod-template-hash";

std::optional<std::int64_t> read_integer(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) {
    return std::nullopt;
  }
  return number;
}

value::Value without_hash(const value::Value& pod_template) {
  value::Value bare = pod_template;
  value::Value& labels = bare.mutate("metadata").mutate("labels");
  labels.erase(kHash);
  if (labels.empty()) bare.mutate("metadata").erase("labels");
  // The server writes "creationTimestamp": null into stored templates; it says nothing.
  bare.mutate("metadata").erase("creationTimestamp");
  if (bare["metadata"].empty()) bare.erase("metadata");
  return bare;
}

Revision read_revision(const client::ObjectPtr& object) {
  Revision revision;
  revision.object = object;
  revision.document = object->value();
  const value::Value& status = revision.document["status"];
  revision.replicas = revision.document.at("spec", "replicas").as_int(1);
  revision.replicas_before = revision.replicas;
  revision.total = status["replicas"].as_int();
  revision.ready = status["readyReplicas"].as_int();
  revision.available = status["availableReplicas"].as_int();
  revision.number = read_integer(revision.annotation(kRevision)).value_or(0);
  revision.created =
      base::parse_rfc3339(revision.document.at("metadata", "creationTimestamp").as_string())
          .value_or(base::WallTime{});
  return revision;
}

void read_strategy(Rollout& rollout) {
  const value::Value& strategy = rollout.document.at("spec", "strategy");
  rollout.recreate = strategy["type"].as_string() == "Recreate";
  if (rollout.recreate) return;
  const value::Value& rolling = strategy["rollingUpdate"];
  const value::Value quarter("25%");
  const auto or_quarter = [&](const char* field) -> const value::Value& {
    return rolling.contains(field) ? rolling[field] : quarter;
  };
  rollout.surge = resolve_percent(or_quarter("maxSurge"), rollout.replicas, true);
  rollout.unavailable = resolve_percent(or_quarter("maxUnavailable"), rollout.replicas, false);
  // Both zero would never move.
  if (rollout.surge == 0 && rollout.unavailable == 0) rollout.unavailable = 1;
  rollout.unavailable = std::min(rollout.unavailable, rollout.replicas);
}

// What the set's share of `to_add` is, by its size before; upstream's rounding.
std::int64_t fraction(const Rollout& rollout, const Revision& revision) {
  if (rollout.replicas == 0) return -revision.replicas;
  const std::int64_t sized_for = read_integer(revision.annotation(kMax))
                                     .value_or(rollout.document.at("status", "replicas").as_int());
  if (sized_for <= 0) return 0;
  const double size = static_cast<double>(revision.replicas) *
                      static_cast<double>(rollout.replicas + rollout.surge) /
                      static_cast<double>(sized_for);
  return std::llround(size) - revision.replicas;
}

void shrink_unhealthy(std::vector<Revision*>& old, std::int64_t count_max) {
  std::int64_t shrunk = 0;
  for (Revision* revision : old) {
    if (shrunk >= count_max) return;
    if (revision->replicas == 0 || revision->replicas == revision->available) continue;
    const std::int64_t step = std::min(
        count_max - shrunk, std::max<std::int64_t>(revision->replicas - revision->available, 0));
    revision->replicas -= step;
    shrunk += step;
  }
}

void shrink_healthy(const Rollout& rollout, std::vector<Revision*>& old) {
  const std::int64_t spare = rollout.total_available() - (rollout.replicas - rollout.unavailable);
  std::int64_t shrunk = 0;
  for (Revision* revision : old) {
    if (shrunk >= spare) return;
    const std::int64_t step = std::min(revision->replicas, spare - shrunk);
    revision->replicas -= step;
    shrunk += step;
  }
}

}  // namespace

std::string Revision::annotation(std::string_view key) const {
  return document.at("metadata", "annotations", key).as_string();
}

std::vector<Revision*> Rollout::old() {
  std::vector<Revision*> rest;
  for (std::size_t i = 0; i < revisions.size(); ++i) {
    if (static_cast<int>(i) != current) rest.push_back(&revisions[i]);
  }
  return rest;
}

std::int64_t Rollout::total_wanted() const {
  std::int64_t sum = 0;
  for (const Revision& revision : revisions) sum += revision.replicas;
  return sum;
}

std::int64_t Rollout::total_available() const {
  std::int64_t sum = 0;
  for (const Revision& revision : revisions) sum += revision.available;
  return sum;
}

std::int64_t Rollout::highest_old_number() const {
  std::int64_t highest = 0;
  for (std::size_t i = 0; i < revisions.size(); ++i) {
    if (static_cast<int>(i) != current) highest = std::max(highest, revisions[i].number);
  }
  return highest;
}

bool Rollout::resized() const {
  return std::any_of(revisions.begin(), revisions.end(),
                     [](const Revision& revision) { return revision.resized(); });
}

Rollout read_rollout(const client::ObjectPtr& deployment,
                     const std::vector<client::ObjectPtr>& replica_sets) {
  Rollout rollout;
  rollout.object = deployment;
  rollout.document = deployment->value();
  const value::Value& spec = rollout.document["spec"];
  rollout.replicas = spec["replicas"].as_int(1);
  rollout.paused = spec["paused"].as_bool();
  const std::int64_t deadline = spec["progressDeadlineSeconds"].as_int(0);
  rollout.progress_deadline = deadline == std::numeric_limits<std::int32_t>::max() ? 0 : deadline;
  read_strategy(rollout);
  for (const client::ObjectPtr& set : replica_sets) {
    rollout.revisions.push_back(read_revision(set));
  }
  std::sort(rollout.revisions.begin(), rollout.revisions.end(),
            [](const Revision& a, const Revision& b) {
              if (a.created != b.created) return a.created < b.created;
              return a.name() < b.name();
            });
  // The oldest match: a rollback finds the set of the old template again.
  for (std::size_t i = 0; i < rollout.revisions.size() && rollout.current < 0; ++i) {
    if (same_template(rollout.revisions[i].document.at("spec", "template"), spec["template"])) {
      rollout.current = static_cast<int>(i);
    }
  }
  return rollout;
}

bool same_template(const value::Value& a, const value::Value& b) {
  return without_hash(a) == without_hash(b);
}

std::string template_hash(const value::Value& pod_template, std::int64_t collisions) {
  constexpr std::string_view kAlphabet = "bcdfghjklmnpqrstvwxz2456789";
  std::string text = value::to_json(without_hash(pod_template));
  if (collisions > 0) text += std::to_string(collisions);
  std::string hash = std::to_string(base::hash32_fnv1a(text));
  for (char& digit : hash) {
    digit = kAlphabet[static_cast<unsigned char>(digit) % kAlphabet.size()];
  }
  return hash;
}

std::int64_t next_size_of_newest(const Rollout& rollout) {
  const std::int64_t now = rollout.current < 0 ? 0 : rollout.newest()->replicas;
  if (rollout.recreate) return rollout.replicas;
  if (now >= rollout.replicas) return rollout.replicas;
  const std::int64_t room = rollout.replicas + rollout.surge - rollout.total_wanted();
  if (room <= 0) return now;
  return now + std::min(room, rollout.replicas - now);
}

void shrink_old(Rollout& rollout) {
  std::vector<Revision*> old = rollout.old();
  const std::int64_t pending =
      rollout.current < 0 ? 0 : rollout.newest()->replicas - rollout.newest()->available;
  const std::int64_t shrinkable =
      rollout.total_wanted() - (rollout.replicas - rollout.unavailable) - pending;
  if (shrinkable <= 0) return;
  shrink_unhealthy(old, shrinkable);
  shrink_healthy(rollout, old);
}

bool is_scaling(const Rollout& rollout) {
  return std::any_of(rollout.revisions.begin(), rollout.revisions.end(),
                     [&](const Revision& revision) {
                       if (revision.replicas == 0) return false;
                       const auto desired = read_integer(revision.annotation(kDesired));
                       return desired && *desired != rollout.replicas;
                     });
}

void scale_proportionally(Rollout& rollout) {
  std::vector<Revision*> active;
  for (Revision& revision : rollout.revisions) {
    if (revision.replicas > 0) active.push_back(&revision);
  }
  if (active.size() <= 1) {
    Revision* only = !active.empty()               ? active.front()
                     : rollout.newest() != nullptr ? rollout.newest()
                     : !rollout.revisions.empty()  ? &rollout.revisions.back()
                                                   : nullptr;
    if (only != nullptr) only->replicas = rollout.replicas;
    return;
  }
  if (const Revision* newest = rollout.newest();
      newest != nullptr && newest->replicas == rollout.replicas &&
      newest->available == rollout.replicas &&
      read_integer(newest->annotation(kDesired)) == rollout.replicas) {
    for (Revision* revision : rollout.old()) revision->replicas = 0;
    return;
  }
  if (rollout.recreate) return;
  const std::int64_t to_add = rollout.size_max() - rollout.total_wanted();
  // Larger sets first; among equals the newer when growing, the older when shrinking.
  std::stable_sort(active.begin(), active.end(), [&](const Revision* a, const Revision* b) {
    if (a->replicas != b->replicas) return a->replicas > b->replicas;
    return to_add > 0 ? a->created > b->created : a->created < b->created;
  });
  std::int64_t added = 0;
  for (Revision* revision : active) {
    if (to_add == 0) break;
    const std::int64_t share = fraction(rollout, *revision);
    const std::int64_t left = to_add - added;
    const std::int64_t step =
        to_add > 0 ? std::clamp<std::int64_t>(share, 0, std::max<std::int64_t>(left, 0))
                   : std::clamp<std::int64_t>(share, std::min<std::int64_t>(left, 0), 0);
    revision->replicas += step;
    added += step;
  }
  // What rounding left over goes to the largest.
  active.front()->replicas = std::max<std::int64_t>(active.front()->replicas + to_add - added, 0);
}

}  // namespace keelway::controllers
