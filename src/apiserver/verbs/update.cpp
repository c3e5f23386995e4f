#include "apiserver/verbs/shape.h"
#include "apiserver/verbs/verbs.h"
#include "schema/validate.h"

namespace keelway::apiserver {
namespace {

Answer<void> check_version_given(const Operation& op, const Value& body) {
  if (op.kind->unconditional_update && !op.kind->custom) return {};
  if (!body.at("metadata", "resourceVersion").as_string().empty()) return {};
  return std::unexpected(schema::invalid(
      op.kind->group, op.kind->kind, op.info.name,
      {schema::invalid_value("metadata.resourceVersion", 0, "must be specified for an update")}));
}

}  // namespace

void update(Core& core, OperationPtr op, OutcomeCallback done) {
  auto body = read_object(*op, *op->kind);
  if (!body) return done(std::unexpected(std::move(body.error())));
  if (auto ok = settle_names(*op, *body); !ok) return done(std::unexpected(std::move(ok.error())));
  auto m = std::make_shared<Modification>();
  m->subresource = op->info.subresource;
  const bool creates = op->kind->create_on_update && m->subresource.empty() &&
                       body->at("metadata", "resourceVersion").as_string().empty();
  if (creates) m->missing = [body = *body]() -> Answer<Value> { return body; };
  m->transform = [op, body = std::move(*body)](const ObjectPtr&, const Value&) -> Answer<Value> {
    if (auto ok = check_version_given(*op, body); !ok) {
      return std::unexpected(std::move(ok.error()));
    }
    return body;
  };
  m->op = std::move(op);
  m->done = std::move(done);
  modify(core, std::move(m));
}

}  // namespace keelway::apiserver
