#include <algorithm>

#include "apiserver/strategy/strategy.h"
#include "apiserver/unreadable.h"
#include "apiserver/verbs/commit.h"
#include "apiserver/verbs/shape.h"
#include "apiserver/verbs/verbs.h"
#include "schema/validate.h"

namespace keelway::apiserver {
namespace {

constexpr int kRaceAttempts = 16;
constexpr std::int64_t kPodGraceSeconds = 30;

struct Removal {
  OperationPtr op;
  Value options;
  int races_left = kRaceAttempts;
  OutcomeCallback done;
};
using RemovalPtr = std::shared_ptr<Removal>;

// What one look at the object decides.
struct Verdict {
  enum class Kind { keep, mark, erase } kind = Kind::keep;
  Value object;  // mark: as it will be; served version
};

bool is_core(const schema::Kind& kind, std::string_view resource) {
  return kind.group.empty() && kind.resource == resource;
}

// Seconds that the object may go on, or nullopt where it is deleting already and may keep to that.
std::optional<std::int64_t> grace_of(const schema::Kind& kind, const Value& object,
                                     const Value& options) {
  if (!is_core(kind, "pods")) return 0;
  std::int64_t grace = object.at("spec", "terminationGracePeriodSeconds").as_int(kPodGraceSeconds);
  const Value* wanted = options.find("gracePeriodSeconds");
  if (wanted != nullptr && wanted->is_int()) grace = wanted->as_int();
  if (grace < 0) grace = 1;
  const std::string& phase = object.at("status", "phase").as_string();
  const bool bound = !object.at("spec", "nodeName").as_string().empty();
  if (!bound || phase == "Succeeded" || phase == "Failed") grace = 0;
  if (!object["metadata"]["deletionTimestamp"].is_null()) {
    const std::int64_t before = object["metadata"]["deletionGracePeriodSeconds"].as_int(0);
    if (before == 0) return 0;  // at once, and never later than that
    if (grace >= before || wanted == nullptr) return std::nullopt;
  }
  return grace;
}

bool has_finalizer(const Value& metadata, std::string_view name) {
  for (const Value& item : metadata["finalizers"].items()) {
    if (item.as_string() == name) return true;
  }
  return false;
}

void set_finalizer(Value& metadata, const std::string& name, bool wanted) {
  if (wanted == has_finalizer(metadata, name)) return;
  if (wanted) {
    metadata.mutate("finalizers").push(name);
    return;
  }
  value::Array kept;
  for (const Value& item : metadata["finalizers"].items()) {
    if (item.as_string() != name) kept.push_back(item);
  }
  if (kept.empty())
    metadata.erase("finalizers");
  else
    metadata.set("finalizers", Value(std::move(kept)));
}

std::string propagation_of(const schema::Kind& kind, const Value& options) {
  if (const Value* orphans = options.find("orphanDependents"); orphans && orphans->is_bool()) {
    return orphans->as_bool() ? "Orphan" : "Background";
  }
  const std::string& policy = options["propagationPolicy"].as_string();
  if (!policy.empty()) return policy;
  const bool orphans_by_default =
      is_core(kind, "replicationcontrollers") || (kind.group == "batch" && kind.resource == "jobs");
  return orphans_by_default ? "Orphan" : "";
}

void apply_propagation(const schema::Kind& kind, const Value& options, Value& metadata) {
  const std::string policy = propagation_of(kind, options);
  if (policy.empty()) return;
  set_finalizer(metadata, "orphan", policy == "Orphan");
  set_finalizer(metadata, "foregroundDeletion", policy == "Foreground");
}

Verdict judge(const schema::Kind& kind, const Value& current, const Value& options,
              base::WallTime now) {
  Value object = current;
  Value& metadata = object.mutate("metadata");
  const bool deleting = !metadata["deletionTimestamp"].is_null();
  const auto grace = grace_of(kind, current, options);
  if (!grace) return {};
  apply_propagation(kind, options, metadata);
  if (kind.group == "apiextensions.k8s.io" && kind.resource == "customresourcedefinitions" &&
      !deleting) {
    set_finalizer(metadata, "customresourcecleanup.apiextensions.k8s.io", true);
  }
  const bool held = !metadata["finalizers"].empty() ||
                    (is_core(kind, "namespaces") && !object.at("spec", "finalizers").empty());
  if (!held && *grace == 0) return {Verdict::Kind::erase, {}};
  if (!deleting || metadata["deletionGracePeriodSeconds"].as_int(0) != *grace) {
    metadata.set("deletionTimestamp", base::format_rfc3339(now + std::chrono::seconds(*grace)));
    metadata.set("deletionGracePeriodSeconds", *grace);
  }
  if (!deleting) {
    if (kind.has_generation) {
      metadata.set("generation", metadata["generation"].as_int(1) + 1);
    }
    strategy_deleting(kind, object, now);
  }
  if (same_object(object, current)) return {};
  return {Verdict::Kind::mark, std::move(object)};
}

Value success_status(const schema::Kind& kind, const schema::Object& object) {
  Value details = Value::object(
      {{"name", object.name()}, {"kind", std::string(kind.resource)}, {"uid", object.uid()}});
  if (!kind.group.empty()) details.set("group", std::string(kind.group));
  return Value::object({{"kind", "Status"},
                        {"apiVersion", "v1"},
                        {"metadata", Value::object()},
                        {"status", "Success"},
                        {"details", std::move(details)}});
}

void answer_erased(const RemovalPtr& r, const ObjectPtr& current, Revision revision) {
  const schema::Kind& kind = *r->op->kind;
  Outcome answer;
  if (kind.returns_deleted) {
    Value object = to_served(kind, current->value());
    if (revision > 0) {
      object.mutate("metadata").set("resourceVersion", std::to_string(revision));
    }
    answer.content = std::move(object);
  } else {
    answer = document_outcome(success_status(kind, *current));
  }
  answer.revision = revision;
  r->done(std::move(answer));
}

void answer_pending(const RemovalPtr& r, Outcome answer) {
  const Value* orphans = r->options.find("orphanDependents");
  if (orphans != nullptr && orphans->is_bool() && !orphans->as_bool()) answer.code = 202;
  r->done(std::move(answer));
}

void attempt(Core& core, const RemovalPtr& r);

void conclude(Core& core, const RemovalPtr& r, const ObjectPtr& current, const std::string& key,
              const store::Bytes& bytes, Answer<Committed> committed) {
  if (!committed) return r->done(std::unexpected(std::move(committed.error())));
  if (!committed->ok) {
    if (--r->races_left > 0) return attempt(core, r);
    return r->done(std::unexpected(
        schema::modified_conflict(r->op->kind->group, r->op->kind->resource, current->name())));
  }
  if (!bytes) return answer_erased(r, current, committed->revision);
  answer_pending(r, outcome(written_object(core, key, bytes, committed->revision)));
}

Answer<Value> permitted(Core& core, const RemovalPtr& r, const ObjectPtr& current) {
  const schema::Kind& kind = *r->op->kind;
  auto meant = check_preconditions(kind, r->options["preconditions"], *current);
  if (!meant) return std::unexpected(std::move(meant.error()));
  Value old = to_served(kind, current->value());
  Value nothing;
  auto admitted = admit(core, *r->op, admission::Operation::remove, "", nothing, &old);
  if (!admitted) return std::unexpected(std::move(admitted.error()));
  return old;
}

void attempt(Core& core, const RemovalPtr& r) {
  const schema::Kind& kind = *r->op->kind;
  const std::string key = object_key(kind, r->op->info.name_space, r->op->info.name);
  const ObjectPtr current = readable(core, *r->op);
  if (!current) return r->done(std::unexpected(absent_status(core, *r->op)));
  auto old = permitted(core, r, current);
  if (!old) return r->done(std::unexpected(std::move(old.error())));
  Verdict verdict = judge(kind, *old, r->options, core.now());
  if (verdict.kind == Verdict::Kind::keep) return answer_pending(r, outcome(current));
  if (r->op->dry_run()) {
    if (verdict.kind == Verdict::Kind::erase) return answer_erased(r, current, 0);
    Outcome answer;
    answer.content = std::move(verdict.object);
    return answer_pending(r, std::move(answer));
  }
  store::Transaction transaction;
  transaction.compares.push_back({key, current->revision()});
  store::Bytes bytes;
  if (verdict.kind == Verdict::Kind::erase) {
    transaction.deletes.push_back({key});
    strategy_removed(core, kind, *old, transaction);
  } else {
    bytes = std::make_shared<const std::string>(
        stored_bytes(to_stored(kind, std::move(verdict.object))));
    transaction.puts.push_back({key, bytes, strategy_time_to_live(kind)});
  }
  commit(core, r->op->fence, std::move(transaction),
         [&core, r, current, key, bytes](Answer<Committed> committed) {
           conclude(core, r, current, key, bytes, std::move(committed));
         });
}

Answer<void> check_options(const Value& options, bool dry_run) {
  const std::string& policy = options["propagationPolicy"].as_string();
  schema::FieldErrors errors;
  if (!policy.empty() && options.contains("orphanDependents")) {
    errors.push_back(
        schema::invalid_value("propagationPolicy", policy,
                              "orphanDependents and deletionPropagation cannot be both set"));
  } else if (!policy.empty() && policy != "Orphan" && policy != "Background" &&
             policy != "Foreground") {
    errors.push_back(
        schema::not_supported("propagationPolicy", policy, {"Background", "Foreground", "Orphan"}));
  }
  check_ignoring_read_errors(options, dry_run, errors);
  if (errors.empty()) return {};
  return std::unexpected(schema::invalid("meta.k8s.io", "DeleteOptions", "", errors));
}

}  // namespace

void remove_with(Core& core, OperationPtr op, Value options, OutcomeCallback done) {
  if (auto ok = check_options(options, op->dry_run()); !ok) {
    return done(std::unexpected(std::move(ok.error())));
  }
  if (ignores_read_errors(options)) return remove_unreadable(core, std::move(op), std::move(done));
  auto removal = std::make_shared<Removal>();
  removal->op = std::move(op);
  removal->options = std::move(options);
  removal->done = std::move(done);
  attempt(core, removal);
}

void remove(Core& core, OperationPtr op, OutcomeCallback done) {
  auto options = read_delete_options(*op);
  if (!options) return done(std::unexpected(std::move(options.error())));
  remove_with(core, std::move(op), std::move(*options), std::move(done));
}

}  // namespace keelway::apiserver
