#include "apiserver/routing.h"
#include "apiserver/unreadable.h"
#include "apiserver/verbs/commit.h"
#include "apiserver/verbs/shape.h"
#include "apiserver/verbs/verbs.h"

namespace keelway::apiserver {
namespace {

using ModificationPtr = std::shared_ptr<Modification>;

void fail(const ModificationPtr& m, schema::Status status) {
  m->done(std::unexpected(std::move(status)));
}

void create_missing(Core& core, const ModificationPtr& m) {
  if (!m->missing || is_unreadable(core, *m->op)) return fail(m, absent_status(core, *m->op));
  // Whoever may change what is there may not yet bring it into being.
  access::Attributes creation = attributes_of(*m->op);
  creation.verb = "create";
  if (auto allowed = access::require(core.authorizer, *m->op->who, creation); !allowed) {
    return fail(m, std::move(allowed.error()));
  }
  auto body = m->missing();
  if (!body) return fail(m, std::move(body.error()));
  create_decoded(core, m->op, std::move(*body), m->tracked, std::move(m->done));
}

void conclude(Core& core, const ModificationPtr& m, const ObjectPtr& current, Prepared prepared,
              Answer<Committed> committed) {
  if (!committed) return fail(m, std::move(committed.error()));
  if (committed->ok) {
    if (prepared.bytes) {
      m->done(outcome(written_object(core, prepared.key, prepared.bytes, committed->revision)));
      return;
    }
    // The write was the object's end: its last state at the revision of the removal.
    Outcome answer;
    prepared.object.mutate("metadata").set("resourceVersion", std::to_string(committed->revision));
    answer.content = std::move(prepared.object);
    answer.revision = committed->revision;
    m->done(std::move(answer));
    return;
  }
  if (--m->attempts_left > 0) return modify(core, m);
  fail(m, schema::modified_conflict(m->op->kind->group, m->op->kind->resource, current->name()));
}

Answer<Prepared> prepare(Core& core, const ModificationPtr& m, const ObjectPtr& current) {
  Operation& op = *m->op;
  const Value old = to_served(*op.kind, current->value());
  auto next = m->transform(current, old);
  if (!next) return std::unexpected(std::move(next.error()));
  const std::string& given = next->at("metadata", "resourceVersion").as_string();
  if (!given.empty() && given != std::to_string(current->revision())) {
    return std::unexpected(
        schema::modified_conflict(op.kind->group, op.kind->resource, current->name()));
  }
  const std::string& uid = next->at("metadata", "uid").as_string();
  if (!uid.empty() && uid != current->uid()) {
    const Value meant = Value::object({{"uid", uid}});
    return std::unexpected(check_preconditions(*op.kind, meant, *current).error());
  }
  return prepare_update(core, op, {current, old, std::move(*next), m->subresource, m->tracked});
}

}  // namespace

void modify(Core& core, ModificationPtr m) {
  Operation& op = *m->op;
  const ObjectPtr current = readable(core, op);
  if (!current) return create_missing(core, m);
  auto prepared = prepare(core, m, current);
  if (prepared && m->beside && !prepared->unchanged) {
    if (auto ok = m->beside(prepared->transaction); !ok) return fail(m, std::move(ok.error()));
  }
  if (!prepared) return fail(m, std::move(prepared.error()));
  if (prepared->unchanged) return m->done(outcome(current));
  if (op.dry_run()) {
    Outcome answer;
    prepared->object.mutate("metadata").set("resourceVersion", std::to_string(current->revision()));
    answer.content = std::move(prepared->object);
    return m->done(std::move(answer));
  }
  expect_written(core, op, prepared->bytes, prepared->object);
  store::Transaction transaction = std::move(prepared->transaction);
  commit(core, op.fence, std::move(transaction),
         [&core, m, current, prepared = std::move(*prepared)](Answer<Committed> c) mutable {
           conclude(core, m, current, std::move(prepared), std::move(c));
         });
}

}  // namespace keelway::apiserver
