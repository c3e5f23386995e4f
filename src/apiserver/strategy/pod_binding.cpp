// POST pods/NAME/binding and POST bindings: a pod gets its node, once.
#include <fmt/core.h>

#include "apiserver/strategy/handlers.h"
#include "apiserver/verbs/shape.h"
#include "apiserver/verbs/verbs.h"
#include "schema/validate.h"

namespace keelway::apiserver {
namespace {

Value success(int code) {
  return Value::object({{"kind", "Status"},
                        {"apiVersion", "v1"},
                        {"metadata", Value::object()},
                        {"status", "Success"},
                        {"code", code}});
}

Answer<void> check_target(const Value& binding) {
  const Value& target = binding["target"];
  schema::FieldErrors errors;
  const std::string& kind = target["kind"].as_string();
  if (!kind.empty() && kind != "Node") {
    errors.push_back(schema::not_supported("target.kind", kind, {"Node", "<empty>"}));
  }
  if (target["name"].as_string().empty()) errors.push_back(schema::required("target.name"));
  if (errors.empty()) return {};
  return std::unexpected(
      schema::invalid("", "Binding", binding.at("metadata", "name").as_string(), errors));
}

void mark_scheduled(Value& pod, base::WallTime now) {
  const Value condition = Value::object({{"type", "PodScheduled"},
                                         {"status", "True"},
                                         {"lastProbeTime", nullptr},
                                         {"lastTransitionTime", base::format_rfc3339(now)}});
  value::Array& conditions = pod.mutate("status").mutate("conditions").mutable_items();
  for (Value& existing : conditions) {
    if (existing["type"].as_string() != "PodScheduled") continue;
    if (existing["status"].as_string() == "True") return;
    existing = condition;
    return;
  }
  conditions.push_back(condition);
}

Answer<Value> bound(const Value& pod, const Value& binding, base::WallTime now) {
  const std::string& name = pod.at("metadata", "name").as_string();
  const auto refuse = [&](std::string why) {
    return std::unexpected(schema::conflict("", "pods/binding", name, why));
  };
  if (!pod["metadata"]["deletionTimestamp"].is_null()) {
    return refuse(fmt::format("pod {} is being deleted, cannot be assigned to a host", name));
  }
  const std::string& node = pod.at("spec", "nodeName").as_string();
  if (!node.empty()) {
    return refuse(fmt::format("pod {} is already assigned to node \"{}\"", name, node));
  }
  if (!pod.at("spec", "schedulingGates").empty()) {
    return refuse(fmt::format("pod {} has non-empty .spec.schedulingGates", name));
  }
  Value next = pod;
  next.mutate("metadata").erase("resourceVersion");
  next.mutate("spec").set("nodeName", binding["target"]["name"]);
  for (const char* part : {"annotations", "labels"}) {
    for (const auto& [key, text] : binding.at("metadata", part).members()) {
      next.mutate("metadata").mutate(part).set(key, text);
    }
  }
  mark_scheduled(next, now);
  return next;
}

void bind(Core& core, OperationPtr op, Value binding, OutcomeCallback done) {
  if (auto ok = check_target(binding); !ok) return done(std::unexpected(std::move(ok.error())));
  auto m = std::make_shared<Modification>();
  m->subresource = "binding";
  m->transform = [&core, op, binding = std::move(binding)](const ObjectPtr& current,
                                                           const Value& old) -> Answer<Value> {
    Value meant = Value::object();
    for (const char* field : {"uid", "resourceVersion"}) {
      if (const Value* v = binding["metadata"].find(field)) meant.set(field, *v);
    }
    if (auto ok = check_preconditions(*op->kind, meant, *current); !ok) {
      return std::unexpected(std::move(ok.error()));
    }
    return bound(old, binding, core.now());
  };
  m->op = std::move(op);
  m->done = [done = std::move(done)](Answer<Outcome> answer) mutable {
    if (!answer) return done(std::move(answer));
    Outcome reply = document_outcome(success(201), 201);
    reply.revision = answer->revision;
    done(std::move(reply));
  };
  modify(core, std::move(m));
}

}  // namespace

void bind_pod(Core& core, OperationPtr op, OutcomeCallback done) {
  const schema::Kind* kind = op->kinds->by_kind("", "v1", "Binding");
  if (kind == nullptr) return done(std::unexpected(schema::internal_error("no Binding kind")));
  auto body = read_object(*op, *kind);
  if (!body) return done(std::unexpected(std::move(body.error())));
  const std::string& name = body->at("metadata", "name").as_string();
  if (!name.empty() && name != op->info.name) {
    return done(
        std::unexpected(schema::bad_request("name in URL does not match name in Binding "
                                            "object")));
  }
  bind(core, std::move(op), std::move(*body), std::move(done));
}

void bind_by_name(Core& core, OperationPtr op, OutcomeCallback done) {
  auto body = read_object(*op, *op->kind);
  if (!body) return done(std::unexpected(std::move(body.error())));
  op->kind = op->kinds->by_resource("", "v1", "pods");
  op->info.name = body->at("metadata", "name").as_string();
  bind(core, std::move(op), std::move(*body), std::move(done));
}

}  // namespace keelway::apiserver
