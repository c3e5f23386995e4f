#include "app/cluster_plane.h"

#include <fmt/core.h>

#include <atomic>

#include "access/pki.h"
#include "access/service_account_token.h"
#include "apiserver/server.h"
#include "app/bootstrap.h"
#include "app/gate.h"
#include "app/loops.h"
#include "cloud/simulated/catalogue.h"
#include "http/server.h"
#include "kinds/catalog.h"

namespace keelway::app {
namespace {

// Serving certificates are made anew at each start; this is only a bound for a server that is
// never restarted.
constexpr auto serving_certificate_life = std::chrono::hours(24 * 825);

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
        catalogue_(std::move(catalogue)),
        server_executor_(parts_.seams.runtime.make_executor("cluster " + spec_.id)),
        loops_executor_(parts_.seams.runtime.make_executor("loops " + spec_.id)) {}
  // Loops first, then what they speak to; executors last.
  ~ClusterPlane() {
    loops_.reset();
    listener_.reset();
    server_.reset();
  }

  std::uint16_t port() const { return port_; }
  using Up = std::move_only_function<void(std::optional<base::Error>)>;
  void assemble(Up up);  // `up` on the owner
  void stop(runtime::Task done);

 private:
  base::Result<void> listen();
  base::Result<std::unique_ptr<apiserver::Server>> make_server();
  access::AwsTokenCheck aws_token_check() const;
  void start_loops();
  void answer(std::optional<base::Error> error);

  PlaneParts parts_;
  const fleet::ControlPlaneSpec spec_;
  const schema::KindSetPtr kinds_;
  const cloud::CataloguePtr catalogue_;
  std::uint16_t port_ = 0;  // set before `up` is called
  Up up_;                   // owner only, once set
  std::unique_ptr<runtime::Executor> server_executor_, loops_executor_;
  // server executor only
  Gate gate_;
  std::unique_ptr<apiserver::Server> server_;
  std::unique_ptr<http::Server> listener_;
  // loops executor only
  std::unique_ptr<ClusterLoops> loops_;
};

base::Result<void> ClusterPlane::listen() {
  const base::WallTime now = server_executor_->wall_now();
  const auto service_ip = first_service_address(spec_.service_cidr);
  auto leaf = access::issue_leaf(
      spec_.keys.authority,
      access::api_server_leaf({parts_.config.advertised_host, parts_.config.listen_host},
                              service_ip),
      parts_.seams.runtime.random_bytes(16),
      {now + -std::chrono::hours(1), now + serving_certificate_life});
  if (!leaf) return std::unexpected(leaf.error());
  runtime::ListenOptions listen;
  listen.address = {parts_.config.listen_host, spec_.port};
  listen.tls_mode = runtime::TlsMode::tls;
  listen.tls.certificate_chain_pem = leaf->certificate_pem;
  listen.tls.private_key_pem = leaf->private_key_pem;
  listen.tls.client_ca_pem = spec_.keys.authority.certificate_pem;
  auto listener =
      http::serve(parts_.seams.runtime, *server_executor_, std::move(listen), {}, gate_);
  if (!listener) return std::unexpected(listener.error());
  listener_ = std::move(*listener);
  port_ = listener_->port();
  return {};
}

access::AwsTokenCheck ClusterPlane::aws_token_check() const {
  return [&keys = parts_.keys, cluster = spec_.name, creator = spec_.creator_arn](
             std::string_view token, base::WallTime now) -> schema::Answer<access::Identity> {
    const auto caller = aws::verify_token(
        token, cluster, [&keys](std::string_view id) { return keys.find(id); }, now);
    if (!caller) return std::unexpected(schema::unauthorized());
    access::Identity who;
    who.user = caller->arn;
    who.uid = fmt::format("aws-iam-authenticator:{}:{}", caller->account_id, caller->user_id);
    // The creator is cluster admin; any other IAM identity is known and may do nothing.
    if (caller->arn == creator) who.groups.push_back("system:masters");
    who.extra["accessKeyId"] = {caller->access_key_id};
    who.extra["arn"] = {caller->arn};
    who.extra["canonicalArn"] = {caller->arn};
    who.extra["principalId"] = {caller->user_id};
    who.extra["sessionName"] = {""};
    return who;
  };
}

base::Result<std::unique_ptr<apiserver::Server>> ClusterPlane::make_server() {
  auto signer = access::TokenSigner::make(spec_.keys.service_account_key_pem, spec_.oidc_issuer);
  if (!signer) return std::unexpected(signer.error());
  apiserver::Config config;
  auto verifier = access::TokenVerifier::make({signer->public_key_pem()}, spec_.oidc_issuer,
                                              {config.api_audience});
  if (!verifier) return std::unexpected(verifier.error());
  config.cluster_name = spec_.name;
  config.git_version = fmt::format("v1.{}.{}-eks-keelway", spec_.minor, spec_.minor == 33 ? 5 : 9);
  config.kinds = kinds_;
  config.runtime = &parts_.seams.runtime;
  config.executor = server_executor_.get();
  config.keyspace = parts_.seams.engine.open(spec_.id, *server_executor_);
  config.service_cidr = spec_.service_cidr;
  config.endpoint_host = parts_.config.advertised_host;
  config.endpoint_port = port_;
  config.token_signer = std::make_shared<const access::TokenSigner>(std::move(*signer));
  config.token_verifier = std::make_shared<const access::TokenVerifier>(std::move(*verifier));
  config.aws_tokens = aws_token_check();
  config.cache = cache_limits(parts_.config.knobs);
  config.bootstrap = cluster_bootstrap(spec_.minor, parts_.config.default_pools);
  config.log = parts_.seams.log.with("apiserver");
  config.audit = audit_to(parts_.seams.audit, spec_.arn);
  return apiserver::make_server(std::move(config));
}

void ClusterPlane::assemble(Up up) {
  up_ = std::move(up);
  server_executor_->post([this] {
    if (const auto listening = listen(); !listening) return answer(listening.error());
    auto server = make_server();
    if (!server) return answer(server.error());
    server_ = std::move(*server);
    server_->start([this](base::Result<void> started) {
      if (!started) return answer(started.error());
      gate_.open(*server_);
      start_loops();
    });
  });
}

void ClusterPlane::start_loops() {
  parts_.connections.announce(spec_.id, [this](runtime::Executor& executor, access::Identity who) {
    return parts_.seams.decorated(server_->make_client(executor, who), executor, who);
  });
  loops_executor_->post([this] {
    loops_ = start_cluster_loops({.runtime = parts_.seams.runtime,
                                  .executor = *loops_executor_,
                                  .connections = parts_.connections,
                                  .cluster = spec_,
                                  .kinds = kinds_,
                                  .catalogue = catalogue_,
                                  .config = parts_.config,
                                  .log = parts_.seams.log,
                                  .decorate_cloud = parts_.seams.decorate_cloud});
    answer(std::nullopt);
  });
}

void ClusterPlane::answer(std::optional<base::Error> error) {
  parts_.owner.post([this, error = std::move(error)] { std::exchange(up_, nullptr)(error); });
}

void ClusterPlane::stop(runtime::Task done) {
  parts_.connections.withdraw(spec_.id);
  auto last = std::make_shared<runtime::Task>(std::move(done));
  const auto finish = [this, last] {
    listener_.reset();
    server_.reset();
    parts_.owner.post([last] { (*last)(); });
  };
  loops_executor_->post([this, finish] {
    loops_.reset();
    server_executor_->post([this, finish] {
      gate_.close();
      if (server_) server_->end_watches();
      if (!listener_) return finish();
      // The listener may not be destroyed from inside its own callback.
      listener_->drain([this, finish] { server_executor_->post(finish); });
    });
  });
}

// What the fleet holds of a plane.
class PlaneHandle final : public fleet::ControlPlane {
 public:
  PlaneHandle(Planes& planes, std::string id, std::uint16_t port)
      : planes_(planes), id_(std::move(id)), port_(port) {}
  std::uint16_t port() const override { return port_; }
  void stop(runtime::Task done) override { planes_.stop(id_, std::move(done)); }

 private:
  Planes& planes_;
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

void Planes::assemble(fleet::ControlPlaneSpec spec, fleet::Assembled assembled) {
  const auto kinds = kinds_of(spec.minor);
  if (!kinds) {
    return assembled(base::fail(base::ErrorCode::invalid,
                                fmt::format("Kubernetes 1.{} is not served; use 1.{} to 1.{}",
                                            spec.minor, kinds::minor_first, kinds::minor_last)));
  }
  const std::string id = spec.id;
  auto& plane = planes_[id];
  const auto catalogue = catalogue_of(spec.region);
  plane = std::make_unique<ClusterPlane>(parts_, std::move(spec), kinds, catalogue);
  plane->assemble(
      [this, id, assembled = std::move(assembled)](std::optional<base::Error> error) mutable {
        if (!error) return assembled(std::make_unique<PlaneHandle>(*this, id, planes_[id]->port()));
        stop(id, [assembled = std::move(assembled), error = std::move(*error)]() mutable {
          assembled(std::unexpected(std::move(error)));
        });
      });
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
