#include "sim/life.h"

#include "aws/eks/hub.h"
#include "client/resources.h"
#include "sim/faulty_cloud.h"
#include "sim/lossy_client.h"
#include "sim/shared_store.h"
#include "store/sealed/sealed.h"
#include "store/sqlite/sqlite.h"

namespace keelway::sim {

const std::string cluster_object = aws::eks::cluster_object_name(cluster_arn);

namespace {

namespace resources = client::resources;

access::Identity user() {
  return access::component(observer, {"system:masters"});
}

}  // namespace

Life::Life(LifeParts parts)
    : parts_(std::move(parts)),
      runtime_(parts_.host.runtime()),
      watchers_(parts_.watchers),
      user_(runtime_.make_executor("user")) {
  watchers_.hub.begin_life();
  watchers_.cluster.begin_life();
  auto engine = open_store();
  if (!engine) {
    failure_ = engine.error().message;
    return;
  }
  engine_ = std::move(*engine);
  if (parts_.town == nullptr) {
    auto witness = make_witness(std::move(engine_), runtime_, parts_.stores);
    witness_ = witness.get();
    engine_ = std::move(witness);
  }
  assemble();
}

void Life::assemble() {
  const Weather& weather = parts_.weather;
  seams_ = std::make_unique<app::Seams>(
      app::Seams{.runtime = runtime_,
                 .engine = *engine_,
                 .log = parts_.log,
                 .audit = parts_.log.with("audit"),
                 .decorate =
                     [this](std::unique_ptr<client::Client> client, runtime::Executor& executor,
                            const access::Identity& who) {
                       return make_lossy(std::move(client), executor, parts_.weather, who.user,
                                         parts_.host.name(), parts_.fences);
                     },
                 .decorate_cloud =
                     [&weather](std::unique_ptr<cloud::Cloud> cloud, runtime::Executor& executor) {
                       return make_faulty_cloud(std::move(cloud), executor, weather);
                     }});
  app::Config config;
  config.listen_port = door_port;
  config.knobs = parts_.shape.knobs;
  config.limits.fairness = parts_.shape.fairness;
  if (parts_.town != nullptr) {
    config.shared_store = true;
    config.server_name = config.advertised_host = parts_.host.name();
    config.lease_interval = parts_.shape.lease_interval;
  }
  house_ = app::assemble(*seams_, config);
  house_->start([this](base::Result<app::HouseFacts> facts) {
    if (!facts) {
      failure_ = facts.error().message;
      return;
    }
    facts_ = *facts;
    user_->post([this] { follow_hub(); });
  });
}

// The process is dead: nothing of it runs any more, and its parts go in the order of need.
Life::~Life() {
  cluster_feed_.reset();
  hub_feed_.reset();
  cluster_.reset();
  hub_.reset();
  user_.reset();
  house_.reset();
  seams_.reset();
  engine_.reset();
  way_.reset();
}

base::Result<std::unique_ptr<store::Engine>> Life::open_store() {
  store::KeyRing ring;
  ring.keys[1] = std::string(32, 'k');
  ring.current = 1;
  std::unique_ptr<store::Engine> engine;
  if (parts_.town != nullptr) {
    way_ = parts_.town->way_of(parts_.host.name());
    engine = reach_shared_store(*way_, parts_.host.name(), parts_.weather);
  } else if (parts_.shared_store != nullptr) {
    engine = reach_shared_store(*parts_.shared_store, parts_.host.name(), parts_.weather);
  } else {
    auto opened =
        store::open_sqlite(runtime_, {.path = "/data/keelway.db", .in_runtime_files = true});
    if (!opened) return opened;
    engine = std::move(*opened);
  }
  return store::make_sealed(std::move(engine), runtime_, std::move(ring));
}

const std::vector<client::Resource>& Life::cluster_resources() {
  static const std::vector<client::Resource> watched = {
      resources::pods,        resources::nodes,
      resources::node_claims, resources::deployments,
      resources::config_maps, resources::replica_sets,
      resources::node_pools,  resources::disruption_budgets};
  return watched;
}

const std::vector<client::Resource>& Life::hub_resources() {
  static const std::vector<client::Resource> watched = {resources::clusters, resources::machines};
  return watched;
}

void Life::call_hub(client::Call call, client::ReplyCallback done) {
  user_->post([this, call = std::move(call), done = std::move(done)]() mutable {
    if (!hub_) return done(std::unexpected(schema::service_unavailable("no hub")));
    hub_->call(std::move(call), std::move(done));
  });
}

void Life::call_cluster(client::Call call, client::ReplyCallback done) {
  user_->post([this, call = std::move(call), done = std::move(done)]() mutable {
    if (!cluster_) return done(std::unexpected(schema::service_unavailable("no cluster")));
    cluster_->call(std::move(call), std::move(done));
  });
}

void Life::take(const client::ChangeBatch& batch, WatchOracle& oracle, client::LocalView& view) {
  oracle.look(batch, view);
  view.apply(batch);
  if (&view == &cluster_view_ && watchers_.on_cluster_batch) watchers_.on_cluster_batch(view);
  for (const client::Change& change : batch.changes) {
    if (!watchers_.history) watchers_.history = object_changes_as_it_may(change);
    if (watchers_.on_change) watchers_.on_change(change);
  }
}

void Life::follow_hub() {
  hub_ = house_->connections().connect(app::hub_id, *user_, user());
  hub_feed_ = hub_->subscribe(hub_resources(), [this](const client::ChangeBatch& batch) {
    take(batch, watchers_.hub, hub_view_);
  });
}

void Life::follow_cluster() {
  if (!house_) return;
  user_->post([this] {
    const std::uint64_t server = house_->connections().announcements(cluster_object);
    if (server == cluster_server_) return;
    cluster_feed_.reset();
    cluster_.reset();
    cluster_view_ = client::LocalView();
    watchers_.cluster.begin_life();
    if (watchers_.on_new_cluster_server) watchers_.on_new_cluster_server();
    cluster_ = house_->connections().connect(cluster_object, *user_, user());
    if (!cluster_) return;  // on its way out: asked again at the next look
    cluster_server_ = server;
    cluster_feed_ = cluster_->subscribe(cluster_resources(), [this](const client::ChangeBatch& b) {
      take(b, watchers_.cluster, cluster_view_);
    });
  });
}

}  // namespace keelway::sim
