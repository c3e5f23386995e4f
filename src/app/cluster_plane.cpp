#include "app/cluster_plane.h"

#include <fmt/core.h>

#include <atomic>

#include "access/service_account_token.h"
#include "apiserver/server.h"
#include "app/bootstrap.h"
#include "app/credentials.h"
#include "app/gate.h"
#include "app/loops.h"
#include "app/token_check.h"
#include "cloud/simulated/catalogue.h"
#include "http/hand_over.h"
#include "http/server.h"
#include "kinds/catalog.h"

namespace keelway::app {
namespace {

constexpr auto listen_retry = std::chrono::seconds(1);

// By what right loops of the cluster run here.
struct Lead {
  fleet::Leadership by;
  apiserver::FencePtr cluster, hub;  // null: nobody else writes
};

std::unexpected<base::Error> not_served(int minor) {
  return base::fail(base::ErrorCode::invalid,
                    fmt::format("Kubernetes 1.{} is not served; use 1.{} to 1.{}", minor,
                                kinds::minor_first, kinds::minor_last));
}

auto cache_limits(const Knobs& knobs) {
  decltype(apiserver::Config::cache) limits;
  limits.events_max = knobs.watch_window;
  limits.page = knobs.store_page;
  limits.replayed_max = knobs.replayed;
  return limits;
}

}  // namespace

// Tasks hold a bare `this`: the plane is kept by Planes until stop() has called back.
class ClusterPlane {
 public:
  ClusterPlane(PlaneParts parts, fleet::ControlPlaneSpec spec, schema::KindSetPtr kinds,
               cloud::CataloguePtr catalogue)
      : parts_(std::move(parts)),
        spec_(std::move(spec)),
        kinds_(std::move(kinds)),
        minor_(spec_.minor),
        catalogue_(std::move(catalogue)),
        server_executor_(parts_.seams.runtime.make_executor("cluster " + spec_.id)),
        loops_executor_(parts_.seams.runtime.make_executor("loops " + spec_.id)),
        front_executor_(
            parts_.seams.runtime.make_executor("front " + spec_.id, runtime::Lane::connections)) {}
  // Loops first, then what they speak to; executors last.
  ~ClusterPlane() {
    loops_.reset();
    listener_.reset();
    hand_over_.close();
    server_.reset();
  }

  std::uint16_t port() const { return port_; }
  using Up = std::move_only_function<void(std::optional<base::Error>)>;
  // On the owner, as what they call.
  void assemble(Up up);
  void lead(fleet::Leadership leadership, fleet::ControlPlane::Done done);
  void follow();
  void upgrade(int minor, schema::KindSetPtr kinds, fleet::ControlPlane::Done done);
  void begin_leaving();
  void begin_draining();
  void stop(runtime::Task done);

 private:
  // The front's part.
  base::Result<void> listen();
  base::Result<void> listen_or_wait();
  void close_front(runtime::Task closed);
  // The server's.
  void start_server();
  apiserver::Version version(int minor) const;
  apiserver::Foundation foundation() const;
  base::Result<std::unique_ptr<apiserver::Server>> make_server();
  void announce();
  void found(Lead lead, fleet::ControlPlane::Done done);
  void start_loops(const Lead& lead, fleet::ControlPlane::Done done);
  void answer(std::optional<base::Error> error);
  void tell(fleet::ControlPlane::Done done, base::Result<void> result);

  PlaneParts parts_;
  const fleet::ControlPlaneSpec spec_;
  schema::KindSetPtr kinds_;  // server executor
  int minor_;                 // likewise
  const cloud::CataloguePtr catalogue_;
  std::uint16_t port_ = 0;  // set once, before the server is made
  Up up_;                   // owner only, once set
  bool stopping_ = false;   // owner only
  std::unique_ptr<runtime::Executor> server_executor_, loops_executor_, front_executor_;
  const std::shared_ptr<telemetry::Metrics> metrics_ = std::make_shared<telemetry::Metrics>();
  // server executor only
  Gate gate_{*server_executor_, apiserver::refusal_words};
  http::HandOver hand_over_{*front_executor_, *server_executor_, gate_, metrics_};
  std::unique_ptr<apiserver::Server> server_;
  std::optional<Lead> lead_;      // while its loops run here, or are about to
  std::uint64_t lead_asked_ = 0;  // an answer to an earlier question is void
  // front executor only
  std::unique_ptr<http::Server> listener_;
  runtime::TimerId listen_again_ = 0;
  // loops executor only
  std::unique_ptr<ClusterLoops> loops_;
};

base::Result<void> ClusterPlane::listen() {
  const auto service_ip = first_service_address(spec_.service_cidr);
  auto leaf = access::issue_leaf(
      spec_.keys.authority,
      access::api_server_leaf({parts_.config.advertised_host, parts_.config.listen_host},
                              service_ip),
      parts_.seams.runtime.random_bytes(16), serving_validity(front_executor_->wall_now()));
  if (!leaf) return std::unexpected(leaf.error());
  http::Limits limits = parts_.config.limits.http;
  limits.metrics = metrics_;
  runtime::ListenOptions listen;
  listen.address = {parts_.config.listen_host, spec_.port};
  listen.tls_mode = runtime::TlsMode::tls;
  listen.tls.certificate_chain_pem = leaf->certificate_pem;
  listen.tls.private_key_pem = leaf->private_key_pem;
  listen.tls.client_ca_pem = spec_.keys.authority.certificate_pem;
  auto listener = http::serve(parts_.seams.runtime, *front_executor_, std::move(listen),
                              std::move(limits), hand_over_);
  if (!listener) return std::unexpected(listener.error());
  listener_ = std::move(*listener);
  if (port_ == 0) port_ = listener_->port();
  parts_.connections.open_port(spec_.id);
  return {};
}

// Where several servers share a store, a port that is taken here (by a server on the same address,
// say) is asked for again, and the plane serves this process meanwhile. An idle cluster whose port
// is open owns no timer.
base::Result<void> ClusterPlane::listen_or_wait() {
  auto listening = listen();
  if (listening || !parts_.config.shared_store || spec_.port == 0) return listening;
  if (port_ == 0) {
    parts_.seams.log.warning("the cluster's port is taken here; it is tried again",
                             {{"cluster", spec_.arn}, {"why", listening.error().message}});
    port_ = spec_.port;
  }
  listen_again_ = front_executor_->after(listen_retry, [this] {
    listen_again_ = 0;
    (void)listen_or_wait();
  });
  return {};
}

apiserver::Version ClusterPlane::version(int minor) const {
  return {kinds_, fmt::format("v1.{}.{}-eks-keelway", minor, minor == 33 ? 5 : 9),
          parts_.config.shared_store ? std::vector<value::Value>() : cluster_bootstrap(minor)};
}

apiserver::Foundation ClusterPlane::foundation() const {
  return {cluster_bootstrap(minor_),
          parts_.config.default_pools ? default_pool_objects() : std::vector<value::Value>()};
}

base::Result<std::unique_ptr<apiserver::Server>> ClusterPlane::make_server() {
  auto signer = access::TokenSigner::make(spec_.keys.service_account_key_pem, spec_.oidc_issuer);
  if (!signer) return std::unexpected(signer.error());
  apiserver::Config config;
  auto verifier = access::TokenVerifier::make({signer->public_key_pem()}, spec_.oidc_issuer,
                                              {config.api_audience});
  if (!verifier) return std::unexpected(verifier.error());
  config.cluster_name = spec_.name;
  apiserver::Version version = this->version(minor_);
  config.git_version = std::move(version.git_version);
  if (!parts_.config.shared_store) {
    config.foundation = foundation();
  } else {
    config.founding = spec_.own ? apiserver::Founding::later : apiserver::Founding::by_another;
  }
  config.kinds = std::move(version.kinds);
  config.shared_store = parts_.config.shared_store;
  config.runtime = &parts_.seams.runtime;
  config.executor = server_executor_.get();
  config.keyspace = parts_.seams.engine.open(spec_.keyspace, *server_executor_);
  config.service_cidr = spec_.service_cidr;
  config.endpoint_host = parts_.config.advertised_host;
  config.endpoint_port = port_;
  config.token_signer = std::make_shared<const access::TokenSigner>(std::move(*signer));
  config.token_verifier = std::make_shared<const access::TokenVerifier>(std::move(*verifier));
  config.aws_tokens = make_token_check(parts_.keys, spec_.name, spec_.creator_arn);
  config.cache = cache_limits(parts_.config.knobs);
  config.metrics = metrics_;
  config.show_more = parts_.seams.show_process;
  config.fairness = parts_.config.limits.fairness;
  config.request_timeout = parts_.config.limits.request_timeout;
  config.log = parts_.seams.log.with("apiserver");
  config.audit = audit_to(parts_.seams, *config.executor, spec_.arn);
  return apiserver::make_server(std::move(config));
}

void ClusterPlane::assemble(Up up) {
  up_ = std::move(up);
  front_executor_->post([this] {
    if (const auto listening = listen_or_wait(); !listening) return answer(listening.error());
    server_executor_->post([this] { start_server(); });
  });
}

void ClusterPlane::start_server() {
  auto server = make_server();
  if (!server) return answer(server.error());
  server_ = std::move(*server);
  server_->start([this](base::Result<void> started) {
    if (!started) return answer(started.error());
    gate_.open(*server_);
    announce();
    answer(std::nullopt);
  });
}

void ClusterPlane::announce() {
  parts_.connections.announce(spec_.id, [this](runtime::Executor& executor, access::Identity who,
                                               apiserver::FencePtr fence) {
    return parts_.seams.decorated(server_->make_client(executor, who, std::move(fence)), executor,
                                  who);
  });
}

void ClusterPlane::lead(fleet::Leadership leadership, fleet::ControlPlane::Done done) {
  server_executor_->post([this, leadership = std::move(leadership),
                          done = std::move(done)]() mutable {
    const std::uint64_t asked = ++lead_asked_;
    const bool alone = leadership.server.uid.empty() || !parts_.seams.fenced;
    if (alone) return found({std::move(leadership), nullptr, nullptr}, std::move(done));
    apiserver::FenceClaim claim{leadership.server.uid, leadership.epoch, leadership.tenure};
    server_->take_fence(std::move(claim), [this, asked, leadership = std::move(leadership),
                                           done = std::move(done)](
                                              base::Result<apiserver::Fence> taken) mutable {
      if (!taken) return tell(std::move(done), std::unexpected(taken.error()));
      if (asked != lead_asked_) {
        return tell(std::move(done), base::fail(base::ErrorCode::cancelled, "it follows by now"));
      }
      auto hub = std::make_shared<const apiserver::Fence>(
          apiserver::server_fence(leadership.server.server, leadership.server.revision));
      found(
          {std::move(leadership), std::make_shared<const apiserver::Fence>(*taken), std::move(hub)},
          std::move(done));
    });
  });
}

// Where servers share the keyspace whoever leads writes what the cluster lacks, before its loops.
void ClusterPlane::found(Lead lead, fleet::ControlPlane::Done done) {
  if (!parts_.config.shared_store) return start_loops(lead, std::move(done));
  const apiserver::FencePtr fence = lead.cluster;
  server_->found(foundation(), fence,
                 [this, asked = lead_asked_, lead = std::move(lead),
                  done = std::move(done)](base::Result<void> founded) mutable {
                   if (founded && asked != lead_asked_) {
                     founded = base::fail(base::ErrorCode::cancelled, "it follows by now");
                   }
                   if (!founded) return tell(std::move(done), std::move(founded));
                   start_loops(lead, std::move(done));
                 });
}

void ClusterPlane::start_loops(const Lead& lead, fleet::ControlPlane::Done done) {
  lead_ = lead;
  loops_executor_->post([this, lead, kinds = kinds_, done = std::move(done)]() mutable {
    loops_.reset();
    loops_ = start_cluster_loops({.runtime = parts_.seams.runtime,
                                  .executor = *loops_executor_,
                                  .connections = parts_.connections,
                                  .cluster = spec_,
                                  .cluster_fence = lead.cluster,
                                  .hub_fence = lead.hub,
                                  .kinds = std::move(kinds),
                                  .catalogue = catalogue_,
                                  .config = parts_.config,
                                  .log = parts_.seams.log,
                                  .decorate_cloud = parts_.seams.decorate_cloud});
    parts_.connections.lead(spec_.id, lead.cluster);
    tell(std::move(done), {});
  });
}

void ClusterPlane::follow() {
  parts_.connections.follow(spec_.id);
  server_executor_->post([this] {
    ++lead_asked_;
    lead_.reset();
    loops_executor_->post([this] {
      loops_.reset();
      parts_.connections.follow(spec_.id);  // a lead may have come between
    });
  });
}

// The loops know the kinds of their server: they start anew.
void ClusterPlane::upgrade(int minor, schema::KindSetPtr kinds, fleet::ControlPlane::Done done) {
  server_executor_->post([this, minor, kinds = std::move(kinds), done = std::move(done)]() mutable {
    kinds_ = std::move(kinds);
    minor_ = minor;
    server_->adopt(version(minor),
                   [this, done = std::move(done)](base::Result<void> adopted) mutable {
                     if (!adopted || !lead_) return tell(std::move(done), std::move(adopted));
                     found(Lead(*lead_), std::move(done));
                   });
  });
}

void ClusterPlane::tell(fleet::ControlPlane::Done done, base::Result<void> result) {
  parts_.owner.post(
      [done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
}

void ClusterPlane::answer(std::optional<base::Error> error) {
  parts_.owner.post([this, error = std::move(error)] { std::exchange(up_, nullptr)(error); });
}

void ClusterPlane::begin_leaving() {
  server_executor_->post([this] {
    if (server_) server_->begin_leaving();
  });
}

void ClusterPlane::begin_draining() {
  if (stopping_) return;  // which drains, too
  server_executor_->post([this] {
    if (server_) server_->end_watches();
    front_executor_->post([this] {
      if (listen_again_ != 0) front_executor_->cancel(std::exchange(listen_again_, 0));
      if (listener_) listener_->drain([] {});
    });
  });
}

void ClusterPlane::close_front(runtime::Task closed) {
  if (listen_again_ != 0) front_executor_->cancel(std::exchange(listen_again_, 0));
  if (!listener_) return closed();
  // The listener may not be destroyed from inside its own callback.
  listener_->drain([this, closed = std::move(closed)]() mutable {
    front_executor_->post([this, closed = std::move(closed)]() mutable {
      listener_.reset();
      closed();
    });
  });
}

// Loops that are about to start are stopped, too: what starts them is asked first.
void ClusterPlane::stop(runtime::Task done) {
  stopping_ = true;
  parts_.connections.withdraw(spec_.id);
  auto last = std::make_shared<runtime::Task>(std::move(done));
  const auto finish = [this, last] {
    hand_over_.close();
    server_.reset();
    parts_.owner.post([last] { (*last)(); });
  };
  const auto close = [this, finish] {
    gate_.close();
    if (server_) server_->end_watches();
    front_executor_->post(
        [this, finish] { close_front([this, finish] { server_executor_->post(finish); }); });
  };
  server_executor_->post([this, close] {
    ++lead_asked_;
    lead_.reset();
    loops_executor_->post([this, close] {
      loops_.reset();
      server_executor_->post(close);
    });
  });
}

// What the fleet holds of a plane.
class PlaneHandle final : public fleet::ControlPlane {
 public:
  PlaneHandle(Planes& planes, ClusterPlane& plane, std::string id)
      : planes_(planes), plane_(plane), id_(std::move(id)), port_(plane.port()) {}
  std::uint16_t port() const override { return port_; }
  void lead(fleet::Leadership leadership, Done done) override {
    plane_.lead(std::move(leadership), std::move(done));
  }
  void follow() override { plane_.follow(); }
  void upgrade(int minor, Done done) override { planes_.upgrade(id_, minor, std::move(done)); }
  void stop(runtime::Task done) override { planes_.stop(id_, std::move(done)); }

 private:
  Planes& planes_;
  ClusterPlane& plane_;  // kept by Planes until it has stopped
  const std::string id_;
  const std::uint16_t port_;
};

Planes::Planes(PlaneParts parts) : parts_(std::move(parts)) {}
Planes::~Planes() = default;

schema::KindSetPtr Planes::kinds_of(int minor) {
  schema::KindSetPtr& kinds = kinds_[minor];
  if (!kinds) kinds = kinds::catalog(minor);
  return kinds;
}

cloud::CataloguePtr Planes::catalogue_of(const std::string& region) {
  cloud::CataloguePtr& catalogue = catalogues_[region];
  if (!catalogue) catalogue = cloud::make_catalogue(region);
  return catalogue;
}

void Planes::upgrade(const std::string& id, int minor, fleet::ControlPlane::Done done) {
  const auto kinds = kinds_of(minor);
  if (!kinds) return done(not_served(minor));
  planes_[id]->upgrade(minor, kinds, std::move(done));
}

void Planes::assemble(fleet::ControlPlaneSpec spec, fleet::Assembled assembled) {
  const auto kinds = kinds_of(spec.minor);
  if (!kinds) return assembled(not_served(spec.minor));
  const std::string id = spec.id;
  auto& plane = planes_[id];
  const auto catalogue = catalogue_of(spec.region);
  plane = std::make_unique<ClusterPlane>(parts_, std::move(spec), kinds, catalogue);
  plane->assemble(
      [this, id, assembled = std::move(assembled)](std::optional<base::Error> error) mutable {
        if (!error) return assembled(std::make_unique<PlaneHandle>(*this, *planes_[id], id));
        stop(id, [assembled = std::move(assembled), error = std::move(*error)]() mutable {
          assembled(std::unexpected(std::move(error)));
        });
      });
}

void Planes::begin_leaving() {
  for (const auto& [id, plane] : planes_) plane->begin_leaving();
}

void Planes::begin_draining() {
  for (const auto& [id, plane] : planes_) plane->begin_draining();
}

void Planes::stop(const std::string& id, runtime::Task done) {
  const auto found = planes_.find(id);
  if (found == planes_.end()) return done();
  found->second->stop([this, id, done = std::move(done)]() mutable {
    planes_.erase(id);
    done();
  });
}

}  // namespace keelway::app
