#include "controllers/rootca/root_ca_loop.h"

#include "client/resources.h"

namespace keelway::controllers {
namespace {

namespace resources = client::resources;
using reconcile::Key;
using reconcile::Plan;

constexpr std::string_view kName = "kube-root-ca.crt";

class RootCaLoop final : public reconcile::KeyedLoop {
 public:
  explicit RootCaLoop(std::string ca_pem) : ca_pem_(std::move(ca_pem)) {}

  std::string_view name() const override { return "root-ca-certificate-publisher-controller"; }
  std::vector<client::Resource> watches() const override {
    return {resources::namespaces, resources::config_maps};
  }

  void keys_of(const client::Change& change, const client::View&,
               std::vector<Key>& keys) const override {
    const client::ObjectPtr& named = change.object ? change.object : change.previous;
    if (change.resource == resources::namespaces) {
      if (change.object && !change.object->deleting()) keys.push_back({"", named->name(), ""});
    } else if (named->name() == kName) {
      keys.push_back({"", named->name_space(), ""});
    }
  }

  Plan plan(const client::View& view, const Key& key, base::WallTime,
            reconcile::Seed) const override {
    const client::ObjectPtr home = view.get(resources::namespaces, "", key.name);
    if (!home || home->deleting()) return {};
    const value::Value data = value::Value::object({{"ca.crt", ca_pem_}});
    Plan plan;
    if (const client::ObjectPtr map = view.get(resources::config_maps, key.name, kName)) {
      value::Value document = map->value();
      if (document["data"] == data) return {};
      document.set("data", data);
      plan.actions.push_back(
          {client::update_call(resources::config_maps, std::move(document)), {"NotFound"}, ""});
      return plan;
    }
    value::Value body =
        value::Value::object({{"apiVersion", "v1"}, {"kind", "ConfigMap"}, {"data", data}});
    body.mutate("metadata").set("name", kName).set("namespace", key.name);
    plan.actions.push_back({client::create_call(resources::config_maps, key.name, std::move(body)),
                            {"AlreadyExists", "NotFound"},
                            ""});
    return plan;
  }

 private:
  const std::string ca_pem_;
};

}  // namespace

std::unique_ptr<reconcile::KeyedLoop> make_root_ca_loop(std::string ca_pem) {
  return std::make_unique<RootCaLoop>(std::move(ca_pem));
}

}  // namespace keelway::controllers
