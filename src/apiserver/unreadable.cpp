#include "apiserver/unreadable.h"

#include "apiserver/verbs/commit.h"
#include "apiserver/verbs/shape.h"
#include "schema/validate.h"

namespace keelway::apiserver {
namespace {

constexpr std::string_view option_name = "ignoreStoreReadErrorWithClusterBreakingPotential";

std::string key_of(const Operation& op) {
  return object_key(*op.kind, op.info.name_space, op.info.name);
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

void remove_unreadable(Core& core, OperationPtr op, OutcomeCallback done) {
  const std::string key = key_of(*op);
  const Revision revision = core.cache.unreadable(key);
  if (revision == 0) {
    const schema::FieldErrors errors = {schema::invalid_value(
        std::string(option_name), Value(true),
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
