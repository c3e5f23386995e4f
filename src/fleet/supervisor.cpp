#include "fleet/supervisor.h"

#include <fmt/core.h>

#include "base/encoding.h"
#include "base/host.h"
#include "client/resources.h"

namespace keelway::fleet {
namespace resources = client::resources;
using value::Value;

// One control plane on its way up, or to its leader's place.
struct Supervisor::Start {
  std::string name_space, name, uid, version;
  bool own = false;
  std::int64_t epoch = 0;
  reconcile::EffectDone done;
  Value cluster;
  ControlPlaneSpec spec;
  std::uint64_t tenure = 0;
  Registration registration;
  std::shared_ptr<client::Client> writer;  // kept: its answers end this start
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

// Clusters of the first release have the keyspace of their object's name.
std::string keyspace_of(const Value& cluster) {
  const Value& status = cluster["status"];
  const std::string& name = cluster.at("metadata", "name").as_string();
  if (status["keyspace"].is_string()) return status["keyspace"].as_string();
  const std::string& uid = cluster.at("metadata", "uid").as_string();
  if (status["port"].as_int() != 0 || uid.empty()) return name;
  return name + "-" + base::hex_encode(base::sha256(uid)).substr(0, 12);
}

ControlPlaneSpec spec_of(const Value& cluster) {
  const Value& spec = cluster["spec"];
  ControlPlaneSpec wanted;
  wanted.id = cluster.at("metadata", "name").as_string();
  wanted.keyspace = keyspace_of(cluster);
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

void remove_keys(client::Client& hub, const std::string& name_space, const std::string& name,
                 std::shared_ptr<reconcile::EffectDone> told) {
  hub.call(client::remove_call(resources::cluster_keys, name_space, name),
           [told = std::move(told)](schema::Answer<client::Reply> answer) {
             if (answer || answer.error().is("NotFound")) return (*told)(Value());
             (*told)(base::fail(base::ErrorCode::unavailable, answer.error().message));
           });
}

}  // namespace

Supervisor::Supervisor(SupervisorParts parts) : parts_(std::move(parts)) {}

Supervisor::~Supervisor() {
  *alive_ = false;
}

void Supervisor::begin(Registration registration, std::shared_ptr<client::Client> writer) {
  ++tenure_;
  registration_ = std::move(registration);
  writer_ = std::move(writer);
}

void Supervisor::end() {
  ++tenure_;
  writer_.reset();
  for (auto& [name, running] : running_) {
    running.led_epoch = -1;
    running.reported = false;
    running.plane->follow();
  }
}

std::vector<reconcile::Key> Supervisor::running_keys() const {
  std::vector<reconcile::Key> keys;
  for (const auto& [name, running] : running_) keys.push_back({running.name_space, name, ""});
  return keys;
}

void Supervisor::halt(const std::string& name, runtime::Task done) {
  const auto found = running_.find(name);
  if (found == running_.end()) return done();
  auto plane = std::make_shared<std::unique_ptr<ControlPlane>>(std::move(found->second.plane));
  running_.erase(found);
  const auto halting = halting_.insert(name);
  (*plane)->stop([this, plane, halting, alive = alive_, done = std::move(done)]() mutable {
    plane->reset();
    if (!*alive) return;
    halting_.erase(halting);
    done();
    tell_if_stopped();
  });
}

void Supervisor::stop_all(runtime::Task done) {
  stopping_ = true;
  stopped_ = std::move(done);
  std::vector<std::string> names;
  for (const auto& [name, running] : running_) {
    if (!starting_.contains(name)) names.push_back(name);  // its start ends in a halt
  }
  for (const std::string& name : names) halt(name, [] {});
  tell_if_stopped();
}

void Supervisor::tell_if_stopped() {
  const bool idle = running_.empty() && starting_.empty() && halting_.empty();
  if (!stopping_ || !stopped_ || !idle) return;
  std::exchange(stopped_, nullptr)();
}

void Supervisor::execute(const reconcile::Effect& effect, reconcile::EffectDone done) {
  const Value& arguments = effect.arguments;
  const std::string name_space = arguments["namespace"].as_string();
  const std::string name = arguments["name"].as_string();
  // A start of an earlier tenure may yet bring its plane up, and a plane that goes down still has
  // its keyspace open: what is to be stopped or removed is asked for again when they are through.
  const bool removes = effect.name == "halt" || effect.name == "discard";
  if (removes && (starting_.contains(name) || halting_.contains(name))) {
    return done(base::fail(base::ErrorCode::unavailable, name + " is starting or stopping"));
  }
  if (effect.name == "halt") {
    return halt(name, [done = std::move(done)]() mutable { done(Value()); });
  }
  if (effect.name == "discard") return discard(name_space, name, std::move(done));
  if (stopping_) return done(Value());
  // One of an earlier tenure is given up at its next step.
  if (starting_.contains(name) || halting_.contains(name) || !writer_) {
    return done(base::fail(base::ErrorCode::unavailable, name + " is starting or stopping"));
  }
  auto start = std::make_shared<Start>();
  start->name_space = name_space;
  start->name = name;
  start->uid = arguments["uid"].as_string();
  start->version = arguments["version"].as_string();
  start->own = arguments["own"].as_bool();
  start->epoch = arguments["epoch"].as_int();
  start->done = std::move(done);
  start->tenure = tenure_;
  start->registration = registration_;
  start->writer = writer_;
  if (settled(*start)) return start->done(Value());
  starting_[name] = start;
  run(std::move(start));
}

// Whether everything is as this start would make it.
bool Supervisor::settled(const Start& start) const {
  const auto found = running_.find(start.name);
  if (found == running_.end()) return false;
  const Running& now = found->second;
  return now.uid == start.uid && now.version == start.version && now.reported &&
         now.led_epoch == (start.own ? start.epoch : -1);
}

bool Supervisor::given_up(const Start& start) const {
  return start.tenure != tenure_;
}

void Supervisor::run(StartPtr start) {
  parts_.hub.call(client::get_call(resources::clusters, start->name_space, start->name),
                  [this, start, alive = alive_](schema::Answer<client::Reply> answer) {
                    if (!*alive) return;
                    if (!answer) return fail(start, answer.error().message);
                    start->cluster = answer->object;
                    start->spec = spec_of(answer->object);
                    start->spec.own = start->own;
                    start->version = start->cluster.at("spec", "version").as_string();
                    choose(start);
                  });
}

// What runs already may be another cluster that had this name, or of another version.
void Supervisor::choose(StartPtr start) {
  if (given_up(*start)) return fail(start, "this server's lease ended meanwhile");
  if (start->cluster.at("metadata", "uid").as_string() != start->uid) {
    return fail(start, "the cluster was replaced by another of its name");
  }
  const auto found = running_.find(start->name);
  if (found == running_.end()) return read_keys(start);
  Running& now = found->second;
  if (now.uid != start->uid) {
    return halt(start->name, [this, start, alive = alive_] {
      if (*alive) read_keys(start);
    });
  }
  if (!start->own) {
    now.led_epoch = -1;
    now.plane->follow();
  }
  if (now.version == start->version) return lead(start);
  upgrade(start);
}

void Supervisor::upgrade(StartPtr start) {
  Running* running = plane_of(*start);
  if (running == nullptr) return fail(start, "it is being stopped");
  running->plane->upgrade(start->spec.minor,
                          [this, start, alive = alive_](base::Result<void> upgraded) {
                            if (!*alive) return;
                            if (!upgraded) return fail(start, upgraded.error().message);
                            Running* now = plane_of(*start);
                            if (now == nullptr) return fail(start, "it is being stopped");
                            now->version = start->version;
                            now->reported = false;
                            lead(start);
                          });
}

void Supervisor::read_keys(StartPtr start) {
  parts_.hub.call(client::get_call(resources::cluster_keys, start->name_space, start->name),
                  [this, start, alive = alive_](schema::Answer<client::Reply> answer) {
                    if (!*alive) return;
                    const bool none = !answer && answer.error().is("NotFound");
                    if (none && start->own) return draw_keys(start);
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
        start->writer->call(std::move(create),
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
  if (given_up(*start)) return fail(start, "this server's lease ended meanwhile");
  parts_.assemble(start->spec, [this, start, alive = alive_](
                                   base::Result<std::unique_ptr<ControlPlane>> assembled) {
    if (!*alive) return;
    if (!assembled) return fail(start, assembled.error().message);
    Running& running = running_[start->name];
    running.plane = std::move(*assembled);
    running.name_space = start->name_space;
    running.uid = start->uid;
    running.version = start->version;
    if (stopping_) return fail(start, "the server is stopping");
    if (given_up(*start)) return fail(start, "this server's lease ended meanwhile");
    lead(start);
  });
}

// The control plane of a start, null where something has halted it meanwhile.
Supervisor::Running* Supervisor::plane_of(const Start& start) {
  const auto found = running_.find(start.name);
  const bool same = found != running_.end() && found->second.uid == start.uid;
  return same && !stopping_ && !given_up(start) ? &found->second : nullptr;
}

void Supervisor::lead(StartPtr start) {
  Running* running = plane_of(*start);
  if (running == nullptr) return fail(start, "it is being stopped");
  if (!start->own || running->led_epoch == start->epoch) return report(start);
  running->plane->lead(
      {start->registration, start->epoch, static_cast<std::int64_t>(start->tenure)},
      [this, start, alive = alive_](base::Result<void> leads) {
        if (!*alive) return;
        if (!leads) return fail(start, leads.error().message);
        Running* led = plane_of(*start);
        if (led == nullptr) return fail(start, "it is being stopped");
        led->led_epoch = start->epoch;
        report(start);
      });
}

// The leader tells what clients are told; each server tells that it serves the version.
void Supervisor::report(StartPtr start) {
  const Running* running = plane_of(*start);
  if (running == nullptr) return fail(start, "it is being stopped");
  const std::uint16_t port = running->plane->port();
  Value status = Value::object();
  if (!start->registration.uid.empty()) {
    status.set("servedBy", Value::object({{start->registration.server, running->version}}));
  }
  if (start->own) {
    status.set("status", "ACTIVE");
    status.set("endpoint", "https://" + base::host_and_port(parts_.advertised_host, port));
    status.set("port", static_cast<int>(port));
    status.set("keyspace", start->spec.keyspace);
    status.set("platformVersion", "eks.1");
    status.set("version", running->version);
    status.set("oidcIssuer", start->spec.oidc_issuer);
    const Value known = start->cluster.at("status", "status");
    if (known.as_string() != "CREATING" && known.is_string()) {
      status.erase("status");  // a restart does not end an update or a deletion
    }
    if (!start->spec.keys.authority.certificate_pem.empty()) {
      status.set("certificateAuthority",
                 Value::object(
                     {{"data", base::base64_encode(start->spec.keys.authority.certificate_pem)}}));
    }
  }
  auto told = [this, start, port, alive = alive_](schema::Answer<client::Reply> answer) {
    if (!*alive) return;
    if (!answer) return fail(start, answer.error().message);
    Running* told_of = plane_of(*start);
    if (told_of == nullptr) return fail(start, "it is being stopped");
    told_of->reported = true;
    parts_.log.info("cluster runs", {{"cluster", start->spec.arn}, {"port", std::to_string(port)}});
    starting_.erase(start->name);
    start->done(Value());
  };
  start->writer->call(
      client::merge_patch_call(resources::clusters, start->name_space, start->name,
                               Value::object({{"status", std::move(status)}}), "status"),
      std::move(told));
}

void Supervisor::fail(StartPtr start, const std::string& what) {
  parts_.log.error("cluster cannot be started", {{"cluster", start->name}, {"why", what}});
  starting_.erase(start->name);
  auto tell = [start, what] { start->done(base::fail(base::ErrorCode::unavailable, what)); };
  // What serves goes on serving; the next try goes on from there.
  if (stopping_)
    halt(start->name, std::move(tell));
  else
    tell();
  tell_if_stopped();
}

void Supervisor::discard(const std::string& name_space, const std::string& name,
                         reconcile::EffectDone done) {
  if (!writer_) return done(base::fail(base::ErrorCode::unavailable, "this server has no lease"));
  auto told = std::make_shared<reconcile::EffectDone>(std::move(done));
  parts_.hub.call(
      client::get_call(resources::clusters, name_space, name),
      [this, name_space, name, told, writer = writer_,
       alive = alive_](schema::Answer<client::Reply> answer) {
        if (!*alive) return;
        if (!answer && answer.error().is("NotFound")) return (*told)(Value());
        if (!answer) {
          return (*told)(base::fail(base::ErrorCode::unavailable, answer.error().message));
        }
        parts_.discard(keyspace_of(answer->object),
                       [name_space, name, told, writer](base::Result<void> discarded) {
                         if (!discarded) return (*told)(std::unexpected(discarded.error()));
                         remove_keys(*writer, name_space, name, told);
                       });
      });
}

}  // namespace keelway::fleet
