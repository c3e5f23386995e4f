#include "app/house.h"

#include <atomic>

#include "apiserver/server.h"
#include "app/bootstrap.h"
#include "app/credentials.h"
#include "app/door_authority.h"
#include "app/fleet_side.h"
#include "app/gate.h"
#include "app/hub_keys.h"
#include "aws/door.h"
#include "base/host.h"
#include "client/resources.h"
#include "http/server.h"
#include "kinds/catalog.h"
#include "node/host.h"

namespace keelway::app {
namespace {

namespace resources = client::resources;

constexpr auto real_node_boot = std::chrono::seconds(40);

// One for all servers of this house.
Config with_budget(Config config) {
  config.limits.http.budget = std::make_shared<http::Budget>(config.limits.memory);
  return config;
}

class HouseImpl final : public House {
 public:
  HouseImpl(const Seams& seams, Config config)
      : seams_(seams),
        config_(with_budget(std::move(config))),
        hub_executor_(seams.runtime.make_executor("hub")),
        fleet_executor_(seams.runtime.make_executor("fleet")),
        door_executor_(seams.runtime.make_executor("door")),
        node_executor_(seams.runtime.make_executor("nodes")) {}

  ~HouseImpl() override {
    node_host_.reset();
    fleet_.reset();
    listener_.reset();
    door_.reset();
    door_feed_.reset();
    door_client_.reset();
    hub_.reset();
  }

  void start(std::move_only_function<void(base::Result<HouseFacts>)> started) override {
    started_ = std::move(started);
    stage(*hub_executor_, &HouseImpl::start_hub);
  }
  void stop(runtime::Task stopped) override;
  const Connections& connections() const override { return connections_; }

 private:
  // Stages of the start follow each other over the executors; none begins on an executor that the
  // stop has passed.
  void stage(runtime::Executor& executor, void (HouseImpl::*run)()) {
    executor.post([this, run] {
      if (!stopping_) (this->*run)();
    });
  }
  void start_hub();
  void start_fleet();
  void start_door();
  void follow_keys();
  base::Result<void> open_door(const access::KeyedCertificate& authority);
  void start_nodes();
  void fail(base::Error error) {
    fleet_executor_->post([this, error = std::move(error)] {
      if (started_ && !stopping_) std::exchange(started_, nullptr)(std::unexpected(error));
    });
  }
  std::unique_ptr<client::Client> hub_client(runtime::Executor& executor, const char* name) {
    return connections_.connect(hub_id, executor, loop_identity(name));
  }

  const Seams& seams_;
  const Config config_;
  std::atomic<bool> stopping_ = false;
  std::move_only_function<void(base::Result<HouseFacts>)> started_;  // fleet executor
  HouseFacts facts_;                                                 // door executor until started
  Connections connections_;
  KeyDirectory keys_;
  std::unique_ptr<runtime::Executor> hub_executor_, fleet_executor_, door_executor_, node_executor_;
  // hub executor
  std::unique_ptr<apiserver::Server> hub_;
  // fleet executor
  std::unique_ptr<FleetSide> fleet_;
  // door executor
  std::unique_ptr<client::Client> door_client_;
  client::LocalView door_view_;
  std::unique_ptr<client::Subscription> door_feed_;
  std::unique_ptr<HubKeys> hub_keys_;
  std::unique_ptr<DoorAuthority> authority_;
  Gate door_gate_{*door_executor_};
  std::unique_ptr<aws::Door> door_;
  std::unique_ptr<http::Server> listener_;
  // node executor
  std::unique_ptr<client::Client> node_client_;
  std::unique_ptr<node::Host> node_host_;
};

void HouseImpl::start_hub() {
  apiserver::Config config;
  config.cluster_name = "hub";
  config.kinds = kinds::hub_catalog();
  config.runtime = &seams_.runtime;
  config.executor = hub_executor_.get();
  config.keyspace = seams_.engine.open(std::string(hub_id), *hub_executor_);
  config.is_hub = true;
  config.shared_store = config_.shared_store;
  config.allow_anonymous = false;
  config.admission.service_accounts = false;
  config.request_timeout = config_.limits.request_timeout;
  config.log = seams_.log.with("hub");
  config.audit = audit_to(seams_, *hub_executor_, "hub");
  hub_ = apiserver::make_server(std::move(config));
  hub_->start([this](base::Result<void> ready) {
    if (!ready) return fail(ready.error());
    connections_.announce(std::string(hub_id), [this](runtime::Executor& executor,
                                                      access::Identity who,
                                                      apiserver::FencePtr fence) {
      return seams_.decorated(hub_->make_client(executor, who, std::move(fence)), executor, who);
    });
    stage(*door_executor_, &HouseImpl::start_door);
  });
}

// The door first: clusters check tokens against its key directory.
void HouseImpl::start_door() {
  door_client_ = hub_client(*door_executor_, "door");
  door_feed_ = door_client_->subscribe(
      {resources::namespaces, resources::clusters, resources::updates, resources::access_keys},
      [this](const client::ChangeBatch& batch) {
        door_view_.apply(batch);
        keys_.apply(batch);
        if (door_view_.synced() && !hub_keys_) follow_keys();
      });
}

void HouseImpl::follow_keys() {
  hub_keys_ = std::make_unique<HubKeys>(seams_.runtime, *door_executor_, *door_client_, config_,
                                        seams_.log.with("start"));
  hub_keys_->ensure(keys_, [this](base::Result<aws::AccessKey> root) {
    if (!root) return fail(root.error());
    facts_.root = *root;
    authority_ = std::make_unique<DoorAuthority>(seams_.runtime, *door_executor_, *door_client_,
                                                 seams_.log.with("start"));
    authority_->ensure([this](base::Result<access::KeyedCertificate> authority) {
      if (!authority) return fail(authority.error());
      if (const auto opened = open_door(*authority); !opened) return fail(opened.error());
      stage(*fleet_executor_, &HouseImpl::start_fleet);
    });
  });
}

base::Result<void> HouseImpl::open_door(const access::KeyedCertificate& authority) {
  auto leaf = access::issue_leaf(
      authority,
      access::api_server_leaf({config_.listen_host, config_.advertised_host}, "127.0.0.1"),
      seams_.runtime.random_bytes(16), serving_validity(door_executor_->wall_now()));
  if (!leaf) return std::unexpected(leaf.error());
  runtime::ListenOptions listen;
  listen.address = {config_.listen_host, config_.listen_port};
  // Off loopback nothing is said in the clear.
  listen.tls_mode = config_.on_loopback() ? runtime::TlsMode::detect : runtime::TlsMode::tls;
  listen.tls.certificate_chain_pem = leaf->certificate_pem;
  listen.tls.private_key_pem = leaf->private_key_pem;
  http::Limits limits = config_.limits.http;
  limits.exchanges_max = config_.limits.aws_requests_max;
  const auto metrics = std::make_shared<telemetry::Metrics>();
  limits.metrics = metrics;
  auto listener = http::serve(seams_.runtime, *door_executor_, std::move(listen), std::move(limits),
                              door_gate_);
  if (!listener) return std::unexpected(listener.error());
  listener_ = std::move(*listener);
  facts_.port = listener_->port();
  facts_.authority_pem = authority.certificate_pem;
  aws::DoorOptions options;
  options.version = config_.product_version;
  options.endpoint_host = base::host_and_port(config_.advertised_host, facts_.port);
  options.operator_account = config_.default_account;
  options.metrics = metrics;
  options.cluster_endpoint = [this](std::string_view cluster, int port) {
    return connections_.port_is_open(cluster)
               ? "https://" + base::host_and_port(config_.advertised_host, port)
               : std::string();
  };
  door_ = aws::make_door({.runtime = seams_.runtime,
                          .executor = *door_executor_,
                          .hub = *door_client_,
                          .view = door_view_,
                          .log = seams_.log.with("aws")},
                         options);
  door_gate_.open(*door_);
  return {};
}

void HouseImpl::start_fleet() {
  fleet_ = make_fleet_side({.seams = seams_,
                            .config = config_,
                            .executor = *fleet_executor_,
                            .connections = connections_,
                            .keys = keys_,
                            .door = base::host_and_port(config_.advertised_host, facts_.port)});
  fleet_->start();
  stage(*node_executor_, &HouseImpl::start_nodes);
}

void HouseImpl::start_nodes() {
  node_client_ = hub_client(*node_executor_, "nodes");
  node_host_ = node::make_host(
      {.runtime = seams_.runtime,
       .executor = *node_executor_,
       .hub = *node_client_,
       .connect =
           [this](std::string_view cluster, access::Identity who) {
             return connections_.connect_leading(cluster, *node_executor_, std::move(who));
           },
       .boot_time = config_.pace == Pace::real ? real_node_boot : base::Duration(0),
       .stage = {},
       .log = seams_.log.with("node")});
  connections_.on_announce([this](const std::string& cluster) {
    node_executor_->post([this, cluster] {
      if (node_host_) node_host_->reconnect(cluster);
    });
  });
  fleet_executor_->post([this] {
    if (started_ && !stopping_) std::exchange(started_, nullptr)(facts_);
  });
}

// In the order of dependence: doors, nodes, fleet with its clusters, hub.
void HouseImpl::stop(runtime::Task stopped) {
  stopping_ = true;
  auto last = std::make_shared<runtime::Task>(std::move(stopped));
  const auto stop_hub = [this, last] {
    connections_.withdraw(std::string(hub_id));
    hub_executor_->post([this, last] {
      hub_.reset();
      (*last)();
    });
  };
  const auto stop_fleet = [this, stop_hub] {
    if (!fleet_) return stop_hub();
    fleet_->stop([this, stop_hub] {
      fleet_executor_->post([this, stop_hub] {
        fleet_.reset();
        stop_hub();
      });
    });
  };
  const auto stop_nodes = [this, stop_fleet] {
    node_host_.reset();
    node_client_.reset();
    fleet_executor_->post(stop_fleet);
  };
  const auto close_door = [this, stop_nodes] {
    listener_.reset();
    door_gate_.close();
    door_.reset();
    authority_.reset();
    hub_keys_.reset();
    door_feed_.reset();
    door_client_.reset();
    node_executor_->post(stop_nodes);
  };
  const auto drain_door = [this, close_door] {
    if (!listener_) return close_door();
    listener_->drain([this, close_door] { door_executor_->post(close_door); });
  };
  fleet_executor_->post([this, drain_door] {
    started_ = nullptr;
    const auto go_on = [this, drain_door] {
      if (fleet_) fleet_->begin_draining();
      door_executor_->post(drain_door);
    };
    if (!fleet_) return go_on();
    fleet_->begin_leaving();
    if (config_.limits.shutdown_delay == base::Duration(0)) return go_on();
    fleet_executor_->after(config_.limits.shutdown_delay, go_on);
  });
}

}  // namespace

std::unique_ptr<House> assemble(const Seams& seams, Config config) {
  return std::make_unique<HouseImpl>(seams, std::move(config));
}

}  // namespace keelway::app
