#include "sim/stage.h"

#include <fmt/core.h>

#include <cstdlib>

#include "client/resources.h"
#include "runtime/virtual/disk.h"
#include "store/memory/memory.h"

namespace keelway::sim {
namespace {

namespace resources = client::resources;

constexpr auto look_interval = std::chrono::milliseconds(500);
// How long a user waits for an answer before asking again.
constexpr auto patience = std::chrono::seconds(3);
// Of one of several that dies when a user has been told that a write is safe.
constexpr auto strike_down = std::chrono::seconds(15);
// How often users go to another of several servers, at each look.
constexpr double users_move = 0.01;
// How long a server whose disk failed stands before somebody starts it anew.
constexpr auto repair_time = std::chrono::seconds(5);
// Of one cluster, heartbeats left out. The busiest lawful minutes see some hundreds, and where
// sizes change all the time four thousand: some twelve for each pod that comes and goes. A circle
// that nothing slows down takes a write or two each millisecond.
constexpr std::size_t writes_per_minute_max = 4'000, writes_per_busy_minute_max = 10'000;
// Timers, tasks and segments of the whole world.
constexpr std::size_t pending_max = 50'000;

}  // namespace

Stage::Stage(const Shape& shape, const RunOptions& options)
    : shape_(shape),
      story_(options.story),
      whole_story_(std::getenv("KEELWAY_STORY") != nullptr),
      marks_(shape.seed),
      world_(runtime::make_world(shape.seed)) {
  world_->set_marks(&marks_);
  for (int i = 0; i < shape.servers; ++i) make_server(i);
  if (shape.store == StoreKind::memory) {
    store_host_ = world_->make_host("store");
    shared_store_ =
        store::make_memory(store_host_->runtime(), {.delay_max = std::chrono::milliseconds(2)});
    if (several()) {
      town_ = make_witness(std::move(shared_store_), store_host_->runtime(), stores_, &fences_);
    }
  }
  crowd_ = std::make_unique<Crowd>(*world_, shape, [this]() -> value::Value {
    const auto object = life().hub().get(resources::clusters, hub_namespace, cluster_object);
    return object ? object->value() : value::Value();
  });
  injector_ = std::make_unique<Injector>(*world_, shape, options.enabled, weather_, hands());
  Injector::Machines machines;
  for (const auto& server : servers_) machines.servers.push_back(server->host.get());
  machines.users = &crowd_->host();
  injector_->set_machines(std::move(machines));
}

void Stage::make_server(int index) {
  auto server = std::make_unique<Server>();
  server->host = world_->make_host(fmt::format("server-{}", index));
  const auto here = [this, server = server.get()] { return servers_[front_].get() == server; };
  server->watchers.on_new_cluster_server = [this, here] {
    if (here()) observer_is_lost();
  };
  // What one server sees another may have seen before.
  server->watchers.on_cluster_batch = [this](const client::View& view) {
    if (view.revision() < budget_seen_) return;
    budget_seen_ = view.revision();
    budget_.look(view);
  };
  if (story_) {
    server->watchers.on_change = [this, here](const client::Change& change) {
      if (here()) tell(change);
    };
  }
  servers_.push_back(std::move(server));
}

Stage::~Stage() {
  for (const auto& server : servers_) {
    server->host->kill();
    server->life.reset();
  }
  crowd_.reset();
  if (store_host_) store_host_->kill();
  town_.reset();
  shared_store_.reset();
  world_->set_marks(nullptr);
}

void Stage::fail(std::string what) {
  if (ok()) outcome_.failure = std::move(what);
}

void Stage::note(const std::string& what) const {
  if (story_)
    fmt::print("{:>10} {}\n", base::format_duration(world_->now() - base::Instant{}), what);
}

// Objects that come and go; with KEELWAY_STORY every change and every call.
void Stage::tell(const client::Change& change) const {
  const auto& named = change.object ? change.object : change.previous;
  if (change.resource == resources::config_maps && !whole_story_) return;
  const char* what = !change.object ? "gone" : !change.previous ? "new" : "changed";
  if (change.object && change.previous && !whole_story_) return;
  note(fmt::format("  {} {} {} ({})", what, change.resource.resource, named->name(),
                   named->revision()));
}

// What the server logs, in the time of the world; nothing where nobody reads it.
telemetry::Log Stage::story(const std::string& server) const {
  if (!story_) return {};
  return {"",
          [this, server](telemetry::Level level, std::string_view component,
                         std::string_view message, std::initializer_list<telemetry::Pair> pairs) {
            if (component == "audit" && !whole_story_) return;
            std::string text =
                fmt::format("  {}{}{}: {}", level < telemetry::Level::warning ? "" : "! ",
                            several() ? server + " " : "", component, message);
            for (const auto& [key, word] : pairs) text += fmt::format(" {}={}", key, word);
            note(text);
          }};
}

Hands Stage::hands() {
  Hands hands;
  hands.kill = [this](std::size_t server, base::Duration down) {
    kill_server(server, false, down);
  };
  hands.lose_power = [this](std::size_t server, base::Duration down) {
    kill_server(server, true, down);
  };
  hands.strike_at_answer = [this] { strike_ = true; };
  hands.compact = [this] {
    Witness* witness = town_ ? town_.get() : life().witness();
    if (witness != nullptr) witness->compact();
  };
  hands.remove_machine = [this](std::uint64_t target) {
    // Of those that have become nodes; the others are given up after their registration's time.
    auto machines = life().hub().list(resources::machines);
    std::erase_if(machines, [this](const client::ObjectPtr& machine) {
      const value::Value spec = machine->value()["spec"];
      return !life().cluster().get(resources::nodes, "", spec["nodeName"].as_string());
    });
    if (machines.empty()) return;
    const auto& machine = machines[target % machines.size()];
    life().call_hub(
        client::remove_call(resources::machines, machine->name_space(), machine->name()),
        [](schema::Answer<client::Reply>) {});
  };
  hands.pick_node = [this](std::uint64_t target) -> std::string {
    const auto nodes = life().cluster().list(resources::nodes);
    return nodes.empty() ? "" : "system:node:" + nodes[target % nodes.size()]->name();
  };
  hands.note = [this](const std::string& what) { note(what); };
  return hands;
}

void Stage::start() {
  for (const auto& server : servers_) start_life(*server);
}

void Stage::start_life(Server& server) {
  server.start_at = server.revive_at = {};
  server.life = std::make_unique<Life>(LifeParts{.host = *server.host,
                                                 .shape = shape_,
                                                 .weather = weather_,
                                                 .shared_store = shared_store_.get(),
                                                 .stores = stores_,
                                                 .town = town_.get(),
                                                 .fences = several() ? &fences_ : nullptr,
                                                 .log = story(server.host->name()),
                                                 .watchers = server.watchers});
}

// What was asked through it may or may not have happened.
void Stage::observer_is_lost() {
  ++observers_;
  writes_.server_died();
  verified_ = verifying_ = false;
}

// One of several stays down for a while, the last one never.
void Stage::kill_server(std::size_t index, bool power, base::Duration down) {
  Server& server = *servers_[index];
  if (!server.life) return;
  note(server.host->name() + (power ? " loses its power" : " dies"));
  ++outcome_.kills;
  if (power)
    server.host->lose_power();
  else
    server.host->kill();
  server.life.reset();
  server.host->restart();
  const bool others = std::any_of(servers_.begin(), servers_.end(),
                                  [](const auto& other) { return other->life != nullptr; });
  if (others && down.count() > 0)
    server.start_at = world_->now() + down;
  else
    start_life(server);
  if (index != front_) return;
  observer_is_lost();
  if (!server.life) look_through_another();
}

void Stage::look_through_another() {
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    const Life* life = servers_[i]->life.get();
    if (life == nullptr) continue;
    front_ = i;
    if (life->cluster_up()) break;
  }
  note("looking through " + servers_[front_]->host->name());
}

void Stage::restart_servers() {
  for (std::size_t i = 0; i < servers_.size(); ++i) kill_server(i, false);
}

bool Stage::is_broken(const Server& server) const {
  return server.life && (server.host->disk().fault_fired() || !server.life->failure().empty());
}

void Stage::revive() {
  for (std::size_t i = 0; i < servers_.size(); ++i) revive(i);
}

// A server that cannot write or start because of its disk is started anew, as its keeper would.
void Stage::revive(std::size_t index) {
  Server& server = *servers_[index];
  if (!server.life && server.start_at <= world_->now()) {
    note(server.host->name() + " starts");
    return start_life(server);
  }
  if (!is_broken(server) || healed_) return;
  if (server.revive_at == base::Instant{}) {
    server.revive_at = world_->now() + repair_time;
  } else if (server.revive_at <= world_->now()) {
    server.host->disk().clear_planted();
    marks_.reached("sim.disk_repaired");
    kill_server(index, false);
  }
}

void Stage::heal() {
  injector_->heal();
  strike_ = false;
  weather_ = {};
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    Server& server = *servers_[i];
    server.host->disk().set_faults({});
    const bool broken = is_broken(server);
    server.host->disk().clear_planted();
    if (broken) kill_server(i, false);
    if (!server.life) start_life(server);
  }
  healed_ = true;
  note("heal");
}

void Stage::pass(base::Duration duration) {
  const auto end = world_->now() + duration;
  while (ok()) {
    const base::Instant* next = injector_->next();
    const base::Instant until = next != nullptr && *next < end ? *next : end;
    const auto written = [this] { return writes_.acknowledged() + crowd_->acknowledged(); };
    const std::size_t before = written();
    // Some die at the worst instant: when a user has just been told that a write is safe.
    while (strike_ && world_->step(until)) {
      if (written() == before) continue;
      strike_ = false;
      kill_server(several() ? users_at_ : front_, false, strike_down);
    }
    world_->run_until(until);
    injector_->act();
    if (until == end && (injector_->next() == nullptr || end < *injector_->next())) break;
  }
  revive();
  look();
}

void Stage::look() {
  for (const auto& server : servers_) look_at(*server);
  aim_users();
  fences_.judge();
  const State state{life().cluster(), life().hub(), facts_};
  for (const auto oracle : {nodes_are_never_overcommitted, pods_keep_apart,
                            pod_addresses_are_unique, pods_run_only_on_nodes_that_were_there,
                            no_claim_has_two_machines, pools_stay_within_limits}) {
    if (const auto complaint = oracle(state)) fail(*complaint);
  }
  for (const Complaint& complaint :
       {writes_.complaint(), budget_.complaint(), crowd_->complaint(), fences_.complaint()}) {
    if (complaint) fail(*complaint);
  }
  for (const auto& [name, store] : stores_) {
    if (store.complaint()) fail(*store.complaint());
  }
  look_at_rates();
  if (!verified_) verify();
  outcome_.nodes_most = std::max(outcome_.nodes_most, count(resources::nodes));
  outcome_.pods_most = std::max(outcome_.pods_most, count(resources::pods));
}

void Stage::look_at(Server& server) {
  for (const Complaint& complaint :
       {server.watchers.hub.complaint(), server.watchers.cluster.complaint(),
        server.watchers.history}) {
    if (complaint) fail(*complaint);
  }
  if (!server.life) return;
  server.life->follow_cluster();
  const bool may_fail = shape_.has(Fault::Kind::disk_error) || shape_.has(Fault::Kind::disk_full) ||
                        shape_.has(Fault::Kind::store_leader) ||
                        shape_.has(Fault::Kind::store_lost) || shape_.has(Fault::Kind::store_cut);
  if (!server.life->failure().empty() && !may_fail) {
    fail("the server failed: " + server.life->failure());
  }
}

void Stage::look_at_rates() {
  const auto minute_ago = world_->now() + -std::chrono::minutes(1);
  const std::size_t most =
      shape_.sizes_change_all_the_time() ? writes_per_busy_minute_max : writes_per_minute_max;
  for (const auto& [name, store] : stores_) {
    const std::size_t writes = store.writes_since(minute_ago, {"/coordination.k8s.io/leases/"});
    if (writes <= most) continue;
    fail(fmt::format("{} saw {} writes in a minute, the last of {}", name, writes,
                     store.last_written()));
  }
  if (world_->pending() > pending_max) {
    fail(fmt::format("{} tasks, timers and segments wait", world_->pending()));
  }
}

// Of several servers the users ask one and then another.
void Stage::aim_users() {
  const auto serves = [this](std::size_t index) {
    return servers_[index]->life && servers_[index]->life->serves_cluster();
  };
  if (several() && (!serves(users_at_) || world_->random().chance(users_move))) {
    const std::size_t at = world_->random().below(servers_.size());
    if (serves(at)) users_at_ = at;
  }
  const Life* asked = servers_[several() ? users_at_ : front_]->life.get();
  const auto cluster = life().hub().get(resources::clusters, hub_namespace, cluster_object);
  if (!cluster || asked == nullptr) return;
  const auto port = static_cast<std::uint16_t>(cluster->value().at("status", "port").as_int());
  const std::string& host = servers_[several() ? users_at_ : front_]->host->name();
  crowd_->aim({host, port}, {host, door_port}, asked->facts().root);
}

std::int64_t Stage::count(const client::Resource& resource) const {
  return static_cast<std::int64_t>(life().cluster().list(resource).size());
}

// Asks what is left of the acknowledged writes, once in each life and at the end.
void Stage::verify() {
  if (!life().cluster_up() || writes_.under_way() || verifying_) return;
  client::Call list = client::list_call(resources::config_maps, writes_.name_space());
  verifying_ = true;
  const auto asker = observers_;
  life().call_cluster(std::move(list), [this, asker](schema::Answer<client::Reply> answer) {
    if (asker != observers_) return;
    verifying_ = false;
    if (!answer) return;  // lost: the next look asks again
    verified_ = true;
    if (const auto complaint = writes_.check(answer->object)) fail(*complaint);
  });
}

void Stage::write() {
  if (!verified_ || verifying_ || !life().cluster_up() || !world_->random().chance(0.3)) return;
  auto call = writes_.next(world_->random());
  if (!call) return;
  const auto asker = observers_;
  life().call_cluster(std::move(*call), [this, asker](schema::Answer<client::Reply> answer) {
    if (asker == observers_) writes_.answered(answer);
  });
}

bool Stage::wait(const std::string& what, const std::function<bool()>& done, base::Duration limit) {
  const auto end = world_->now() + limit;
  while (ok() && !done()) {
    if (end <= world_->now()) {
      fail("gave up waiting for " + what + describe_rest());
      return false;
    }
    pass(look_interval);
  }
  return ok();
}

client::Reply Stage::demand(client::Call call, bool of_hub, const char* also) {
  struct Asked {
    bool answered = false;
    client::Reply reply;
    std::string why = "it was never asked";
  };
  const auto asked = std::make_shared<Asked>();
  const bool was_over = !ok();
  const auto done = [asked, also](schema::Answer<client::Reply> answer) {
    asked->answered = asked->answered || answer || answer.error().is(also);
    if (answer)
      asked->reply = std::move(*answer);
    else
      asked->why = answer.error().message;
  };
  base::Instant ask_at{};
  wait("an answer to the user", [&] {
    if (asked->answered || !life().up() || !(of_hub || life().cluster_up())) return asked->answered;
    if (world_->now() < ask_at) return false;
    ask_at = world_->now() + patience;
    if (of_hub)
      life().call_hub(call, done);
    else
      life().call_cluster(call, done);
    return false;
  });
  if (!asked->answered && !was_over) {
    outcome_.failure += "; the user heard last: " + asked->why;
  }
  return asked->reply;
}

void Stage::finish() {
  outcome_.writes = static_cast<std::int64_t>(writes_.acknowledged() + crowd_->acknowledged());
  outcome_.reached = marks_.all();
}

std::string Stage::describe_rest() const {
  std::string text =
      fmt::format("; {} pods, {} nodes, {} claims, {} machines", count(resources::pods),
                  count(resources::nodes), count(resources::node_claims),
                  life().hub().list(resources::machines).size());
  if (!life().failure().empty()) text += "; the server failed: " + life().failure();
  int shown = 0;
  for (const auto& pod : life().cluster().list(resources::pods)) {
    const value::Value document = pod->value();
    if (document.at("status", "phase").as_string() == "Running" && !pod->deleting()) continue;
    if (++shown > 3) break;
    text +=
        fmt::format("; {} {}{} on '{}'", pod->name(), document.at("status", "phase").as_string(),
                    pod->deleting() ? ", to go," : "", document.at("spec", "nodeName").as_string());
  }
  return text;
}

}  // namespace keelway::sim
