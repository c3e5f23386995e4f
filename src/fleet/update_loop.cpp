#include "fleet/update_loop.h"

#include <algorithm>
#include <cmath>

#include "client/resources.h"
#include "fleet/cluster_loop.h"

namespace keelway::fleet {
namespace {

using client::ObjectPtr;
using client::View;
using reconcile::Action;
using reconcile::Key;
using reconcile::Plan;
using value::Value;
namespace resources = client::resources;

struct Update {
  ObjectPtr object;
  base::WallTime created;
  std::string status;  // empty: nobody has said

  bool open() const { return status.empty() || status == "InProgress"; }
};

base::WallTime created_at(const Value& document) {
  const Value& created = document.at("spec", "createdAt");
  if (created.is_number()) return {std::llround(created.as_double() * 1e6)};
  const std::string& text = document.at("metadata", "creationTimestamp").as_string();
  return base::parse_rfc3339(text).value_or(base::WallTime{});
}

Update read_update(const ObjectPtr& object) {
  const Value document = object->value();
  return {object, created_at(document), document.at("status", "status").as_string()};
}

// Oldest first.
std::vector<Update> updates_of(const View& view, const Key& cluster) {
  std::vector<Update> updates;
  for (const ObjectPtr& object : view.list(resources::updates, cluster.name_space)) {
    if (object->label(resources::cluster_label) == cluster.name && !object->deleting()) {
      updates.push_back(read_update(object));
    }
  }
  std::stable_sort(updates.begin(), updates.end(),
                   [](const Update& a, const Update& b) { return a.created < b.created; });
  return updates;
}

Action set_status(const client::Resource& resource, const client::Object& object,
                  std::string_view status) {
  return {client::merge_patch_call(resource, object.name_space(), object.name(),
                                   Value::object({{"status", Value::object({{"status", status}})}}),
                                   "status"),
          {"NotFound"}};
}

Action remove(const client::Object& update) {
  return {client::remove_call(resources::updates, update.name_space(), update.name(),
                              client::delete_options(update.uid())),
          {"NotFound", "Conflict"}};
}

// A change of version ends when every registered server serves it, the leader first.
bool is_served(const View& view, const Value& cluster, const Update& update, const Self& self) {
  const Value document = update.object->value();
  if (document.at("spec", "type").as_string() != "VersionUpdate") return true;
  const std::string& wanted = cluster.at("spec", "version").as_string();
  if (cluster.at("status", "version").as_string() != wanted) return false;
  if (self.alone()) return true;
  for (const ObjectPtr& server : view.list(servers)) {
    const Value& serves = cluster.at("status", "servedBy")[server->name()];
    if (serves.as_string() != wanted) return false;
  }
  return true;
}

// Whoever changed the cluster may have died before the Update was made, which the cluster carries.
void keep_carried_update(const client::Object& cluster, const Value& object,
                         const std::vector<Update>& updates, Plan& plan) {
  if (!object.is_object()) return;
  const std::string& name = object.at("metadata", "name").as_string();
  for (const Update& update : updates) {
    if (update.object->name() == name) return;
  }
  plan.actions.push_back(
      {client::create_call(resources::updates, cluster.name_space(), object), {"AlreadyExists"}});
}

void keep_carried_updates(const client::Object& cluster, const Value& document,
                          const std::vector<Update>& updates, Plan& plan) {
  const Value& spec = document["spec"];
  if (document.at("status", "version") != spec["version"]) {
    keep_carried_update(cluster, spec["versionUpdate"][0], updates, plan);
  }
  // One that has later ones was made, and may have left the history since.
  const Value& change = spec["configUpdate"][0];
  if (updates.empty() || updates.back().created < created_at(change)) {
    keep_carried_update(cluster, change, updates, plan);
  }
}

// An update that names no owner is taken for the cluster's.
bool belongs_to(const client::Object& update, const client::Object& cluster) {
  const auto& owners = update.owners();
  return owners.empty() || std::any_of(owners.begin(), owners.end(), [&cluster](const auto& owner) {
           return owner.uid == cluster.uid();
         });
}

class UpdateLoop final : public reconcile::KeyedLoop {
 public:
  UpdateLoop(base::Duration delay, Self self) : delay_(delay), self_(std::move(self)) {}

  std::string_view name() const override { return "update"; }
  std::vector<client::Resource> watches() const override {
    return {resources::updates, resources::clusters, servers};
  }

  void keys_of(const client::Change& change, const View& view,
               std::vector<Key>& keys) const override {
    const ObjectPtr& object = change.object ? change.object : change.previous;
    if (change.resource == servers) {
      if (is_renewal(change)) return;
      for (const ObjectPtr& cluster : view.list(resources::clusters)) {
        keys.push_back({cluster->name_space(), cluster->name(), ""});
      }
      return;
    }
    if (change.resource == resources::clusters) {
      keys.push_back({object->name_space(), object->name(), ""});
    } else if (const auto cluster = object->label(resources::cluster_label); !cluster.empty()) {
      keys.push_back({object->name_space(), std::string(cluster), ""});
    }
  }

  Plan plan(const View& view, const Key& key, base::WallTime now, reconcile::Seed) const override {
    const ObjectPtr cluster = view.get(resources::clusters, key.name_space, key.name);
    std::vector<Update> updates = updates_of(view, key);
    Plan plan;
    // Those of a cluster that has gone go, too, also where another one has its name by now.
    std::erase_if(updates, [&](const Update& update) {
      const bool lost = !cluster || !belongs_to(*update.object, *cluster);
      if (lost) plan.actions.push_back(remove(*update.object));
      return lost;
    });
    if (!cluster || cluster->deleting()) return plan;
    const Value document = cluster->value();
    if (owner_of(view, document, self_) != Owner::self) return plan;
    keep_carried_updates(*cluster, document, updates, plan);
    bool in_progress = false;
    std::vector<Action> endings;
    base::Duration wait = base::Duration::max();
    for (const Update& update : updates) {
      if (!update.open()) continue;
      const base::Duration left = update.created + delay_ - now;
      if (left <= base::Duration(0) && is_served(view, document, update, self_)) {
        endings.push_back(set_status(resources::updates, *update.object, "Successful"));
        continue;
      }
      in_progress = true;
      if (left > base::Duration(0)) wait = std::min(wait, left);
      if (update.status.empty()) {
        plan.actions.push_back(set_status(resources::updates, *update.object, "InProgress"));
      }
    }
    // Who reads that the last update is Successful reads an ACTIVE cluster afterwards.
    set_phase(*cluster, in_progress, plan);
    for (Action& ending : endings) plan.actions.push_back(std::move(ending));
    forget_oldest(updates, plan);
    if (wait != base::Duration::max()) plan.next = reconcile::After{wait};
    return plan;
  }

 private:
  static void set_phase(const client::Object& cluster, bool updating, Plan& plan) {
    const std::string phase = cluster.value().at("status", "status").as_string();
    const char* wanted = updating ? "UPDATING" : "ACTIVE";
    if ((phase == "ACTIVE" || phase == "UPDATING") && phase != wanted) {
      plan.actions.push_back(set_status(resources::clusters, cluster, wanted));
    }
  }

  static void forget_oldest(const std::vector<Update>& updates, Plan& plan) {
    auto finished = static_cast<std::size_t>(
        std::count_if(updates.begin(), updates.end(), [](const Update& u) { return !u.open(); }));
    for (const Update& update : updates) {
      if (finished <= finished_updates_max) return;
      if (update.open()) continue;
      --finished;
      plan.actions.push_back(remove(*update.object));
    }
  }

  const base::Duration delay_;
  const Self self_;
};

}  // namespace

std::unique_ptr<reconcile::KeyedLoop> make_update_loop(base::Duration update_delay, Self self) {
  return std::make_unique<UpdateLoop>(update_delay, std::move(self));
}

}  // namespace keelway::fleet
