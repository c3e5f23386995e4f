#include "apiserver/strategy/strategy.h"

#include "apiserver/fence.h"
#include "apiserver/strategy/service.h"
#include "value/json.h"

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

bool is_server(const schema::Kind& kind) {
  return is(kind, "hub.keelway.dev", "servers");
}

// A server that is registered anew has a fence of its own, and the one before falls with its
// registration.
void raise_fence(const Value& server, store::Transaction& transaction) {
  const std::string& name = server.at("metadata", "name").as_string();
  const std::string key = server_fence_key(name);
  const Value holder = Value::object({{"metadata", Value::object({{"name", name}})}});
  transaction.compares.push_back({key, 0});
  transaction.puts.push_back(
      {key, std::make_shared<const std::string>(value::to_json(holder)), std::nullopt});
}

}  // namespace

Answer<void> strategy_write(Core& core, Operation& op, Value& object, const Value* old,
                            store::Transaction& transaction) {
  const schema::Kind& kind = *op.kind;
  if (is(kind, "", "namespaces")) shape_namespace(object, old);
  if (is_server(kind) && old == nullptr) raise_fence(object, transaction);
  if (is(kind, "", "services") && op.info.subresource.empty()) {
    return allot_service(core, op, object, old, transaction);
  }
  return {};
}

void strategy_removed(Core& core, const schema::Kind& kind, const Value& old,
                      store::Transaction& transaction) {
  if (is(kind, "", "services")) free_service(core, old, transaction);
  if (is_server(kind)) {
    transaction.deletes.push_back({server_fence_key(old.at("metadata", "name").as_string())});
  }
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
