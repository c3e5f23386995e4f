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
// How long a server whose disk failed stands before somebody starts it anew.
constexpr auto repair_time = std::chrono::seconds(5);
// Of one cluster, heartbeats left out. The busiest lawful minutes see some hundreds.
constexpr std::size_t writes_per_minute_max = 4'000;
// Timers, tasks and segments of the whole world.
constexpr std::size_t pending_max = 50'000;

}  // namespace

Stage::Stage(const Shape& shape, const RunOptions& options)
    : shape_(shape),
      story_(options.story),
      whole_story_(std::getenv("KEELWAY_STORY") != nullptr),
      marks_(shape.seed),
      world_(runtime::make_world(shape.seed)),
      host_(world_->make_host("server-0")) {
  world_->set_marks(&marks_);
  if (shape.store == StoreKind::memory) {
    store_host_ = world_->make_host("store");
    shared_store_ =
        store::make_memory(store_host_->runtime(), {.delay_max = std::chrono::milliseconds(2)});
  }
  crowd_ = std::make_unique<Crowd>(*world_, shape, [this]() -> value::Value {
    const auto object = life_->hub().get(resources::clusters, hub_namespace, cluster_object);
    return object ? object->value() : value::Value();
  });
  injector_ = std::make_unique<Injector>(*world_, shape, options.enabled, weather_, hands());
  injector_->set_machines({host_.get(), &crowd_->host()});
  watchers_.on_new_cluster_server = [this] {
    writes_.server_died();
    verified_ = verifying_ = false;
  };
  watchers_.on_cluster_batch = [this](const client::View& view) { budget_.look(view); };
  if (story_) watchers_.on_change = [this](const client::Change& change) { tell(change); };
}

Stage::~Stage() {
  host_->kill();
  life_.reset();
  crowd_.reset();
  if (store_host_) store_host_->kill();
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
telemetry::Log Stage::story() const {
  if (!story_) return {};
  return {"", [this](telemetry::Level level, std::string_view component, std::string_view message,
                     std::initializer_list<telemetry::Pair> pairs) {
            if (component == "audit" && !whole_story_) return;
            std::string text = fmt::format(
                "  {}{}: {}", level < telemetry::Level::warning ? "" : "! ", component, message);
            for (const auto& [key, word] : pairs) text += fmt::format(" {}={}", key, word);
            note(text);
          }};
}

Hands Stage::hands() {
  Hands hands;
  hands.kill = [this] { kill_server(false); };
  hands.lose_power = [this] { kill_server(true); };
  hands.strike_at_answer = [this] { strike_ = true; };
  hands.compact = [this] {
    if (life_->witness() != nullptr) life_->witness()->compact();
  };
  hands.remove_machine = [this](std::uint64_t target) {
    // Of those that have become nodes; the others are given up after their registration's time.
    auto machines = life_->hub().list(resources::machines);
    std::erase_if(machines, [this](const client::ObjectPtr& machine) {
      const value::Value spec = machine->value()["spec"];
      return !life_->cluster().get(resources::nodes, "", spec["nodeName"].as_string());
    });
    if (machines.empty()) return;
    const auto& machine = machines[target % machines.size()];
    life_->call_hub(
        client::remove_call(resources::machines, machine->name_space(), machine->name()),
        [](schema::Answer<client::Reply>) {});
  };
  hands.pick_node = [this](std::uint64_t target) -> std::string {
    const auto nodes = life_->cluster().list(resources::nodes);
    return nodes.empty() ? "" : "system:node:" + nodes[target % nodes.size()]->name();
  };
  hands.note = [this](const std::string& what) { note(what); };
  return hands;
}

void Stage::start() {
  start_life();
}

void Stage::start_life() {
  life_ = std::make_unique<Life>(LifeParts{.host = *host_,
                                           .shape = shape_,
                                           .weather = weather_,
                                           .shared_store = shared_store_.get(),
                                           .log = story(),
                                           .watchers = watchers_});
  verified_ = verifying_ = false;
}

void Stage::kill_server(bool power) {
  note(power ? "the server loses its power" : "the server dies");
  ++outcome_.kills;
  revive_at_ = {};
  if (power)
    host_->lose_power();
  else
    host_->kill();
  life_.reset();
  writes_.server_died();
  host_->restart();
  start_life();
}

// A server that cannot write or start because of its disk is started anew, as its keeper would.
void Stage::revive() {
  const bool broken = host_->disk().fault_fired() || !life_->failure().empty();
  if (!broken || healed_) return;
  if (revive_at_ == base::Instant{}) {
    revive_at_ = world_->now() + repair_time;
  } else if (revive_at_ <= world_->now()) {
    host_->disk().clear_planted();
    marks_.reached("sim.disk_repaired");
    kill_server(false);
  }
}

void Stage::heal() {
  injector_->heal();
  strike_ = false;
  weather_ = {};
  host_->disk().set_faults({});
  const bool broken = host_->disk().fault_fired() || !life_->failure().empty();
  host_->disk().clear_planted();
  if (broken) kill_server(false);
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
      kill_server(false);
    }
    world_->run_until(until);
    injector_->act();
    if (until == end && (injector_->next() == nullptr || end < *injector_->next())) break;
  }
  revive();
  look();
}

void Stage::look() {
  life_->follow_cluster();
  aim_users();
  if (!life_->failure().empty() && !shape_.has(Fault::Kind::disk_error) &&
      !shape_.has(Fault::Kind::disk_full) && !shape_.has(Fault::Kind::store_leader) &&
      !shape_.has(Fault::Kind::store_lost)) {
    fail("the server failed: " + life_->failure());
  }
  const State state{life_->cluster(), life_->hub()};
  for (const auto oracle : {nodes_are_never_overcommitted, pod_addresses_are_unique,
                            pods_run_only_on_nodes_that_were_there, no_claim_has_two_machines}) {
    if (const auto complaint = oracle(state)) fail(*complaint);
  }
  for (const Complaint& complaint :
       {watchers_.hub.complaint(), watchers_.cluster.complaint(), watchers_.history,
        writes_.complaint(), budget_.complaint(), crowd_->complaint()}) {
    if (complaint) fail(*complaint);
  }
  for (const auto& [name, store] : watchers_.stores) {
    if (store.complaint()) fail(*store.complaint());
  }
  look_at_rates();
  if (!verified_) verify();
  outcome_.nodes_most = std::max(outcome_.nodes_most, count(resources::nodes));
  outcome_.pods_most = std::max(outcome_.pods_most, count(resources::pods));
}

void Stage::look_at_rates() {
  const auto minute_ago = world_->now() + -std::chrono::minutes(1);
  for (const auto& [name, store] : watchers_.stores) {
    const std::size_t writes = store.writes_since(minute_ago, {"/coordination.k8s.io/leases/"});
    if (writes <= writes_per_minute_max) continue;
    fail(fmt::format("{} saw {} writes in a minute, the last of {}", name, writes,
                     store.last_written()));
  }
  if (world_->pending() > pending_max) {
    fail(fmt::format("{} tasks, timers and segments wait", world_->pending()));
  }
}

void Stage::aim_users() {
  const auto cluster = life_->hub().get(resources::clusters, hub_namespace, cluster_object);
  if (!cluster) return;
  const auto port = static_cast<std::uint16_t>(cluster->value().at("status", "port").as_int());
  crowd_->aim({host_->name(), port}, {host_->name(), door_port}, life_->facts().root);
}

std::int64_t Stage::count(const client::Resource& resource) const {
  return static_cast<std::int64_t>(life_->cluster().list(resource).size());
}

const StoreOracle* Stage::store_of(const std::string& keyspace) const {
  const auto found = watchers_.stores.find(keyspace);
  return found == watchers_.stores.end() ? nullptr : &found->second;
}

// Asks what is left of the acknowledged writes, once in each life and at the end.
void Stage::verify() {
  if (!life_->cluster_up() || writes_.under_way() || verifying_) return;
  client::Call call;
  call.verb = client::Verb::list;
  call.resource = resources::config_maps;
  call.name_space = writes_.name_space();
  verifying_ = true;
  life_->call_cluster(std::move(call), [this](schema::Answer<client::Reply> answer) {
    verifying_ = false;
    if (!answer) return;  // lost: the next look asks again
    verified_ = true;
    if (const auto complaint = writes_.check(answer->object)) fail(*complaint);
  });
}

void Stage::write() {
  if (!verified_ || verifying_ || !life_->cluster_up() || !world_->random().chance(0.3)) return;
  auto call = writes_.next(world_->random());
  if (!call) return;
  life_->call_cluster(std::move(*call),
                      [this](schema::Answer<client::Reply> answer) { writes_.answered(answer); });
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
  const auto done = [asked, also](schema::Answer<client::Reply> answer) {
    asked->answered = asked->answered || answer || answer.error().is(also);
    if (answer)
      asked->reply = std::move(*answer);
    else
      asked->why = answer.error().message;
  };
  base::Instant ask_at{};
  wait("an answer to the user", [&] {
    if (asked->answered || !life_->up() || !(of_hub || life_->cluster_up())) return asked->answered;
    if (world_->now() < ask_at) return false;
    ask_at = world_->now() + patience;
    if (of_hub)
      life_->call_hub(call, done);
    else
      life_->call_cluster(call, done);
    return false;
  });
  if (!asked->answered) {
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
                  life_->hub().list(resources::machines).size());
  if (!life_->failure().empty()) text += "; the server failed: " + life_->failure();
  int shown = 0;
  for (const auto& pod : life_->cluster().list(resources::pods)) {
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
