// For tests only: the loops together, over fakes of the cluster and the hub.
#pragma once

#include <set>

#include "cloud/simulated/cloud.h"
#include "provisioner/launcher.h"
#include "provisioner/loops.h"
#include "provisioner/names.h"
#include "provisioner/testing/fixtures.h"
#include "reconcile/conditions.h"
#include "reconcile/testing/fake_api.h"

namespace keelway::provisioner::testing {

using namespace std::chrono_literals;
namespace resources = client::resources;

// Says no to the first launches; then passes on.
class MoodyCloud final : public cloud::Cloud {
 public:
  explicit MoodyCloud(std::unique_ptr<Cloud> real) : real_(std::move(real)) {}
  int sold_out = 0;
  std::vector<cloud::LaunchRequest> launches;
  void launch(cloud::LaunchRequest request,
              std::move_only_function<void(base::Result<cloud::Machine>)> done) override {
    launches.push_back(request);
    if (sold_out-- > 0) return done(base::fail(base::ErrorCode::exhausted, "sold out"));
    real_->launch(std::move(request), std::move(done));
  }
  void terminate(std::string token,
                 std::move_only_function<void(base::Result<void>)> done) override {
    real_->terminate(std::move(token), std::move(done));
  }
  void inspect(std::string token, std::move_only_function<void(base::Result<bool>)> done) override {
    real_->inspect(std::move(token), std::move(done));
  }

  void list(std::move_only_function<void(base::Result<std::vector<std::string>>)> done) override {
    real_->list(std::move(done));
  }

 private:
  std::unique_ptr<Cloud> real_;
};

struct Cluster {
  reconcile::testing::HandExecutor executor;
  reconcile::testing::FakeApi api{executor}, hub{executor};
  MoodyCloud cloud{cloud::make_simulated_cloud(
      hub,
      {.cluster = "c", .name_space = "acct", .region = "us-east-1", .catalogue = catalogue()})};
  Launcher launcher{
      {.executor = executor, .client = api, .cloud = cloud, .catalogue = catalogue(), .log = {}}};
  std::unique_ptr<reconcile::Manager> manager = reconcile::make_manager(executor, api);

  explicit Cluster(bool disruption = true) {
    const auto purchases = std::make_shared<Purchases>();
    manager->add(make_provisioning_loop(catalogue(), purchases));
    manager->add(make_claim_loop(catalogue()),
                 [this](const reconcile::Effect& effect, reconcile::EffectDone done) {
                   launcher.execute(effect, std::move(done));
                 });
    if (disruption) manager->add(make_disruption_loop(catalogue(), purchases));
    manager->add(make_pool_loop());
    manager->add(make_node_class_loop());
    manager->start();
    api.put(resources::ec2_node_classes, doc(R"({"metadata":{"name":"default"},"spec":{}})"));
    value::Value pool = pool_document("default", "[]", R"({"disruption":{"consolidateAfter":"30s",
                                      "budgets":[{"nodes":"100%"}]},"limits":{"cpu":"100"}})");
    pool.erase("status");
    api.put(resources::node_pools, pool);
    executor.run_for(1s);
  }
  void pend(const std::string& name, std::string_view cpu = "1") {
    value::Value pod = pod_document(name, cpu, "1Gi");
    pod.set("status", doc(R"({"conditions":[{"type":"PodScheduled","status":"False",
                                             "reason":"Unschedulable"}]})"));
    pod.mutate("metadata").set("ownerReferences", doc(R"([{"kind":"ReplicaSet","name":"r","uid":"r",
                                        "apiVersion":"apps/v1","controller":true}])"));
    api.put(resources::pods, pod);
  }
  void bind(const std::string& name, const std::string& node) {
    value::Value pod = api.get(resources::pods, "default", name)->value();
    pod.mutate("spec").set("nodeName", node);
    pod.set("status", value::Value::object());
    api.put(resources::pods, pod);
  }
  // What a node host does for each machine that has no node yet.
  void boot_nodes() {
    for (const auto& machine : hub.list(resources::machines)) {
      const value::Value spec = machine->value()["spec"];
      const std::string& name = spec["nodeName"].as_string();
      if (api.get(resources::nodes, "", name)) continue;
      value::Value node = value::Value::object();
      node.mutate("metadata").set("name", name).set("labels", spec["labels"]);
      node.mutate("spec").set("providerID", spec["providerID"]).set("taints", spec["taints"]);
      node.set("status", doc(R"({"conditions":[{"type":"Ready","status":"True"}]})"));
      node.mutate("status")
          .set("allocatable", spec["allocatable"])
          .set("capacity", spec["capacity"]);
      api.put(resources::nodes, node);
    }
  }
  std::size_t claims() { return api.list(resources::node_claims).size(); }
  std::size_t going() {
    std::size_t count = 0;
    for (const auto& claim : api.list(resources::node_claims)) count += claim->deleting();
    return count;
  }
  value::Value claim() { return api.list(resources::node_claims).at(0)->value(); }
  bool claim_is(std::string_view type) {
    return reconcile::is_condition_true(claim().at("status", "conditions"), type);
  }
  // One node with the pod on it, past its quiet time.
  std::string grow(const std::string& pod, std::string_view cpu = "1500m") {
    std::set<std::string> before;
    for (const auto& node : api.list(resources::nodes)) before.insert(node->name());
    pend(pod, cpu);
    executor.run_for(1s);
    boot_nodes();
    executor.run_for(1s);
    std::string fresh;
    for (const auto& node : api.list(resources::nodes)) {
      if (!before.contains(node->name())) fresh = node->name();
    }
    bind(pod, fresh);
    executor.run_for(1s);
    return fresh;
  }
};

}  // namespace keelway::provisioner::testing
