#include "fleet/cluster_loop.h"

#include "client/resources.h"
#include "reconcile/finalizers.h"

namespace keelway::fleet {
namespace {

using client::ObjectPtr;
using client::View;
using reconcile::Action;
using reconcile::Effect;
using reconcile::Key;
using reconcile::Plan;
using value::Value;
namespace resources = client::resources;

// When a deletion that found a machine it did not know of looks again.
constexpr auto removal_again = std::chrono::seconds(1);

Effect effect_on(std::string name, const client::Object& cluster) {
  return Effect{std::move(name), cluster.uid(),
                Value::object({{"namespace", cluster.name_space()}, {"name", cluster.name()}})};
}

Action add_finalizer(const client::Object& cluster) {
  Value document = cluster.value();
  document.mutate("metadata", "finalizers").push(resources::control_plane_finalizer);
  return {client::update_call(resources::clusters, std::move(document)), {}};
}

// A cluster that nobody runs names this server from now on, unless another was faster.
Action claim(const client::Object& cluster, const Value& document, const Self& self) {
  const Value server =
      Value::object({{"name", self.name}, {"uid", self.uid}, {"epoch", epoch_of(document) + 1}});
  return {
      client::merge_patch_call(
          resources::clusters, cluster.name_space(), cluster.name(),
          Value::object({{"metadata",
                          Value::object({{"resourceVersion", std::to_string(cluster.revision())}})},
                         {"status", Value::object({{"server", server}})}}),
          "status"),
      {"NotFound", "Conflict"}};
}

Effect run_effect(const client::Object& cluster, const Value& document, bool own) {
  Effect effect = effect_on("run", cluster);
  effect.arguments.set("uid", cluster.uid());
  effect.arguments.set("version", document.at("spec", "version"));
  effect.arguments.set("own", own);
  effect.arguments.set("epoch", epoch_of(document));
  return effect;
}

Action set_phase(const client::Object& cluster, std::string_view phase) {
  return {client::merge_patch_call(resources::clusters, cluster.name_space(), cluster.name(),
                                   Value::object({{"status", Value::object({{"status", phase}})}}),
                                   "status"),
          {"NotFound"}};
}

class ClusterLoop final : public reconcile::KeyedLoop {
 public:
  explicit ClusterLoop(ClusterLoopOptions options) : options_(options) {}

  std::string_view name() const override { return "fleet"; }

  std::vector<client::Resource> watches() const override {
    return {resources::clusters, resources::machines, servers};
  }

  std::vector<Key> first_keys() const override { return options_.known; }

  void keys_of(const client::Change& change, const View& view,
               std::vector<Key>& keys) const override {
    const ObjectPtr& object = change.object ? change.object : change.previous;
    if (change.resource == resources::clusters) {
      keys.push_back({object->name_space(), object->name(), ""});
    } else if (change.resource == servers) {
      if (is_renewal(change)) return;
      for (const ObjectPtr& cluster : view.list(resources::clusters)) {
        keys.push_back({cluster->name_space(), cluster->name(), ""});
      }
    } else if (!change.object) {
      // A machine that has gone may be the last that a deletion waits for.
      keys.push_back(
          {object->name_space(), std::string(object->label(resources::cluster_label)), ""});
    }
  }

  Plan plan(const View& view, const Key& key, base::WallTime now, reconcile::Seed) const override {
    const ObjectPtr cluster = view.get(resources::clusters, key.name_space, key.name);
    if (!cluster) return {{{halt_of(key), {}}}, reconcile::Done{}};
    const Value document = cluster->value();
    switch (owner_of(view, document, options_.self)) {
      case Owner::nobody:
        if (server_for(view, cluster->uid()) != options_.self.name) return {};
        return {{claim(*cluster, document, options_.self)}, reconcile::Done{}};
      case Owner::other:
        return plan_beside(*cluster, document);
      case Owner::self:
        break;
    }
    if (cluster->deleting()) return plan_removal(view, *cluster, document);
    if (!reconcile::has_finalizer(document, resources::control_plane_finalizer))
      return {{add_finalizer(*cluster)}, reconcile::Done{}};
    if (const auto wait = time_left(document, now); wait > base::Duration(0)) {
      return {{}, reconcile::After{wait}};
    }
    Plan plan{{{run_effect(*cluster, document, true), {}}}, reconcile::Done{}};
    forget_gone_servers(view, *cluster, document, plan);
    return plan;
  }

 private:
  // Servers that have gone serve nothing any more.
  void forget_gone_servers(const View& view, const client::Object& cluster, const Value& document,
                           Plan& plan) const {
    Value gone = Value::object();
    const Value& served_by = document.at("status", "servedBy");
    for (const auto& [name, version] : served_by.members()) {
      if (!options_.self.alone() && !view.get(servers, "", name)) gone.set(name, Value());
    }
    if (gone.empty()) return;
    plan.actions.push_back(
        {client::merge_patch_call(
             resources::clusters, cluster.name_space(), cluster.name(),
             Value::object({{"status", Value::object({{"servedBy", std::move(gone)}})}}), "status"),
         {"NotFound"}});
  }

  static Effect halt_of(const Key& key) {
    return {"halt", "", Value::object({{"namespace", key.name_space}, {"name", key.name}})};
  }

  // Another server leads: this one serves the API as soon as there is something to serve.
  static Plan plan_beside(const client::Object& cluster, const Value& document) {
    if (cluster.deleting()) return {{{effect_on("halt", cluster), {}}}, reconcile::Done{}};
    if (document.at("status", "port").as_int() == 0) return {};
    return {{{run_effect(cluster, document, false), {}}}, reconcile::Done{}};
  }

  base::Duration time_left(const Value& document, base::WallTime now) const {
    // A cluster that was just asked for has no status yet.
    if (document.at("status", "status").string_or("CREATING") != "CREATING") {
      return base::Duration(0);
    }
    const auto created =
        base::parse_rfc3339(document.at("metadata", "creationTimestamp").as_string());
    return created ? *created + options_.create_delay - now : base::Duration(0);
  }

  // Machines first, so that nothing runs (and costs) without a control plane over it.
  Plan plan_removal(const View& view, const client::Object& cluster, const Value& document) const {
    if (!reconcile::has_finalizer(document, resources::control_plane_finalizer)) return {};
    Plan plan;
    if (document.at("status", "status").as_string() != "DELETING") {
      plan.actions.push_back(set_phase(cluster, "DELETING"));
      return plan;
    }
    plan.actions.push_back({effect_on("halt", cluster), {}});
    bool machines_left = false;
    for (const ObjectPtr& machine : view.list(resources::machines, cluster.name_space())) {
      if (machine->label(resources::cluster_label) != cluster.name()) continue;
      machines_left = true;
      plan.actions.push_back(
          {client::remove_call(resources::machines, machine->name_space(), machine->name(),
                               client::delete_options(machine->uid())),
           {"NotFound", "Conflict"}});
    }
    if (!machines_left) {
      // One may have been launched between this view and the halt: the store has the last word.
      const std::string of_it =
          std::string(resources::cluster_label) + "=" + std::string(cluster.name());
      plan.actions.push_back(
          {client::list_one_call(resources::machines, cluster.name_space(), of_it), {}, "*"});
      plan.next = reconcile::After{removal_again};
      plan.actions.push_back({effect_on("discard", cluster), {}});
      plan.actions.push_back(reconcile::drop_finalizer(resources::clusters, cluster.value(),
                                                       resources::control_plane_finalizer));
    }
    return plan;
  }

  const ClusterLoopOptions options_;
};

}  // namespace

std::unique_ptr<reconcile::KeyedLoop> make_cluster_loop(ClusterLoopOptions options) {
  return std::make_unique<ClusterLoop>(options);
}

}  // namespace keelway::fleet
