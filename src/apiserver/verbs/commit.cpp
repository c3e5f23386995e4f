#include "apiserver/verbs/commit.h"

#include "apiserver/strategy/strategy.h"
#include "apiserver/verbs/shape.h"
#include "schema/defaults.h"
#include "schema/managed_fields.h"
#include "schema/sharing.h"
#include "schema/validate.h"
#include "watch/keys.h"

namespace keelway::apiserver {
namespace {

constexpr auto kCacheWait = std::chrono::seconds(30);

schema::ManagerContext manager_context(Core& core, const Operation& op, std::string subresource) {
  return {op.field_manager(), std::move(subresource), core.now()};
}

// The namespace must still be as admission saw it.
void compare_namespace(Core& core, const Operation& op, store::Transaction& transaction) {
  if (!op.kind->namespaced) return;
  const std::string key = watch::store_key("", "namespaces", "", op.info.name_space);
  if (const ObjectPtr found = core.cache.get(key)) {
    transaction.compares.push_back({key, found->revision()});
  }
}

Answer<void> check_escalation(Core& core, const Operation& op, const Value& object,
                              const Value* old) {
  if (op.kind->group != "rbac.authorization.k8s.io") return {};
  return core.rbac.check_escalation(*op.who, resource_of(*op.kind), object, old, core.authorizer);
}

Answer<void> check_valid(const schema::Kind& kind, const Value& object, const Value* old) {
  const schema::FieldErrors errors = schema::validate(kind, object, old);
  if (errors.empty()) return {};
  return std::unexpected(
      schema::invalid(kind.group, kind.kind, object.at("metadata", "name").as_string(), errors));
}

// Subresources that change what the main resource may not are held only against the rules of a
// whole object.
bool changes_the_fixed(std::string_view subresource) {
  return subresource == "binding" || subresource == "ephemeralcontainers" ||
         subresource == "resize";
}

bool waits_for_nothing(const schema::Kind& kind, const Value& object) {
  const Value& metadata = object["metadata"];
  if (metadata["deletionTimestamp"].is_null()) return false;
  if (!metadata["finalizers"].empty()) return false;
  if (kind.group.empty() && kind.resource == "namespaces") {
    return object.at("spec", "finalizers").empty();
  }
  return metadata["deletionGracePeriodSeconds"].as_int(0) == 0;
}

bool fell(Core& core, const Fence& fence) {
  const ObjectPtr standing = core.cache.get(fence.key);
  return !standing || standing->revision() != fence.revision;
}

schema::Status fenced_off() {
  return schema::service_unavailable(
      "this server no longer runs these loops: another has taken them, or its lease has ended");
}

using CommitCallback = std::move_only_function<void(Answer<Committed>)>;

// The cache shows the outcome.
void tell(Core& core, const Fence* fence, Committed committed, CommitCallback& done) {
  if (!committed.ok && fence != nullptr && fell(core, *fence)) {
    core.executor.reached("apiserver.fence_refused");
    return done(std::unexpected(fenced_off()));
  }
  done(std::move(committed));
}

// What admission changes is defaulted again.
Answer<void> admit_update(Core& core, const Operation& op, const UpdateSubject& subject,
                          Value& object) {
  const Value offered = object;
  auto admitted =
      admit(core, op, admission::Operation::update, subject.subresource, object, &subject.old);
  if (admitted && !schema::is_same(object, offered)) schema::apply_defaults(*op.kind, object);
  return admitted;
}

// Ends an update: bytes or removal.
void finish_update(Core& core, Operation& op, const UpdateSubject& subject, Prepared& prepared) {
  if (waits_for_nothing(*op.kind, prepared.object)) {
    // What the update would have written beside the object goes or stays with it.
    prepared.transaction.puts.clear();
    prepared.transaction.deletes.clear();
    prepared.transaction.deletes.push_back({prepared.key});
    strategy_removed(core, *op.kind, subject.old, prepared.transaction);
    return;
  }
  prepared.unchanged = same_object(prepared.object, subject.old);
  if (prepared.unchanged) {
    prepared.transaction = {};
    return;
  }
  prepared.bytes =
      std::make_shared<const std::string>(stored_bytes(to_stored(*op.kind, prepared.object)));
  prepared.transaction.puts.push_back(
      {prepared.key, prepared.bytes, strategy_time_to_live(*op.kind)});
}

}  // namespace

client::Resource resource_of(const schema::Kind& kind) {
  return {std::string(kind.group), std::string(kind.version), std::string(kind.resource),
          std::string(kind.kind), kind.namespaced};
}

schema::Status status_of(const base::Error& error) {
  switch (error.code) {
    case base::ErrorCode::invalid:
      return schema::bad_request(error.message);
    case base::ErrorCode::exhausted:
      return schema::request_too_large(error.message);
    case base::ErrorCode::expired:
      return schema::expired(error.message);
    case base::ErrorCode::unavailable:
    case base::ErrorCode::cancelled:
      return schema::service_unavailable(error.message);
    default:
      return schema::internal_error(error.message);
  }
}

bool Committed::lost(std::string_view key) const {
  for (const store::Entry& entry : conflicts) {
    if (entry.key == key) return true;
  }
  return false;
}

void commit(Core& core, FencePtr fence, store::Transaction transaction,
            std::move_only_function<void(Answer<Committed>)> done) {
  if (fence) transaction.compares.push_back({fence->key, fence->revision});
  core.keyspace.transact(
      std::move(transaction), [&core, fence = std::move(fence), done = std::move(done)](
                                  base::Result<store::TransactionResult> result) mutable {
        if (!result) {
          done(std::unexpected(status_of(result.error())));
          return;
        }
        Committed committed{result->committed, result->revision, std::move(result->conflicts)};
        // Mostly the events come first, and there is nothing to wait for.
        if (committed.revision <= core.cache.revision()) {
          return tell(core, fence.get(), std::move(committed), done);
        }
        core.cache.wait_for(committed.revision, kCacheWait,
                            [&core, fence = std::move(fence), committed = std::move(committed),
                             done = std::move(done)](bool) mutable {
                              tell(core, fence.get(), std::move(committed), done);
                            });
      });
}

void expect_written(Core& core, const Operation& op, const store::Bytes& bytes,
                    const Value& object) {
  const bool is_read = !strategy_time_to_live(*op.kind);  // events are for people
  if (bytes && is_read && op.document && served_as_stored(*op.kind)) {
    core.cache.expect(bytes, object);
  }
}

ObjectPtr written_object(Core& core, const std::string& key, const store::Bytes& bytes,
                         Revision revision) {
  ObjectPtr object = core.cache.get(key);
  if (object && object->revision() == revision) return object;
  return schema::Object::parse(bytes, revision);
}

Answer<void> admit(Core& core, const Operation& op, admission::Operation operation,
                   const std::string& subresource, Value& object, const Value* old) {
  admission::Request request;
  request.operation = operation;
  request.resource = resource_of(*op.kind);
  request.subresource = subresource;
  request.name_space = op.info.name_space;
  request.name = op.info.name.empty() ? object.at("metadata", "name").as_string() : op.info.name;
  request.object = std::move(object);
  request.old = old;
  request.identity = op.who.get();
  request.dry_run = op.dry_run();
  const admission::Context context{core.view, core.executor.random(), core.now()};
  auto admitted = core.admission.admit(request, context);
  object = std::move(request.object);
  return admitted;
}

Answer<Prepared> prepare_create(Core& core, Operation& op, Value object, bool tracked) {
  const schema::Kind& kind = *op.kind;
  start_life(kind, object, core.executor.random(), core.now());
  schema::apply_defaults(kind, object);
  if (kind.hooks != nullptr && kind.hooks->prepare != nullptr) {
    kind.hooks->prepare(kind, object, nullptr);
  }
  if (!tracked) {
    object = schema::track_update(kind, nullptr, std::move(object), manager_context(core, op, ""));
  }
  if (auto ok = admit(core, op, admission::Operation::create, "", object, nullptr); !ok) {
    return std::unexpected(std::move(ok.error()));
  }
  schema::apply_defaults(kind, object);
  Prepared prepared;
  if (auto ok = strategy_write(core, op, object, nullptr, prepared.transaction); !ok) {
    return std::unexpected(std::move(ok.error()));
  }
  if (auto ok = check_valid(kind, object, nullptr); !ok) {
    return std::unexpected(std::move(ok.error()));
  }
  if (auto ok = check_escalation(core, op, object, nullptr); !ok) {
    return std::unexpected(std::move(ok.error()));
  }
  const Value& metadata = object["metadata"];
  prepared.key = object_key(kind, metadata["namespace"].as_string(), metadata["name"].as_string());
  prepared.bytes = std::make_shared<const std::string>(stored_bytes(to_stored(kind, object)));
  prepared.transaction.compares.push_back({prepared.key, 0});
  compare_namespace(core, op, prepared.transaction);
  prepared.transaction.puts.push_back({prepared.key, prepared.bytes, strategy_time_to_live(kind)});
  prepared.object = std::move(object);
  return prepared;
}

Answer<Prepared> prepare_update(Core& core, Operation& op, UpdateSubject subject) {
  const schema::Kind& kind = *op.kind;
  Prepared prepared;
  Value object = std::move(subject.next);
  schema::apply_defaults(kind, object, &subject.old);
  carry_metadata(object, subject.old);
  object = isolate(kind, subject.subresource, std::move(object), subject.old);
  if (kind.hooks != nullptr && kind.hooks->prepare != nullptr && subject.subresource.empty()) {
    kind.hooks->prepare(kind, object, &subject.old);
  }
  if (!subject.tracked) {
    object = schema::track_update(kind, &subject.old, std::move(object),
                                  manager_context(core, op, subject.subresource));
  }
  if (auto ok = admit_update(core, op, subject, object); !ok) {
    return std::unexpected(std::move(ok.error()));
  }
  if (auto ok = strategy_write(core, op, object, &subject.old, prepared.transaction); !ok) {
    return std::unexpected(std::move(ok.error()));
  }
  count_generation(kind, object, subject.old);
  const Value* before = changes_the_fixed(subject.subresource) ? nullptr : &subject.old;
  if (auto ok = check_valid(kind, object, before); !ok) {
    return std::unexpected(std::move(ok.error()));
  }
  if (auto ok = check_escalation(core, op, object, &subject.old); !ok) {
    return std::unexpected(std::move(ok.error()));
  }
  prepared.key = object_key(kind, subject.current->name_space(), subject.current->name());
  prepared.object = std::move(object);
  prepared.transaction.compares.push_back({prepared.key, subject.current->revision()});
  finish_update(core, op, subject, prepared);
  return prepared;
}

}  // namespace keelway::apiserver
