#include "client/resources.h"
#include "placement/resources.h"
#include "provisioner/loops.h"
#include "provisioner/names.h"
#include "provisioner/node_pool.h"
#include "reconcile/conditions.h"

namespace keelway::provisioner {
namespace {

namespace resources = client::resources;
using client::ObjectPtr;
using client::View;
using reconcile::Key;
using reconcile::Plan;
using value::Value;

bool is_node_class(const client::Resource& resource) {
  return resource == resources::ec2_node_classes || resource == resources::node_classes;
}

ObjectPtr class_of(const NodePool& pool, const View& view) {
  for (const client::Resource& resource : {resources::ec2_node_classes, resources::node_classes}) {
    if (pool.node_class.kind == resource.kind && pool.node_class.group == resource.group) {
      return view.get(resource, "", pool.node_class.name);
    }
  }
  return nullptr;
}

class PoolLoop final : public reconcile::KeyedLoop {
 public:
  std::string_view name() const override { return "nodepool"; }

  std::vector<client::Resource> watches() const override {
    return {resources::node_pools, resources::node_claims, resources::ec2_node_classes,
            resources::node_classes};
  }

  void keys_of(const client::Change& change, const View& view,
               std::vector<Key>& keys) const override {
    const ObjectPtr& object = change.object ? change.object : change.previous;
    if (change.resource == resources::node_pools) keys.push_back({"", object->name(), ""});
    if (change.resource == resources::node_claims) {
      if (const auto pool = object->label(pool_label); !pool.empty()) {
        keys.push_back({"", std::string(pool), ""});
      }
    }
    if (!is_node_class(change.resource)) return;
    for (const ObjectPtr& pool : view.list(resources::node_pools)) {
      keys.push_back({"", pool->name(), ""});
    }
  }

  Plan plan(const View& view, const Key& key, base::WallTime now, reconcile::Seed) const override {
    const ObjectPtr object = view.get(resources::node_pools, "", key.name);
    if (!object) return {};
    const NodePool pool = read_node_pool(*object);
    const Value document = object->value();
    Value status = document["status"].is_object() ? document["status"] : Value::object();
    Value conditions = status["conditions"].is_array() ? status["conditions"] : Value::array();
    judge(pool, view, conditions, now);
    count(pool, view, status);
    status.set("conditions", std::move(conditions));
    if (status == document["status"]) return {};
    Value changed = document;
    changed.set("status", std::move(status));
    return {
        {{client::update_call(resources::node_pools, std::move(changed), "status"), {"NotFound"}}},
        reconcile::Done{}};
  }

 private:
  static void judge(const NodePool& pool, const View& view, Value& conditions, base::WallTime now) {
    const bool valid = !pool.requirements.is_contradiction();
    reconcile::set_condition(
        conditions,
        {"ValidationSucceeded", valid ? "True" : "False",
         valid ? "ValidationSucceeded" : "NodePoolValidationFailed",
         valid ? "" : "no node can satisfy requirements that contradict each other"},
        now);
    const ObjectPtr node_class = class_of(pool, view);
    const bool class_ready =
        node_class &&
        reconcile::is_condition_true(node_class->value().at("status", "conditions"), "Ready");
    reconcile::set_condition(
        conditions,
        {"NodeClassReady", class_ready ? "True" : "False",
         class_ready ? "NodeClassReady" : (node_class ? "NodeClassNotReady" : "NodeClassNotFound"),
         class_ready ? ""
                     : (node_class ? "NodeClass is not ready"
                                   : "NodeClass not found on "
                                     "cluster")},
        now);
    const bool ready = valid && class_ready;
    reconcile::set_condition(
        conditions,
        {"Ready", ready ? "True" : "False", ready ? "Ready" : "UnhealthyDependents",
         ready ? "" : (valid ? "NodeClassReady=False" : "ValidationSucceeded=False")},
        now);
  }

  static void count(const NodePool& pool, const View& view, Value& status) {
    placement::ResourceList sum;
    std::int64_t nodes = 0;
    for (const ObjectPtr& claim : view.list(resources::node_claims)) {
      if (claim->label(pool_label) != pool.name) continue;
      ++nodes;
      sum.add(placement::ResourceList::read(claim->value().at("status", "capacity")));
    }
    Value amounts = sum.to_value();
    amounts.set("nodes", std::to_string(nodes));
    status.set("resources", std::move(amounts));
    status.set("nodes", nodes);
  }
};

class NodeClassLoop final : public reconcile::KeyedLoop {
 public:
  std::string_view name() const override { return "nodeclass"; }

  std::vector<client::Resource> watches() const override {
    return {resources::ec2_node_classes, resources::node_classes};
  }

  void keys_of(const client::Change& change, const View&, std::vector<Key>& keys) const override {
    const ObjectPtr& object = change.object ? change.object : change.previous;
    keys.push_back({"", object->name(), change.resource.kind});
  }

  Plan plan(const View& view, const Key& key, base::WallTime now, reconcile::Seed) const override {
    const client::Resource& resource =
        key.kind == "NodeClass" ? resources::node_classes : resources::ec2_node_classes;
    const ObjectPtr object = view.get(resource, "", key.name);
    if (!object) return {};
    Value document = object->value();
    Value conditions = document.at("status", "conditions").is_array()
                           ? document.at("status", "conditions")
                           : Value::array();
    bool changed = false;
    const auto hold = [&](std::string_view type, std::string_view message) {
      changed |= reconcile::set_condition(conditions, {type, "True", type, message}, now);
    };
    // Said where a reader looks, so that nobody takes these for resolved selectors.
    const std::string_view unresolved = "selectors are accepted and not resolved";
    hold("SubnetsReady", unresolved);
    hold("SecurityGroupsReady", unresolved);
    if (key.kind == "EC2NodeClass") hold("AMIsReady", unresolved);
    hold("InstanceProfileReady", "roles are accepted and not resolved");
    hold("ValidationSucceeded", "");
    hold("Ready", "");
    if (!changed) return {};
    document.mutate("status").set("conditions", std::move(conditions));
    return {{{client::update_call(resource, std::move(document), "status"), {"NotFound"}}},
            reconcile::Done{}};
  }
};

}  // namespace

std::unique_ptr<reconcile::KeyedLoop> make_pool_loop() {
  return std::make_unique<PoolLoop>();
}

std::unique_ptr<reconcile::KeyedLoop> make_node_class_loop() {
  return std::make_unique<NodeClassLoop>();
}

}  // namespace keelway::provisioner
