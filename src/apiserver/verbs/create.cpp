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
  // What each attempt starts from; null: it is read from the operation again. A copy would make
  // the first attempt, mostly the only one, pay for what it changes.
  Value body;
  bool tracked = false;
  bool generates = false;
  int names_left = kNameAttempts;
  int races_left = kRaceAttempts;
  OutcomeCallback done;
};
using CreationPtr = std::shared_ptr<Creation>;

void attempt(Core& core, const CreationPtr& creation, Value body);
void attempt_again(Core& core, const CreationPtr& creation);

// What was committed, or why not; the document itself is not needed any more.
struct Attempt {
  std::string key, name;
  store::Bytes bytes;
};

Value named_body(Core& core, const Creation& creation) {
  Value body = creation.body;
  if (!creation.generates) return body;
  std::string name = body.at("metadata", "generateName").as_string();
  if (name.size() > kGeneratedBaseMax) name.resize(kGeneratedBaseMax);
  name += base::make_name_suffix(core.executor.random(), 5);
  body.mutate("metadata").set("name", name);
  return body;
}

schema::Status exists_status(const Creation& creation, const std::string& name) {
  schema::Status status =
      schema::already_exists(creation.op->kind->group, creation.op->kind->resource, name);
  if (creation.generates) status.retry_after_seconds = 1;
  return status;
}

void conclude(Core& core, const CreationPtr& creation, const Attempt& made,
              Answer<Committed> committed) {
  if (!committed) {
    creation->done(std::unexpected(std::move(committed.error())));
    return;
  }
  if (committed->ok) {
    creation->done(outcome(written_object(core, made.key, made.bytes, committed->revision), 201));
    return;
  }
  if (committed->lost(made.key)) {
    if (creation->generates && --creation->names_left > 0) return attempt_again(core, creation);
    creation->done(std::unexpected(exists_status(*creation, made.name)));
    return;
  }
  // The namespace changed, or somebody took the address: decide anew.
  if (--creation->races_left > 0) return attempt_again(core, creation);
  creation->done(std::unexpected(schema::modified_conflict(
      creation->op->kind->group, creation->op->kind->resource, made.name)));
}

Answer<Value> read_body(Operation& op) {
  auto body = read_object(op, *op.kind);
  if (!body) return body;
  if (auto ok = settle_names(op, *body); !ok) return std::unexpected(std::move(ok.error()));
  return body;
}

void attempt_again(Core& core, const CreationPtr& creation) {
  if (!creation->body.is_null()) return attempt(core, creation, named_body(core, *creation));
  Operation& op = *creation->op;
  const std::size_t warnings = op.warnings.size();
  auto body = read_body(op);
  op.warnings.resize(warnings);  // they have been said
  if (!body) {
    creation->done(std::unexpected(std::move(body.error())));
    return;
  }
  attempt(core, creation, std::move(*body));
}

void attempt(Core& core, const CreationPtr& creation, Value body) {
  Operation& op = *creation->op;
  const std::size_t warnings = op.warnings.size();
  auto prepared = prepare_create(core, op, std::move(body), creation->tracked);
  if (!prepared) {
    creation->done(std::unexpected(std::move(prepared.error())));
    return;
  }
  if (core.cache.get(prepared->key)) {
    if (creation->generates && --creation->names_left > 0) {
      op.warnings.resize(warnings);
      return attempt_again(core, creation);
    }
    creation->done(std::unexpected(
        exists_status(*creation, prepared->object.at("metadata", "name").as_string())));
    return;
  }
  if (op.dry_run()) {
    Outcome answer;
    answer.code = 201;
    answer.content = std::move(prepared->object);
    creation->done(std::move(answer));
    return;
  }
  expect_written(core, op, prepared->bytes, prepared->object);
  store::Transaction transaction = std::move(prepared->transaction);
  Attempt made{std::move(prepared->key), prepared->object.at("metadata", "name").as_string(),
               std::move(prepared->bytes)};
  commit(core, creation->op->fence, std::move(transaction),
         [&core, creation, made = std::move(made)](Answer<Committed> committed) {
           conclude(core, creation, made, std::move(committed));
         });
}

CreationPtr make_creation(OperationPtr op, bool tracked, OutcomeCallback done) {
  auto creation = std::make_shared<Creation>();
  creation->op = std::move(op);
  creation->tracked = tracked;
  creation->done = std::move(done);
  return creation;
}

bool generates_name(const Value& body) {
  const Value& metadata = body["metadata"];
  return metadata["name"].as_string().empty() && !metadata["generateName"].as_string().empty();
}

}  // namespace

void create_decoded(Core& core, OperationPtr op, Value body, bool tracked, OutcomeCallback done) {
  const CreationPtr creation = make_creation(std::move(op), tracked, std::move(done));
  creation->generates = generates_name(body);
  creation->body = std::move(body);
  attempt(core, creation, named_body(core, *creation));
}

void create(Core& core, OperationPtr op, OutcomeCallback done) {
  auto body = read_body(*op);
  if (!body) return done(std::unexpected(std::move(body.error())));
  if (!body->at("metadata", "resourceVersion").as_string().empty()) {
    return done(std::unexpected(
        schema::internal_error("resourceVersion should not be set on objects to be created")));
  }
  if (generates_name(*body)) {
    return create_decoded(core, std::move(op), std::move(*body), false, std::move(done));
  }
  const CreationPtr creation = make_creation(std::move(op), false, std::move(done));
  attempt(core, creation, std::move(*body));
}

}  // namespace keelway::apiserver
