#include "fleet/supervisor.h"

#include <fmt/core.h>

#include "base/encoding.h"
#include "client/resources.h"

namespace keelway::fleet {
namespace resources = client::resources;
using value::Value;

// One control plane on its way up.
struct Supervisor::Start {
  std::string name_space, name;
  reconcile::EffectDone done;
  Value cluster;
  ControlPlaneSpec spec;
};

namespace {

constexpr std::string_view default_service_cidr = "10.100.0.0/16";

int minor_of(std::string_view version) {
  const auto dot = version.find('.');
  return dot == std::string_view::npos ? 0
                                       : std::atoi(std::string(version.substr(dot + 1)).c_str());
}

// 32 hexadecimal digits, in upper case as EKS prints them.
std::string issuer_id(const std::string& cluster_uid) {
  std::string id = base::hex_encode(base::sha256(cluster_uid)).substr(0, 32);
  for (char& c : id) {
    if (c >= 'a') c = static_cast<char>(c - 'a' + 'A');
  }
  return id;
}

ControlPlaneSpec spec_of(const Value& cluster) {
  const Value& spec = cluster["spec"];
  ControlPlaneSpec wanted;
  wanted.id = cluster.at("metadata", "name").as_string();
  wanted.name_space = cluster.at("metadata", "namespace").as_string();
  wanted.name = spec["name"].as_string();
  wanted.arn = spec["arn"].as_string();
  wanted.account_id = spec["accountId"].as_string();
  wanted.region = spec["region"].as_string();
  wanted.creator_arn = spec["creatorArn"].as_string();
  wanted.minor = minor_of(spec["version"].as_string());
  wanted.service_cidr =
      spec.at("kubernetesNetworkConfig", "serviceIpv4Cidr").string_or(default_service_cidr);
  wanted.port = static_cast<std::uint16_t>(cluster.at("status", "port").as_int());
  wanted.oidc_issuer = fmt::format("https://oidc.eks.{}.amazonaws.com/id/{}", wanted.region,
                                   issuer_id(cluster.at("metadata", "uid").as_string()));
  return wanted;
}

}  // namespace

Supervisor::Supervisor(SupervisorParts parts) : parts_(std::move(parts)) {}

Supervisor::~Supervisor() {
  *alive_ = false;
}

void Supervisor::halt(const std::string& name, runtime::Task done) {
  const auto found = running_.find(name);
  if (found == running_.end()) return done();
  auto plane = std::make_shared<std::unique_ptr<ControlPlane>>(std::move(found->second));
  running_.erase(found);
  ++halting_;
  (*plane)->stop([this, plane, alive = alive_, done = std::move(done)]() mutable {
    plane->reset();
    if (!*alive) return;
    --halting_;
    done();
    tell_if_stopped();
  });
}

void Supervisor::stop_all(runtime::Task done) {
  stopping_ = true;
  stopped_ = std::move(done);
  std::vector<std::string> names;
  for (const auto& [name, plane] : running_) {
    if (!starting_.contains(name)) names.push_back(name);  // its start ends in a halt
  }
  for (const std::string& name : names) halt(name, [] {});
  tell_if_stopped();
}

void Supervisor::tell_if_stopped() {
  if (!stopping_ || !stopped_ || !running_.empty() || !starting_.empty() || halting_ > 0) return;
  std::exchange(stopped_, nullptr)();
}

void Supervisor::execute(const reconcile::Effect& effect, reconcile::EffectDone done) {
  const std::string name_space = effect.arguments["namespace"].as_string();
  const std::string name = effect.arguments["name"].as_string();
  if (effect.name == "halt") {
    halt(name, [done = std::move(done)]() mutable { done(Value()); });
  } else if (effect.name == "discard") {
    discard(name_space, name, std::move(done));
  } else if (stopping_ || running_.contains(name) || starting_.contains(name)) {
    done(Value());
  } else {
    auto start = std::make_shared<Start>();
    start->name_space = name_space;
    start->name = name;
    start->done = std::move(done);
    starting_[name] = start;
    run(std::move(start));
  }
}

void Supervisor::run(StartPtr start) {
  parts_.hub.call(client::get_call(resources::clusters, start->name_space, start->name),
                  [this, start, alive = alive_](schema::Answer<client::Reply> answer) {
                    if (!*alive) return;
                    if (!answer) return fail(start, answer.error().message);
                    start->cluster = answer->object;
                    start->spec = spec_of(answer->object);
                    read_keys(start);
                  });
}

void Supervisor::read_keys(StartPtr start) {
  parts_.hub.call(client::get_call(resources::cluster_keys, start->name_space, start->name),
                  [this, start, alive = alive_](schema::Answer<client::Reply> answer) {
                    if (!*alive) return;
                    if (!answer && answer.error().is("NotFound")) return draw_keys(start);
                    if (!answer) return fail(start, answer.error().message);
                    auto keys = read_cluster_keys(answer->object);
                    if (!keys) return fail(start, keys.error().message);
                    start->spec.keys = std::move(*keys);
                    assemble(start);
                  });
}

void Supervisor::draw_keys(StartPtr start) {
  auto drawn = std::make_shared<base::Result<ClusterKeys>>();
  const std::string serial = parts_.runtime.random_bytes(16);
  const base::WallTime now = parts_.executor.wall_now();
  parts_.runtime.workers().run(
      parts_.executor,
      [drawn, serial, now, name = start->spec.name] {
        *drawn = make_cluster_keys(name, serial, now);
      },
      [this, start, drawn, alive = alive_] {
        if (!*alive) return;
        if (!*drawn) return fail(start, drawn->error().message);
        auto create = client::create_call(resources::cluster_keys, start->name_space,
                                          cluster_key_object(start->name, **drawn));
        parts_.hub.call(std::move(create),
                        [this, start, alive](schema::Answer<client::Reply> answer) {
                          if (!*alive) return;
                          if (!answer && !answer.error().is("AlreadyExists")) {
                            return fail(start, answer.error().message);
                          }
                          // What is stored is the truth, also where another start was faster.
                          read_keys(start);
                        });
      });
}

void Supervisor::assemble(StartPtr start) {
  parts_.assemble(start->spec, [this, start, alive = alive_](
                                   base::Result<std::unique_ptr<ControlPlane>> assembled) {
    if (!*alive) return;
    if (!assembled) return fail(start, assembled.error().message);
    running_[start->name] = std::move(*assembled);
    if (stopping_) return fail(start, "the server is stopping");
    report(start);
  });
}

void Supervisor::report(StartPtr start) {
  const std::uint16_t port = running_[start->name]->port();
  const std::string endpoint = fmt::format("https://{}:{}", parts_.advertised_host, port);
  Value status = Value::object(
      {{"status", "ACTIVE"},
       {"endpoint", endpoint},
       {"port", static_cast<int>(port)},
       {"platformVersion", "eks.1"},
       {"oidcIssuer", start->spec.oidc_issuer},
       {"certificateAuthority",
        Value::object(
            {{"data", base::base64_encode(start->spec.keys.authority.certificate_pem)}})}});
  const Value& known = start->cluster["status"];
  if (known["status"].as_string() != "CREATING" && known["status"].is_string()) {
    status.erase("status");  // a restart does not end an update or a deletion
  }
  auto finish = [this, start, port, alive = alive_](schema::Answer<client::Reply> answer) {
    if (!*alive) return;
    if (!answer) return fail(start, answer.error().message);
    if (stopping_) return fail(start, "the server is stopping");
    parts_.log.info("cluster runs", {{"cluster", start->spec.arn}, {"port", std::to_string(port)}});
    starting_.erase(start->name);
    start->done(Value());
  };
  parts_.hub.call(
      client::merge_patch_call(resources::clusters, start->name_space, start->name,
                               Value::object({{"status", std::move(status)}}), "status"),
      std::move(finish));
}

void Supervisor::fail(StartPtr start, const std::string& what) {
  parts_.log.error("cluster cannot be started", {{"cluster", start->name}, {"why", what}});
  starting_.erase(start->name);
  halt(start->name, [start, what] { start->done(base::fail(base::ErrorCode::unavailable, what)); });
  tell_if_stopped();
}

void Supervisor::discard(const std::string& name_space, const std::string& name,
                         reconcile::EffectDone done) {
  auto shared_done = std::make_shared<reconcile::EffectDone>(std::move(done));
  parts_.discard(
      name, [this, name_space, name, shared_done, alive = alive_](base::Result<void> discarded) {
        if (!*alive) return;
        if (!discarded) return (*shared_done)(std::unexpected(discarded.error()));
        parts_.hub.call(client::remove_call(resources::cluster_keys, name_space, name),
                        [shared_done](schema::Answer<client::Reply> answer) {
                          if (!answer && !answer.error().is("NotFound")) {
                            return (*shared_done)(
                                base::fail(base::ErrorCode::unavailable, answer.error().message));
                          }
                          (*shared_done)(Value());
                        });
      });
}

}  // namespace keelway::fleet
