#include "sim/life.h"

#include "client/resources.h"
#include "store/sealed/sealed.h"
#include "store/sqlite/sqlite.h"

namespace keelway::sim {
namespace {

namespace resources = client::resources;

access::Identity user() {
  return access::component("sim-user", {"system:masters"});
}

}  // namespace

Life::Life(runtime::Host& host, const std::string& database, const Losses& losses,
           telemetry::Log log, Watchers& watchers)
    : runtime_(host.runtime()),
      losses_(losses),
      watchers_(watchers),
      engine_(open_store(database)),
      user_(runtime_.make_executor("user")) {
  watchers_.hub.begin_life();
  watchers_.cluster.begin_life();
  seams_ = std::make_unique<app::Seams>(
      app::Seams{.runtime = runtime_,
                 .engine = *engine_,
                 .log = log,
                 .audit = log.with("audit"),
                 .decorate = [this](std::unique_ptr<client::Client> client,
                                    runtime::Executor& executor, const access::Identity&) {
                   return make_lossy(std::move(client), executor, losses_);
                 }});
  app::Config config;
  config.listen_port = 0;
  house_ = app::assemble(*seams_, config);
  house_->start([this](base::Result<app::HouseFacts> facts) {
    if (!facts)
      failure_ = facts.error().message;
    else
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
}

std::unique_ptr<store::Engine> Life::open_store(const std::string& database) {
  auto opened = store::open_sqlite(runtime_, {.path = database});
  KEELWAY_INVARIANT(opened.has_value(), opened.error().message);
  store::KeyRing ring;
  ring.keys[1] = std::string(32, 'k');
  ring.current = 1;
  auto sealed = store::make_sealed(std::move(*opened), runtime_, std::move(ring));
  KEELWAY_INVARIANT(sealed.has_value(), sealed.error().message);
  return std::move(*sealed);
}

const std::vector<client::Resource>& Life::cluster_resources() {
  static const std::vector<client::Resource> watched = {
      resources::pods,        resources::nodes,       resources::node_claims,
      resources::deployments, resources::config_maps, resources::replica_sets};
  return watched;
}

const std::vector<client::Resource>& Life::hub_resources() {
  static const std::vector<client::Resource> watched = {resources::clusters, resources::machines};
  return watched;
}

void Life::call_hub(client::Call call, client::ReplyCallback done) {
  user_->post([this, call = std::move(call), done = std::move(done)]() mutable {
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
  user_->post([this] {
    const std::uint64_t server = house_->connections().announcements(cluster_object);
    if (server == cluster_server_) return;
    cluster_feed_.reset();
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
