#include "apiserver/unreadable.h"

#include "apiserver/routing.h"
#include "apiserver/verbs/commit.h"
#include "apiserver/verbs/shape.h"
#include "schema/validate.h"

namespace keelway::apiserver {
namespace {

constexpr std::string_view option_name = "ignoreStoreReadErrorWithClusterBreakingPotential";
constexpr std::string_view verb_name = "unsafe-delete-ignore-read-errors";

std::string key_of(const Operation& op) {
  return object_key(*op.kind, op.info.name_space, op.info.name);
}

schema::FieldError refused_option(std::string why) {
  return schema::invalid_value(std::string(option_name), Value(true), std::move(why));
}

// Whoever may delete may not yet delete what admission and finalizers have no say in.
Answer<void> permitted(const Core& core, const Operation& op) {
  access::Attributes what = attributes_of(op);
  what.verb = verb_name;
  const access::Decision decision = core.authorizer.authorize(*op.who, what);
  if (decision.kind == access::Decision::Kind::allow) return {};
  std::string why = "not permitted to do \"" + std::string(verb_name) + "\", reason: ";
  return std::unexpected(
      schema::forbidden(what.group, what.resource, what.name, why + decision.reason));
}

}  // namespace

bool is_unreadable(const Core& core, const Operation& op) {
  return core.cache.unreadable(key_of(op)) != 0;
}

ObjectPtr readable(const Core& core, const Operation& op) {
  const std::string key = key_of(op);
  return core.cache.unreadable(key) != 0 ? nullptr : core.cache.get(key);
}

schema::Status absent_status(const Core& core, const Operation& op) {
  const std::string key = key_of(op);
  const Revision revision = core.cache.unreadable(key);
  if (revision == 0) return schema::not_found(op.kind->group, op.kind->resource, op.info.name);
  return schema::internal_error(
      "StorageError: corrupt object, Key: " + key +
      ", ResourceVersion: " + std::to_string(revision) +
      ", AdditionalErrorMsg: data from the storage is not transformable; restore a backup, or "
      "delete the object with the option " +
      std::string(option_name));
}

bool ignores_read_errors(const Value& delete_options) {
  const Value* wanted = delete_options.find(option_name);
  return wanted != nullptr && wanted->is_bool() && wanted->as_bool();
}

void check_ignoring_read_errors(const Value& delete_options, bool dry_run,
                                schema::FieldErrors& errors) {
  if (!ignores_read_errors(delete_options)) return;
  if (dry_run) errors.push_back(refused_option("cannot be set together with .dryRun"));
  for (const std::string_view other :
       {"propagationPolicy", "orphanDependents", "gracePeriodSeconds", "preconditions"}) {
    if (delete_options[other].is_null()) continue;
    errors.push_back(refused_option("cannot be set together with ." + std::string(other)));
  }
}

Answer<void> check_collection_options(const Value& delete_options) {
  if (!ignores_read_errors(delete_options)) return {};
  const schema::FieldErrors errors = {
      refused_option("is not allowed with DELETECOLLECTION, try again after removing the option")};
  return std::unexpected(schema::invalid("meta.k8s.io", "DeleteOptions", "", errors));
}

void remove_unreadable(Core& core, OperationPtr op, OutcomeCallback done) {
  if (auto may = permitted(core, *op); !may) return done(std::unexpected(std::move(may.error())));
  const std::string key = key_of(*op);
  const Revision revision = core.cache.unreadable(key);
  if (revision == 0) {
    const schema::FieldErrors errors = {refused_option(
        "is exclusively used to delete corrupt object(s), try again by removing this option")};
    return done(
        std::unexpected(schema::invalid(op->kind->group, op->kind->kind, op->info.name, errors)));
  }
  store::Transaction transaction;
  transaction.compares.push_back({key, revision});
  transaction.deletes.push_back({key});
  const FencePtr fence = op->fence;
  commit(core, fence, std::move(transaction),
         [op = std::move(op), done = std::move(done)](Answer<Committed> committed) mutable {
           if (!committed) return done(std::unexpected(std::move(committed.error())));
           if (!committed->ok) {
             return done(std::unexpected(
                 schema::modified_conflict(op->kind->group, op->kind->resource, op->info.name)));
           }
           Outcome answer;
           answer.content = Value::object({{"kind", "Status"},
                                           {"apiVersion", "v1"},
                                           {"metadata", Value::object()},
                                           {"status", "Success"}});
           answer.revision = committed->revision;
           done(std::move(answer));
         });
}

}  // namespace keelway::apiserver
