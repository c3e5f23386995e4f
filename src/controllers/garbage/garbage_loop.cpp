#include "controllers/garbage/garbage_loop.h"

#include <algorithm>

#include "client/resources.h"
#include "controllers/known_resources.h"
#include "controllers/ownership.h"
#include "reconcile/finalizers.h"

namespace keelway::controllers {
namespace {

using client::ObjectPtr;
using client::View;
using reconcile::Action;
using reconcile::Key;
using reconcile::Plan;
using schema::OwnerReference;

constexpr std::string_view kForeground = "foregroundDeletion";
constexpr std::string_view kOrphan = "orphan";
constexpr std::size_t kActionsMax = 500;  // of one round

bool has_finalizer(const client::Object& object, std::string_view wanted) {
  return reconcile::has_finalizer(object.value(), wanted);
}

bool same_owners(const client::Object& a, const client::Object& b) {
  return std::equal(a.owners().begin(), a.owners().end(), b.owners().begin(), b.owners().end(),
                    [](const OwnerReference& x, const OwnerReference& y) {
                      return x.uid == y.uid && x.block_owner_deletion == y.block_owner_deletion;
                    });
}

Action drop_finalizer(const client::Resource& resource, const client::Object& object,
                      std::string_view finalizer) {
  value::Value metadata = value::Value::object(
      {{"uid", object.uid()},
       {"resourceVersion", std::to_string(object.revision())},
       {"finalizers", reconcile::finalizers_without(object.value(), finalizer)}});
  return {client::merge_patch_call(resource, object.name_space(), object.name(),
                                   value::Value::object({{"metadata", std::move(metadata)}})),
          {"NotFound"},
          ""};
}

// The owners of one object, by what the view says of them.
struct Owners {
  int solid = 0;  // exist, or nothing is known of their kind
  std::vector<const OwnerReference*> absent;
  std::vector<const OwnerReference*> waiting;  // go in the foreground, and this object blocks them
  std::vector<Action> proofs;                  // gets that must not find the absent ones
};

class GarbageLoop final : public reconcile::KeyedLoop {
 public:
  explicit GarbageLoop(std::vector<client::Resource> built_in) : known_(std::move(built_in)) {}

  std::string_view name() const override { return "generic-garbage-collector"; }

  std::vector<client::Resource> watches() const override {
    std::vector<client::Resource> watched = known_.watched();
    if (std::find(watched.begin(), watched.end(), client::resources::crds) == watched.end()) {
      watched.push_back(client::resources::crds);
    }
    return watched;
  }

  std::vector<client::Resource> more_watches(const client::Change& change) const override {
    if (change.resource != client::resources::crds || !change.object) return {};
    const auto resource = resource_of_crd(change.object->value());
    if (!resource) return {};
    return {*resource};
  }

  void keys_of(const client::Change& change, const View& view,
               std::vector<Key>& keys) const override {
    const ObjectPtr& now = change.object;
    const ObjectPtr& before = change.previous;
    const ObjectPtr& named = now ? now : before;
    const bool ends = !now || (now->deleting() && !(before && before->deleting()));
    // Status changes by the thousand are none of ours.
    if (now && before && !now->deleting() && same_owners(*now, *before)) return;
    if (now && (now->deleting() || !now->owners().empty()))
      keys.push_back(key_of(change.resource, *now));
    if (ends) {
      for (const auto& [resource, dependent] : view.owned_by(named->uid())) {
        keys.push_back(key_of(resource, *dependent));
      }
    }
    // A foreground owner waits for this one.
    for (const ObjectPtr& object : {now, before}) {
      if (!object) continue;
      for (const OwnerReference& owner : object->owners()) {
        const auto resource = known_.of_kind(view, owner.api_version, owner.kind);
        if (!resource) continue;
        const ObjectPtr above = find_owner(view, *resource, *object, owner);
        if (above && above->deleting()) keys.push_back(key_of(*resource, *above));
      }
    }
  }

  Plan plan(const View& view, const Key& key, base::WallTime, reconcile::Seed) const override {
    const auto resource = known_.by_name(view, key.kind);
    if (!resource) return {};
    const ObjectPtr object = view.get(*resource, key.name_space, key.name);
    if (!object) return {};
    if (object->deleting()) {
      if (has_finalizer(*object, kOrphan)) return orphan(view, *resource, *object);
      if (has_finalizer(*object, kForeground)) return go_in_foreground(view, *resource, *object);
      return {};
    }
    if (object->owners().empty()) return {};
    return collect(view, *resource, *object);
  }

 private:
  static Key key_of(const client::Resource& resource, const client::Object& object) {
    return {object.name_space(), object.name(), resource_key(resource)};
  }

  static ObjectPtr find_owner(const View& view, const client::Resource& resource,
                              const client::Object& dependent, const OwnerReference& owner) {
    const ObjectPtr found =
        view.get(resource, resource.namespaced ? dependent.name_space() : "", owner.name);
    return found && found->uid() == owner.uid ? found : nullptr;
  }

  Owners look_at_owners(const View& view, const client::Object& object) const {
    Owners owners;
    for (const OwnerReference& owner : object.owners()) {
      const auto resource = known_.of_kind(view, owner.api_version, owner.kind);
      // A cluster-wide object cannot be owned from within a namespace; such a reference is wrong,
      // and wrong references delete nothing.
      if (!resource || (resource->namespaced && object.name_space().empty())) {
        ++owners.solid;
        continue;
      }
      const ObjectPtr found = find_owner(view, *resource, object, owner);
      if (!found) {
        owners.absent.push_back(&owner);
        // The view may be behind: the server has the last word.
        owners.proofs.push_back(
            {client::get_call(*resource, resource->namespaced ? object.name_space() : "",
                              owner.name),
             {},
             owner.uid});
      } else if (found->deleting() && has_finalizer(*found, kForeground)) {
        owners.waiting.push_back(&owner);
      } else {
        ++owners.solid;
      }
    }
    return owners;
  }

  Plan collect(const View& view, const client::Resource& resource,
               const client::Object& object) const {
    Owners owners = look_at_owners(view, object);
    if (owners.absent.empty() && owners.waiting.empty()) return {};
    Plan plan;
    plan.actions = std::move(owners.proofs);
    if (owners.solid > 0) {
      std::vector<std::string_view> gone;
      for (const OwnerReference* owner : owners.absent) gone.push_back(owner->uid);
      for (const OwnerReference* owner : owners.waiting) gone.push_back(owner->uid);
      plan.actions.push_back(release(resource, object, gone));
      return plan;
    }
    std::string_view propagation = "Background";
    if (!owners.waiting.empty() && !view.owned_by(object.uid()).empty()) {
      propagation = "Foreground";
    } else if (has_finalizer(object, kOrphan)) {
      propagation = "Orphan";
    } else if (has_finalizer(object, kForeground)) {
      propagation = "Foreground";
    }
    plan.actions.push_back(remove_exactly(resource, object, propagation));
    return plan;
  }

  static Plan go_in_foreground(const View& view, const client::Resource& resource,
                               const client::Object& object) {
    Plan plan;
    bool blocked = false;
    for (const auto& [kind, dependent] : view.owned_by(object.uid())) {
      const auto& owners = dependent->owners();
      blocked = blocked || std::any_of(owners.begin(), owners.end(), [&](const OwnerReference& o) {
                  return o.uid == object.uid() && o.block_owner_deletion;
                });
    }
    // The dependents have keys of their own and see that their owner waits.
    if (!blocked) plan.actions.push_back(drop_finalizer(resource, object, kForeground));
    return plan;
  }

  static Plan orphan(const View& view, const client::Resource& resource,
                     const client::Object& object) {
    Plan plan;
    const auto dependents = view.owned_by(object.uid());
    for (const auto& [kind, dependent] : dependents) {
      if (plan.actions.size() >= kActionsMax) return plan;
      plan.actions.push_back(release(kind, *dependent, {object.uid()}));
    }
    plan.actions.push_back(drop_finalizer(resource, object, kOrphan));
    return plan;
  }

  const KnownResources known_;
};

}  // namespace

std::unique_ptr<reconcile::KeyedLoop> make_garbage_loop(std::vector<client::Resource> built_in) {
  return std::make_unique<GarbageLoop>(std::move(built_in));
}

}  // namespace keelway::controllers
