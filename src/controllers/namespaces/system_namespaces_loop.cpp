#include "controllers/namespaces/system_namespaces_loop.h"

#include <algorithm>
#include <array>

#include "client/resources.h"

namespace keelway::controllers {
namespace {

namespace resources = client::resources;
using reconcile::Key;
using reconcile::Plan;

constexpr std::array<std::string_view, 4> kNames = {"default", "kube-node-lease", "kube-public",
                                                    "kube-system"};

class SystemNamespacesLoop final : public reconcile::KeyedLoop {
 public:
  std::string_view name() const override { return "system-namespaces-controller"; }
  std::vector<client::Resource> watches() const override { return {resources::namespaces}; }

  std::vector<Key> first_keys() const override {
    std::vector<Key> keys;
    for (const std::string_view name : kNames) keys.push_back({"", std::string(name), ""});
    return keys;
  }

  void keys_of(const client::Change& change, const client::View&,
               std::vector<Key>& keys) const override {
    if (change.object) return;
    const std::string& gone = change.previous->name();
    if (std::find(kNames.begin(), kNames.end(), gone) != kNames.end()) {
      keys.push_back({"", gone, ""});
    }
  }

  Plan plan(const client::View& view, const Key& key, base::WallTime,
            reconcile::Seed) const override {
    if (view.get(resources::namespaces, "", key.name)) return {};
    value::Value body = value::Value::object({{"apiVersion", "v1"}, {"kind", "Namespace"}});
    body.mutate("metadata").set("name", key.name);
    Plan plan;
    plan.actions.push_back(
        {client::create_call(resources::namespaces, "", std::move(body)), {"AlreadyExists"}, ""});
    return plan;
  }
};

}  // namespace

std::unique_ptr<reconcile::KeyedLoop> make_system_namespaces_loop() {
  return std::make_unique<SystemNamespacesLoop>();
}

}  // namespace keelway::controllers
