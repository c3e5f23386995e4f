#include "controllers/serviceaccount/service_account_loop.h"

#include "client/resources.h"

namespace keelway::controllers {
namespace {

namespace resources = client::resources;
using reconcile::Key;
using reconcile::Plan;

class ServiceAccountLoop final : public reconcile::KeyedLoop {
 public:
  std::string_view name() const override { return "service-account-controller"; }
  std::vector<client::Resource> watches() const override {
    return {resources::namespaces, resources::service_accounts};
  }

  void keys_of(const client::Change& change, const client::View&,
               std::vector<Key>& keys) const override {
    if (change.resource == resources::namespaces) {
      if (change.object && !change.object->deleting())
        keys.push_back({"", change.object->name(), ""});
    } else if (!change.object && change.previous->name() == "default") {
      keys.push_back({"", change.previous->name_space(), ""});
    }
  }

  Plan plan(const client::View& view, const Key& key, base::WallTime,
            reconcile::Seed) const override {
    const client::ObjectPtr home = view.get(resources::namespaces, "", key.name);
    if (!home || home->deleting()) return {};
    if (view.get(resources::service_accounts, key.name, "default")) return {};
    value::Value body = value::Value::object({{"apiVersion", "v1"}, {"kind", "ServiceAccount"}});
    body.mutate("metadata").set("name", "default").set("namespace", key.name);
    Plan plan;
    plan.actions.push_back(
        {client::create_call(resources::service_accounts, key.name, std::move(body)),
         {"AlreadyExists", "NotFound"},
         ""});
    return plan;
  }
};

}  // namespace

std::unique_ptr<reconcile::KeyedLoop> make_service_account_loop() {
  return std::make_unique<ServiceAccountLoop>();
}

}  // namespace keelway::controllers
