#include "apiserver/verbs/verbs.h"

#include <fmt/core.h>

#include "apiserver/verbs/commit.h"
#include "apiserver/verbs/shape.h"

namespace keelway::apiserver {
namespace {

constexpr int kNameAttempts = 8;
constexpr int kRaceAttempts = 16;
constexpr std::size_t kGeneratedBaseMax = 58;

struct Creation {
  OperationPtr op;
  Value body;
  bool tracked = false;
  bool generates = false;
  int names_left = kNameAttempts;
  int races_left = kRaceAttempts;
  OutcomeCallback done;
};
using CreationPtr = std::shared_ptr<Creation>;

void attempt(Core& core, const CreationPtr& creation);

Value named_body(Core& core, const Creation& creation) {
  Value body = creation.body;
  if (!creation.generates) return body;
  std::string name = body.at("metadata", "generateName").as_string();
  if (name.size() > kGeneratedBaseMax) name.resize(kGeneratedBaseMax);
  name += base::make_name_suffix(core.executor.random(), 5);
  body.mutate("metadata").set("name", name);
  return body;
}

schema::Status exists_status(const Creation& creation, const Value& object) {
  schema::Status status =
      schema::already_exists(creation.op->kind->group, creation.op->kind->resource,
                             object.at("metadata", "name").as_string());
  if (creation.generates) status.retry_after_seconds = 1;
  return status;
}

void conclude(Core& core, const CreationPtr& creation, Prepared prepared,
              Answer<Committed> committed) {
  if (!committed) {
    creation->done(std::unexpected(std::move(committed.error())));
    return;
  }
  if (committed->ok) {
    creation->done(
        outcome(written_object(core, prepared.key, prepared.bytes, committed->revision), 201));
    return;
  }
  if (committed->lost(prepared.key)) {
    if (creation->generates && --creation->names_left > 0) return attempt(core, creation);
    creation->done(std::unexpected(exists_status(*creation, prepared.object)));
    return;
  }
  // The namespace changed, or somebody took the address: decide anew.
  if (--creation->races_left > 0) return attempt(core, creation);
  creation->done(std::unexpected(
      schema::modified_conflict(creation->op->kind->group, creation->op->kind->resource,
                                prepared.object.at("metadata", "name").as_string())));
}

void attempt(Core& core, const CreationPtr& creation) {
  Operation& op = *creation->op;
  const std::size_t warnings = op.warnings.size();
  auto prepared = prepare_create(core, op, named_body(core, *creation), creation->tracked);
  if (!prepared) {
    creation->done(std::unexpected(std::move(prepared.error())));
    return;
  }
  if (core.cache.get(prepared->key)) {
    if (creation->generates && --creation->names_left > 0) {
      op.warnings.resize(warnings);
      return attempt(core, creation);
    }
    creation->done(std::unexpected(exists_status(*creation, prepared->object)));
    return;
  }
  if (op.dry_run()) {
    Outcome answer;
    answer.code = 201;
    answer.content = std::move(prepared->object);
    creation->done(std::move(answer));
    return;
  }
  store::Transaction transaction = std::move(prepared->transaction);
  commit(core, creation->op->fence, std::move(transaction),
         [&core, creation, prepared = std::move(*prepared)](Answer<Committed> committed) mutable {
           conclude(core, creation, std::move(prepared), std::move(committed));
         });
}

}  // namespace

void create_decoded(Core& core, OperationPtr op, Value body, bool tracked, OutcomeCallback done) {
  auto creation = std::make_shared<Creation>();
  creation->op = std::move(op);
  creation->tracked = tracked;
  creation->generates = body.at("metadata", "name").as_string().empty() &&
                        !body.at("metadata", "generateName").as_string().empty();
  creation->body = std::move(body);
  creation->done = std::move(done);
  attempt(core, creation);
}

void create(Core& core, OperationPtr op, OutcomeCallback done) {
  auto body = read_object(*op, *op->kind);
  if (!body) return done(std::unexpected(std::move(body.error())));
  if (auto ok = settle_names(*op, *body); !ok) return done(std::unexpected(std::move(ok.error())));
  if (!body->at("metadata", "resourceVersion").as_string().empty()) {
    return done(std::unexpected(
        schema::internal_error("resourceVersion should not be set on objects to be created")));
  }
  create_decoded(core, std::move(op), std::move(*body), false, std::move(done));
}

}  // namespace keelway::apiserver
