#include "app/loops.h"

#include "app/credentials.h"
#include "client/resources.h"
#include "cloud/simulated/cloud.h"
#include "controllers/controllers.h"
#include "provisioner/launcher.h"
#include "provisioner/loops.h"
#include "reconcile/loop.h"
#include "scheduler/scheduler_loop.h"

namespace keelway::app {
namespace {

// Resources that are stored and can be listed, as garbage collection and namespaces see them.
std::vector<client::Resource> stored_resources(const schema::KindSet& kinds) {
  std::vector<client::Resource> resources;
  for (const schema::Kind* kind : kinds.all()) {
    const bool listed =
        std::find(kind->verbs.begin(), kind->verbs.end(), "list") != kind->verbs.end();
    // Events of events.k8s.io are core/v1 events seen through another door.
    if (!listed || kind->group == "events.k8s.io") continue;
    resources.push_back({std::string(kind->group), std::string(kind->version),
                         std::string(kind->resource), std::string(kind->kind), kind->namespaced});
  }
  return resources;
}

class ClusterLoopsImpl final : public ClusterLoops {
 public:
  explicit ClusterLoopsImpl(LoopParts parts) : catalogue_(parts.catalogue) {
    client_ = connect(parts, parts.cluster.id, "controller-manager", parts.cluster_fence);
    hub_ = connect(parts, std::string(hub_id), "provisioner", parts.hub_fence);
    manager_ = reconcile::make_manager(parts.executor, *client_, parts.log.with("loops"));
    add_controllers(parts);
    add_provisioner(parts);
    manager_->start();
  }
  ~ClusterLoopsImpl() override {
    manager_.reset();
    launcher_.reset();
    cloud_.reset();
  }

 private:
  static std::unique_ptr<client::Client> connect(LoopParts& parts, const std::string& id,
                                                 const std::string& name,
                                                 apiserver::FencePtr fence) {
    auto client =
        parts.connections.connect(id, parts.executor, loop_identity(name), std::move(fence));
    KEELWAY_INVARIANT(client != nullptr, id + " is announced before its loops start");
    return client;
  }

  void add_controllers(const LoopParts& parts) {
    controllers::add_all(*manager_, {.ca_pem = parts.cluster.keys.authority.certificate_pem,
                                     .resources = stored_resources(*parts.kinds),
                                     .nodes = {}});
    manager_->add(scheduler::make_scheduler_loop());
  }

  void add_provisioner(const LoopParts& parts) {
    cloud_ = cloud::make_simulated_cloud(*hub_, {.cluster = parts.cluster.id,
                                                 .name_space = parts.cluster.name_space,
                                                 .region = parts.cluster.region,
                                                 .catalogue = catalogue_});
    if (parts.decorate_cloud) cloud_ = parts.decorate_cloud(std::move(cloud_), parts.executor);
    launcher_ = std::make_unique<provisioner::Launcher>(
        provisioner::LauncherParts{.executor = parts.executor,
                                   .client = *client_,
                                   .cloud = *cloud_,
                                   .catalogue = catalogue_,
                                   .log = parts.log.with("provisioner")});
    const auto purchases = std::make_shared<provisioner::Purchases>();
    manager_->add(provisioner::make_provisioning_loop(catalogue_, purchases));
    manager_->add(provisioner::make_claim_loop(catalogue_),
                  [this](const reconcile::Effect& effect, reconcile::EffectDone done) {
                    launcher_->execute(effect, std::move(done));
                  });
    manager_->add(provisioner::make_disruption_loop(catalogue_, purchases));
    manager_->add(provisioner::make_pool_loop());
    manager_->add(provisioner::make_node_class_loop());
  }

  const cloud::CataloguePtr catalogue_;
  std::unique_ptr<client::Client> client_, hub_;
  std::unique_ptr<cloud::Cloud> cloud_;
  std::unique_ptr<provisioner::Launcher> launcher_;
  std::unique_ptr<reconcile::Manager> manager_;
};

}  // namespace

std::unique_ptr<ClusterLoops> start_cluster_loops(LoopParts parts) {
  return std::make_unique<ClusterLoopsImpl>(std::move(parts));
}

}  // namespace keelway::app
