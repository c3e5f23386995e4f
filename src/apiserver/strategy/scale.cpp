// autoscaling/v1 Scale: a small view of replicas and selector of a workload or custom resource.
#include <fmt/core.h>

#include "apiserver/strategy/handlers.h"
#include "apiserver/verbs/patch_document.h"
#include "apiserver/verbs/shape.h"
#include "apiserver/verbs/verbs.h"
#include "schema/validate.h"
#include "value/path.h"
#include "value/selector.h"

namespace keelway::apiserver {
namespace {

struct Paths {
  std::string spec = ".spec.replicas", status = ".status.replicas", selector;
};

Paths paths_of(const schema::Kind& kind) {
  Paths paths;
  if (!kind.scale) return paths;
  paths.spec = kind.scale->spec_replicas_path;
  paths.status = kind.scale->status_replicas_path;
  paths.selector = kind.scale->label_selector_path;
  return paths;
}

std::int64_t number_at(const Value& object, const std::string& path) {
  const Value* found = value::find_path(object, path);
  return found != nullptr ? found->as_int(0) : 0;
}

std::string selector_of(const schema::Kind& kind, const Value& object, const Paths& paths) {
  if (kind.custom) {
    const Value* found =
        paths.selector.empty() ? nullptr : value::find_path(object, paths.selector);
    return found != nullptr ? found->as_string() : "";
  }
  const Value& selector = object.at("spec", "selector");
  if (!selector.is_object()) return "";
  const bool plain = !selector.contains("matchLabels") && !selector.contains("matchExpressions");
  if (plain) return value::LabelSelector::from_map(selector).to_string();
  auto read = value::LabelSelector::from_value(selector);
  return read ? read->to_string() : "";
}

Value scale_of(const schema::Kind& kind, const Value& object) {
  const Paths paths = paths_of(kind);
  const Value& metadata = object["metadata"];
  Value scale = Value::object({{"kind", "Scale"}, {"apiVersion", "autoscaling/v1"}});
  Value& own = scale.mutate("metadata");
  for (const char* field : {"name", "namespace", "uid", "resourceVersion", "creationTimestamp"}) {
    if (const Value* v = metadata.find(field)) own.set(field, *v);
  }
  scale.set("spec", Value::object({{"replicas", number_at(object, paths.spec)}}));
  scale.set("status", Value::object({{"replicas", number_at(object, paths.status)}}));
  const std::string selector = selector_of(kind, object, paths);
  if (!selector.empty()) scale.mutate("status").set("selector", selector);
  return scale;
}

const schema::Kind* scale_kind(const Operation& op) {
  return op.kinds->by_kind("autoscaling", "v1", "Scale");
}

// Turns the answer about the workload into one about its scale.
OutcomeCallback as_scale(OperationPtr op, OutcomeCallback done) {
  return [op = std::move(op), done = std::move(done)](Answer<Outcome> answer) mutable {
    if (!answer) return done(std::move(answer));
    Value object;
    if (const auto* stored = std::get_if<ObjectPtr>(&answer->content)) {
      object = to_served(*op->kind, (*stored)->value());
    } else {
      object = std::get<Value>(answer->content);
    }
    answer->content = scale_of(*op->kind, object);
    answer->kind = scale_kind(*op);
    done(std::move(answer));
  };
}

Answer<Value> with_replicas(const Operation& op, const Value& old, const Value& scale) {
  const std::int64_t replicas = scale.at("spec", "replicas").as_int(0);
  if (replicas < 0) {
    return std::unexpected(schema::invalid(
        "autoscaling", "Scale", op.info.name,
        {schema::invalid_value("spec.replicas", replicas, "must be greater than or equal to 0")}));
  }
  const std::string& name = scale.at("metadata", "name").as_string();
  if (!name.empty() && name != op.info.name) {
    return std::unexpected(schema::bad_request(
        fmt::format("the name of the object ({}) does not match the name on the URL ({})", name,
                    op.info.name)));
  }
  Value next = old;
  const auto path = value::Path::parse(paths_of(*op.kind).spec);
  if (!path || !path->set(next, replicas)) {
    return std::unexpected(schema::internal_error("the scale path cannot be written"));
  }
  const std::string& version = scale.at("metadata", "resourceVersion").as_string();
  if (!version.empty()) next.mutate("metadata").set("resourceVersion", version);
  return next;
}

void run(Core& core, OperationPtr op, OutcomeCallback done,
         std::function<Answer<Value>(const Value& old)> transform) {
  auto m = std::make_shared<Modification>();
  m->subresource = "scale";
  m->transform = [transform = std::move(transform)](const ObjectPtr&, const Value& old) {
    return transform(old);
  };
  m->done = as_scale(op, std::move(done));
  m->op = std::move(op);
  modify(core, std::move(m));
}

}  // namespace

void scale_get(Core& core, OperationPtr op, OutcomeCallback done) {
  auto wrapped = as_scale(op, std::move(done));
  get(core, std::move(op), std::move(wrapped));
}

void scale_update(Core& core, OperationPtr op, OutcomeCallback done) {
  const schema::Kind* kind = scale_kind(*op);
  if (kind == nullptr) return done(std::unexpected(schema::internal_error("no Scale kind")));
  auto body = read_object(*op, *kind);
  if (!body) return done(std::unexpected(std::move(body.error())));
  run(core, op, std::move(done),
      [op, body = std::move(*body)](const Value& old) { return with_replicas(*op, old, body); });
}

void scale_patch(Core& core, OperationPtr op, OutcomeCallback done) {
  const schema::Kind* kind = scale_kind(*op);
  if (kind == nullptr) return done(std::unexpected(schema::internal_error("no Scale kind")));
  auto type = read_patch_type(*op, *kind);
  if (!type) return done(std::unexpected(std::move(type.error())));
  auto patch = read_plain_body(*op);
  if (!patch) return done(std::unexpected(std::move(patch.error())));
  // Of the few fields of a Scale an applied configuration and a merge patch say the same.
  const PatchType effective = *type == PatchType::apply ? PatchType::merge : *type;
  run(core, op, std::move(done),
      [op, kind, effective, patch = std::move(*patch)](const Value& old) -> Answer<Value> {
        const Value before = scale_of(*op->kind, old);
        auto after = patched_document(*kind, effective, before, patch);
        if (!after) return after;
        return with_replicas(*op, old, *after);
      });
}

}  // namespace keelway::apiserver
