#include "sim/run.h"

#include <fmt/core.h>
#include <stdlib.h>

#include <filesystem>

#include "app/house.h"
#include "client/resources.h"
#include "runtime/virtual/world.h"
#include "sim/oracles/oracle.h"
#include "store/sealed/sealed.h"
#include "store/sqlite/sqlite.h"

namespace keelway::sim {
namespace {

namespace resources = client::resources;
using value::Value;

constexpr auto look_interval = std::chrono::milliseconds(500);
constexpr auto liveness_limit = std::chrono::minutes(10);
constexpr auto silence_time = std::chrono::minutes(1);
constexpr const char* hub_namespace = "000000000000-us-east-1";
constexpr const char* cluster_object = "c-sim";

Value cluster_document() {
  return Value::object(
      {{"metadata", Value::object({{"name", cluster_object}, {"namespace", hub_namespace}})},
       {"spec", Value::object({{"name", "sim"},
                               {"arn", "arn:aws:eks:us-east-1:000000000000:cluster/sim"},
                               {"accountId", "000000000000"},
                               {"region", "us-east-1"},
                               {"version", "1.33"},
                               {"creatorArn", "arn:aws:iam::000000000000:root"}})},
       {"status", Value::object({{"status", "CREATING"}})}});
}

Value deployment_document(const Workload& workload) {
  const Value labels = Value::object({{"app", workload.name}});
  const Value requests = Value::object({{"cpu", workload.cpu}, {"memory", workload.memory}});
  const Value container = Value::object({{"name", "main"},
                                         {"image", "example.com/app:1"},
                                         {"resources", Value::object({{"requests", requests}})}});
  return Value::object(
      {{"metadata", Value::object({{"name", workload.name}, {"namespace", "default"}})},
       {"spec", Value::object(
                    {{"replicas", workload.replicas},
                     {"selector", Value::object({{"matchLabels", labels}})},
                     {"template",
                      Value::object({{"metadata", Value::object({{"labels", labels}})},
                                     {"spec", Value::object({{"containers",
                                                              Value::array({container})}})}})}})}});
}

// A folder in memory that is gone with the run.
class ScratchFolder {
 public:
  ScratchFolder() {
    char path[] = "/dev/shm/keelway-sim-XXXXXX";
    KEELWAY_INVARIANT(mkdtemp(path) != nullptr, "the simulator needs /dev/shm");
    path_ = path;
  }
  ~ScratchFolder() { std::filesystem::remove_all(path_); }
  std::string database() const { return path_ + "/keelway.db"; }

 private:
  std::string path_;
};

// One life of the server process with a user inside it; killed as a whole.
class Life {
 public:
  Life(runtime::Host& host, const std::string& database, const Losses& losses, telemetry::Log log)
      : runtime_(host.runtime()), losses_(losses), user_(runtime_.make_executor("user")) {
    auto opened = store::open_sqlite(runtime_, {.path = database});
    KEELWAY_INVARIANT(opened.has_value(), opened.error().message);
    store::KeyRing ring;
    ring.keys[1] = std::string(32, 'k');
    ring.current = 1;
    auto sealed = store::make_sealed(std::move(*opened), runtime_, std::move(ring));
    KEELWAY_INVARIANT(sealed.has_value(), sealed.error().message);
    engine_ = std::move(*sealed);
    seams_ = std::make_unique<app::Seams>(app::Seams{
        .runtime = runtime_,
        .engine = *engine_,
        .log = std::move(log),
        .decorate = [this](std::unique_ptr<client::Client> client, runtime::Executor& executor) {
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
  ~Life() {
    cluster_feed_.reset();
    hub_feed_.reset();
    cluster_.reset();
    hub_.reset();
    user_.reset();
    house_.reset();
    seams_.reset();
    engine_.reset();
  }

  const client::LocalView& hub() const { return hub_view_; }
  const client::LocalView& cluster() const { return cluster_view_; }
  bool up() const { return hub_ != nullptr; }
  bool cluster_up() const { return cluster_view_.synced(); }
  const std::string& failure() const { return failure_; }

  void call_hub(client::Call call, client::ReplyCallback done) {
    user_->post([this, call = std::move(call), done = std::move(done)]() mutable {
      hub_->call(std::move(call), std::move(done));
    });
  }
  void call_cluster(client::Call call, client::ReplyCallback done) {
    user_->post([this, call = std::move(call), done = std::move(done)]() mutable {
      cluster_->call(std::move(call), std::move(done));
    });
  }
  // Connects to the cluster once it runs; harmless to repeat.
  void follow_cluster() {
    user_->post([this] {
      if (cluster_ != nullptr) return;
      cluster_ = house_->connections().connect(cluster_object, *user_, user());
      if (!cluster_) return;
      cluster_feed_ = cluster_->subscribe(
          {resources::pods, resources::nodes, resources::node_claims, resources::deployments},
          [this](const client::ChangeBatch& batch) { cluster_view_.apply(batch); });
    });
  }

 private:
  static access::Identity user() { return access::component("sim-user", {"system:masters"}); }
  void follow_hub() {
    hub_ = house_->connections().connect(app::hub_id, *user_, user());
    hub_feed_ =
        hub_->subscribe({resources::clusters, resources::machines},
                        [this](const client::ChangeBatch& batch) { hub_view_.apply(batch); });
  }

  runtime::Runtime& runtime_;
  const Losses& losses_;
  std::string failure_;
  std::unique_ptr<store::Engine> engine_;
  std::unique_ptr<app::Seams> seams_;
  std::unique_ptr<app::House> house_;
  std::unique_ptr<runtime::Executor> user_;
  std::unique_ptr<client::Client> hub_, cluster_;
  client::LocalView hub_view_, cluster_view_;
  std::unique_ptr<client::Subscription> hub_feed_, cluster_feed_;
};

class Run {
 public:
  Run(const Shape& shape, bool trace)
      : shape_(shape),
        trace_(trace),
        world_(runtime::make_world(shape.seed)),
        host_(world_->make_host("server")) {}

  Outcome play() {
    start_life();
    if (wait("the server and its hub", [this] { return life_->up(); })) safety();
    losses_ = {};
    note("heal");
    if (ok()) liveness();
    if (ok()) silence();
    outcome_.trace_hash = world_->trace_hash();
    outcome_.virtual_time = world_->now() - base::Instant{};
    host_->kill();
    life_.reset();
    return outcome_;
  }

 private:
  bool ok() const { return outcome_.failure.empty(); }
  void fail(std::string what) {
    if (ok()) outcome_.failure = std::move(what);
  }
  void note(const std::string& what) const {
    if (trace_)
      fmt::print("{:>10} {}\n", base::format_duration(world_->now() - base::Instant{}), what);
  }

  void start_life() {
    life_ = std::make_unique<Life>(*host_, folder_.database(), losses_, story());
  }
  // What the server logs, in the time of the world; nothing where nobody reads it.
  telemetry::Log story() const {
    if (!trace_) return {};
    const bool whole_story = std::getenv("KEELWAY_STORY") != nullptr;
    return {"", [this, whole_story](telemetry::Level level, std::string_view component,
                                    std::string_view message,
                                    std::initializer_list<telemetry::Pair> pairs) {
              if (component == "audit" && !whole_story) return;
              std::string text = fmt::format(
                  "  {}{}: {}", level < telemetry::Level::warning ? "" : "! ", component, message);
              for (const auto& [key, word] : pairs) text += fmt::format(" {}={}", key, word);
              note(text);
            }};
  }

  void look() {
    life_->follow_cluster();
    if (!life_->failure().empty()) fail("the server failed: " + life_->failure());
    const State state{life_->cluster(), life_->hub()};
    for (const auto oracle : {nodes_are_never_overcommitted, pod_addresses_are_unique,
                              pods_run_only_on_nodes_that_were_there}) {
      if (const auto complaint = oracle(state)) fail(*complaint);
    }
    outcome_.nodes_most =
        std::max<std::int64_t>(outcome_.nodes_most, life_->cluster().list(resources::nodes).size());
    outcome_.pods_most =
        std::max<std::int64_t>(outcome_.pods_most, life_->cluster().list(resources::pods).size());
  }

  // Lets time pass with the oracles looking on, until `done` or the limit.
  bool wait(const std::string& what, const std::function<bool()>& done,
            base::Duration limit = liveness_limit) {
    const auto end = world_->now() + limit;
    while (ok() && !done()) {
      if (end <= world_->now()) {
        fail("gave up waiting for " + what + describe_rest());
        return false;
      }
      world_->run_for(look_interval);
      look();
    }
    return ok();
  }

  void kill_server() {
    note("kill");
    ++outcome_.kills;
    host_->kill();
    life_.reset();
    host_->restart();
    start_life();
  }

  // Asks until it is so: a user whose call was lost asks again.
  void demand(client::Call call, bool of_hub) {
    const auto shared = std::make_shared<client::Call>(std::move(call));
    const auto answered = std::make_shared<bool>(false);
    const auto ask = [this, shared, answered, of_hub] {
      const auto done = [answered](schema::Answer<client::Reply> answer) {
        *answered = answer || answer.error().is("AlreadyExists");
      };
      if (of_hub)
        life_->call_hub(*shared, done);
      else
        life_->call_cluster(*shared, done);
    };
    wait("an answer to the user", [this, ask, answered, of_hub] {
      if (!*answered && life_->up() && (of_hub || life_->cluster_up())) ask();
      world_->run_for(std::chrono::seconds(3));
      return *answered;
    });
  }

  void safety() {
    losses_ = shape_.losses;
    demand(client::create_call(
               resources::namespaces, "",
               Value::object({{"metadata", Value::object({{"name", hub_namespace}})}})),
           true);
    demand(client::create_call(resources::clusters, hub_namespace, cluster_document()), true);
    note("cluster asked for");
    if (!wait("the cluster", [this] { return life_->cluster_up(); })) return;
    for (const Workload& workload : shape_.workloads) {
      demand(client::create_call(resources::deployments, "default", deployment_document(workload)),
             false);
      wanted_[workload.name] = workload.replicas;
    }
    note("deployments asked for");
    int kills = shape_.kills, resizes = shape_.resizes;
    auto& random = world_->random();
    const auto end = world_->now() + shape_.safety_time;
    while (ok() && world_->now() < end) {
      world_->run_for(base::Duration(static_cast<std::int64_t>(random.below(20'000'000'000))));
      look();
      if (kills > 0 && random.chance(0.3)) {
        --kills;
        kill_server();
        wait("the cluster after a kill", [this] { return life_->cluster_up(); });
      }
      if (resizes > 0 && random.chance(0.5)) {
        --resizes;
        resize(shape_.workloads[random.below(shape_.workloads.size())].name,
               static_cast<int>(random.below(30)));
      }
    }
  }

  void resize(const std::string& name, int replicas) {
    note(fmt::format("scale {} to {}", name, replicas));
    wanted_[name] = replicas;
    demand(client::merge_patch_call(
               resources::deployments, "default", name,
               Value::object({{"spec", Value::object({{"replicas", replicas}})}})),
           false);
  }

  bool all_run() const {
    std::map<std::string, int> running;
    for (const auto& pod : life_->cluster().list(resources::pods)) {
      const bool runs = pod->value().at("status", "phase").as_string() == "Running";
      if (!runs || pod->deleting()) return false;
      ++running[std::string(pod->label("app"))];
    }
    for (const auto& [name, replicas] : wanted_) {
      if (running[name] != replicas) return false;
    }
    return true;
  }

  void liveness() {
    if (!wait("every pod to run", [this] { return all_run(); })) return;
    note("every pod runs");
    const State state{life_->cluster(), life_->hub()};
    wait("machines and claims to agree", [&state] {
      return !every_machine_has_a_claim(state) && !every_claim_has_a_machine(state);
    });
  }

  void silence() {
    for (const auto& [name, replicas] : std::map(wanted_)) resize(name, 0);
    wait("nodes and machines to go", [this] {
      return life_->cluster().list(resources::pods).empty() &&
             life_->cluster().list(resources::nodes).empty() &&
             life_->cluster().list(resources::node_claims).empty() &&
             life_->hub().list(resources::machines).empty();
    });
    // What was under way comes to rest.
    world_->run_for(silence_time);
    const auto cluster_before = life_->cluster().revision();
    const auto hub_before = life_->hub().revision();
    world_->run_for(silence_time);
    if (life_->cluster().revision() != cluster_before || life_->hub().revision() != hub_before) {
      fail(fmt::format("an idle minute saw {} writes in the cluster and {} on the hub",
                       life_->cluster().revision() - cluster_before,
                       life_->hub().revision() - hub_before));
    }
    note("silence");
  }

  std::string describe_rest() const {
    std::string text = fmt::format("; {} pods, {} nodes, {} claims, {} machines",
                                   life_->cluster().list(resources::pods).size(),
                                   life_->cluster().list(resources::nodes).size(),
                                   life_->cluster().list(resources::node_claims).size(),
                                   life_->hub().list(resources::machines).size());
    int shown = 0;
    for (const auto& pod : life_->cluster().list(resources::pods)) {
      const Value document = pod->value();
      if (document.at("status", "phase").as_string() == "Running" || ++shown > 3) continue;
      text +=
          fmt::format("; {} {} on '{}'", pod->name(), document.at("status", "phase").as_string(),
                      document.at("spec", "nodeName").as_string());
    }
    return text;
  }

  const Shape& shape_;
  const bool trace_;
  ScratchFolder folder_;
  Losses losses_;
  std::unique_ptr<runtime::World> world_;
  std::unique_ptr<runtime::Host> host_;
  std::unique_ptr<Life> life_;
  std::map<std::string, int> wanted_;
  Outcome outcome_;
};

}  // namespace

Outcome run(const Shape& shape, bool trace) {
  return Run(shape, trace).play();
}

}  // namespace keelway::sim
