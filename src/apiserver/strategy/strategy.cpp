#include "apiserver/strategy/strategy.h"

#include "apiserver/strategy/service.h"

namespace keelway::apiserver {
namespace {

constexpr auto kEventLife = std::chrono::hours(1);

bool is(const schema::Kind& kind, std::string_view group, std::string_view resource) {
  return kind.group == group && kind.resource == resource;
}

void set_condition(Value& object, Value condition) {
  Value& status = object.mutate("status");
  value::Array& conditions = status.mutate("conditions").mutable_items();
  for (Value& existing : conditions) {
    if (existing["type"].as_string() != condition["type"].as_string()) continue;
    existing = std::move(condition);
    return;
  }
  conditions.push_back(std::move(condition));
}

// A namespace carries its name as a label and waits for its content's end.
void shape_namespace(Value& object, const Value* old) {
  Value& metadata = object.mutate("metadata");
  const std::string name = metadata["name"].as_string();
  if (!name.empty()) metadata.mutate("labels").set("kubernetes.io/metadata.name", name);
  if (old == nullptr) {
    Value& finalizers = object.mutate("spec").mutate("finalizers");
    bool found = false;
    for (const Value& item : finalizers.items()) found = found || item.as_string() == "kubernetes";
    if (!found) finalizers.push("kubernetes");
    object.mutate("status").set("phase", "Active");
  }
}

}  // namespace

Answer<void> strategy_write(Core& core, Operation& op, Value& object, const Value* old,
                            store::Transaction& transaction) {
  const schema::Kind& kind = *op.kind;
  if (is(kind, "", "namespaces")) shape_namespace(object, old);
  if (is(kind, "", "services") && op.info.subresource.empty()) {
    return allot_service(core, op, object, old, transaction);
  }
  return {};
}

void strategy_removed(Core& core, const schema::Kind& kind, const Value& old,
                      store::Transaction& transaction) {
  if (is(kind, "", "services")) free_service(core, old, transaction);
}

std::optional<base::Duration> strategy_time_to_live(const schema::Kind& kind) {
  if (kind.resource == "events" && (kind.group.empty() || kind.group == "events.k8s.io")) {
    return kEventLife;
  }
  return std::nullopt;
}

void strategy_deleting(const schema::Kind& kind, Value& object, base::WallTime now) {
  if (is(kind, "", "namespaces")) object.mutate("status").set("phase", "Terminating");
  if (is(kind, "apiextensions.k8s.io", "customresourcedefinitions")) {
    set_condition(object,
                  Value::object({{"type", "Terminating"},
                                 {"status", "True"},
                                 {"lastTransitionTime", base::format_rfc3339(now)},
                                 {"reason", "InstanceDeletionPending"},
                                 {"message", "CustomResource instances are to be deleted"}}));
  }
}

}  // namespace keelway::apiserver
