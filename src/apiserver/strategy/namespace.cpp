// PUT namespaces/NAME/finalize: the namespace controller takes its finalizer out of spec.
#include "apiserver/strategy/handlers.h"
#include "apiserver/verbs/shape.h"
#include "apiserver/verbs/verbs.h"

namespace keelway::apiserver {

void finalize_namespace(Core& core, OperationPtr op, OutcomeCallback done) {
  auto body = read_object(*op, *op->kind);
  if (!body) return done(std::unexpected(std::move(body.error())));
  if (auto ok = settle_names(*op, *body); !ok) return done(std::unexpected(std::move(ok.error())));
  auto m = std::make_shared<Modification>();
  m->subresource = "finalize";
  m->transform = [body = std::move(*body)](const ObjectPtr&, const Value& old) -> Answer<Value> {
    Value next = old;
    const Value& metadata = body["metadata"];
    if (const Value* given = metadata.find("resourceVersion")) {
      next.mutate("metadata").set("resourceVersion", *given);
    }
    if (const Value* finalizers = body["spec"].find("finalizers")) {
      next.mutate("spec").set("finalizers", *finalizers);
    } else {
      next.mutate("spec").erase("finalizers");
    }
    return next;
  };
  m->op = std::move(op);
  m->done = std::move(done);
  modify(core, std::move(m));
}

}  // namespace keelway::apiserver
