#include "sim/run.h"

#include <fmt/core.h>

#include <cstdlib>
#include <map>
#include <set>

#include "client/resources.h"
#include "sim/disk.h"
#include "sim/life.h"
#include "sim/oracles/acknowledged.h"

namespace keelway::sim {
namespace {

namespace resources = client::resources;
using value::Value;

constexpr auto look_interval = std::chrono::milliseconds(500);
constexpr auto liveness_limit = std::chrono::minutes(10);
constexpr auto silence_time = std::chrono::minutes(1);
// How long a user waits for an answer before asking again.
constexpr auto patience = std::chrono::seconds(3);

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

class Run {
 public:
  Run(const Shape& shape, bool trace)
      : shape_(shape),
        trace_(trace),
        world_(runtime::make_world(shape.seed)),
        host_(world_->make_host("server")) {
    auto& random = world_->random();
    const auto span = static_cast<std::uint64_t>(shape.safety_time.count());
    for (int i = 0; i < shape.kills; ++i) {
      kills_.insert(base::Instant{} +
                    base::Duration(static_cast<std::int64_t>(random.below(span))));
    }
    watchers_.on_new_cluster_server = [this] {
      writes_.server_died();
      verified_ = verifying_ = false;
    };
    if (trace_) watchers_.on_change = [this](const client::Change& change) { tell(change); };
  }

  Outcome play() {
    losses_ = shape_.losses;
    start_life();
    safety();
    losses_ = {};
    kills_.clear();
    strike_ = false;
    note("heal");
    if (ok()) liveness();
    if (ok()) silence();
    outcome_.trace_hash = world_->trace_hash();
    outcome_.virtual_time = world_->now() - base::Instant{};
    outcome_.writes = static_cast<std::int64_t>(writes_.acknowledged());
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
  // Objects that come and go; with KEELWAY_STORY every change and every call.
  void tell(const client::Change& change) const {
    const auto& named = change.object ? change.object : change.previous;
    if (change.resource == resources::config_maps && !whole_story_) return;
    const char* what = !change.object ? "gone" : !change.previous ? "new" : "changed";
    if (change.object && change.previous && !whole_story_) return;
    note(fmt::format("  {} {} {} ({})", what, change.resource.resource, named->name(),
                     named->revision()));
  }
  // What the server logs, in the time of the world; nothing where nobody reads it.
  telemetry::Log story() const {
    if (!trace_) return {};
    return {"", [this](telemetry::Level level, std::string_view component, std::string_view message,
                       std::initializer_list<telemetry::Pair> pairs) {
              if (component == "audit" && !whole_story_) return;
              std::string text = fmt::format(
                  "  {}{}: {}", level < telemetry::Level::warning ? "" : "! ", component, message);
              for (const auto& [key, word] : pairs) text += fmt::format(" {}={}", key, word);
              note(text);
            }};
  }

  void start_life() {
    life_ = std::make_unique<Life>(*host_, disk_.database(), losses_, story(), watchers_);
    verified_ = verifying_ = false;
  }

  void kill_server() {
    note("kill");
    ++outcome_.kills;
    disk_.crash();
    host_->kill();
    life_.reset();
    disk_.bury();
    writes_.server_died();
    host_->restart();
    start_life();
  }

  // Lets time pass; the server dies where its hour has come.
  void pass(base::Duration duration) {
    const auto end = world_->now() + duration;
    while (ok() && !kills_.empty() && *kills_.begin() <= end) {
      world_->run_until(*kills_.begin());
      kills_.erase(kills_.begin());
      // Some die at the worst instant: when a user has just been told that a write is safe.
      if (world_->random().chance(0.5))
        strike_ = true;
      else
        kill_server();
    }
    const std::size_t before = writes_.acknowledged();
    while (strike_ && world_->step(end)) {
      if (writes_.acknowledged() == before) continue;
      strike_ = false;
      kill_server();
    }
    world_->run_until(end);
    look();
  }

  void look() {
    life_->follow_cluster();
    if (!life_->failure().empty()) fail("the server failed: " + life_->failure());
    const State state{life_->cluster(), life_->hub()};
    for (const auto oracle : {nodes_are_never_overcommitted, pod_addresses_are_unique,
                              pods_run_only_on_nodes_that_were_there, no_claim_has_two_machines}) {
      if (const auto complaint = oracle(state)) fail(*complaint);
    }
    for (const Complaint& complaint : {watchers_.hub.complaint(), watchers_.cluster.complaint(),
                                       watchers_.history, writes_.complaint()}) {
      if (complaint) fail(*complaint);
    }
    if (!verified_) verify();
    outcome_.nodes_most = std::max(outcome_.nodes_most, count(resources::nodes));
    outcome_.pods_most = std::max(outcome_.pods_most, count(resources::pods));
  }

  std::int64_t count(const client::Resource& resource) const {
    return static_cast<std::int64_t>(life_->cluster().list(resource).size());
  }

  // Asks what is left of the acknowledged writes, once in each life and at the end.
  void verify() {
    if (!life_->cluster_up() || writes_.under_way() || verifying_) return;
    client::Call call;
    call.verb = client::Verb::list;
    call.resource = resources::config_maps;
    call.name_space = AcknowledgedWrites::name_space;
    verifying_ = true;
    life_->call_cluster(std::move(call), [this](schema::Answer<client::Reply> answer) {
      verifying_ = false;
      if (!answer) return;  // lost: the next look asks again
      verified_ = true;
      if (const auto complaint = writes_.check(answer->object)) fail(*complaint);
    });
  }

  // A user's write beside all the rest.
  void write() {
    if (!verified_ || verifying_ || !life_->cluster_up() || !world_->random().chance(0.3)) return;
    auto call = writes_.next(world_->random());
    if (!call) return;
    life_->call_cluster(std::move(*call),
                        [this](schema::Answer<client::Reply> answer) { writes_.answered(answer); });
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
      pass(look_interval);
    }
    return ok();
  }

  // Asks until it is so: a user whose call was lost asks again.
  void demand(client::Call call, bool of_hub) {
    const auto answered = std::make_shared<bool>(false);
    const auto why = std::make_shared<std::string>("it was never asked");
    const auto done = [answered, why](schema::Answer<client::Reply> answer) {
      *answered = *answered || answer || answer.error().is("AlreadyExists");
      if (!answer) *why = answer.error().message;
    };
    base::Instant ask_at{};
    wait("an answer to the user", [&] {
      if (*answered || !life_->up() || !(of_hub || life_->cluster_up())) return *answered;
      if (world_->now() < ask_at) return false;
      ask_at = world_->now() + patience;
      if (of_hub)
        life_->call_hub(call, done);
      else
        life_->call_cluster(call, done);
      return false;
    });
    if (!*answered) fail("the user heard last: " + *why);
  }

  void safety() {
    const auto end = world_->now() + shape_.safety_time;
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
    int resizes = shape_.resizes;
    auto& random = world_->random();
    base::Instant next_resize = world_->now();
    while (ok() && world_->now() < end) {
      pass(look_interval);
      write();
      if (resizes == 0 || world_->now() < next_resize) continue;
      next_resize =
          world_->now() + base::Duration(static_cast<std::int64_t>(random.below(40'000'000'000)));
      --resizes;
      resize(shape_.workloads[random.below(shape_.workloads.size())].name,
             static_cast<int>(random.below(30)));
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
    return life_->cluster_up();
  }

  void liveness() {
    if (!wait("every pod to run", [this] { return all_run(); })) return;
    note("every pod runs");
    wait("machines and claims to agree", [this] {
      const State state{life_->cluster(), life_->hub()};
      return !every_machine_has_a_claim(state) && !every_claim_has_a_machine(state);
    });
    verified_ = false;
    wait("an answer about the acknowledged writes", [this] { return verified_; });
    for (const auto& resource : Life::cluster_resources()) compare_with_list(resource, false);
    for (const auto& resource : Life::hub_resources()) compare_with_list(resource, true);
  }

  // What was fed since the start is what a list says now, or a little later where things move.
  void compare_with_list(const client::Resource& resource, bool of_hub) {
    client::Call call;
    call.verb = client::Verb::list;
    call.resource = resource;
    Complaint complaint = "no list came";
    const auto compare = [&](schema::Answer<client::Reply> answer) {
      const client::View& view = of_hub ? life_->hub() : life_->cluster();
      if (answer) complaint = view_equals_list(view, resource, answer->object);
    };
    for (int tries = 0; ok() && complaint && tries < 10; ++tries) {
      if (of_hub)
        life_->call_hub(call, compare);
      else
        life_->call_cluster(call, compare);
      pass(look_interval);
    }
    if (complaint) fail(*complaint);
  }

  void silence() {
    for (const auto& [name, replicas] : std::map(wanted_)) resize(name, 0);
    wait("nodes and machines to go", [this] {
      return count(resources::pods) == 0 && count(resources::nodes) == 0 &&
             count(resources::node_claims) == 0 && life_->hub().list(resources::machines).empty();
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
    std::string text =
        fmt::format("; {} pods, {} nodes, {} claims, {} machines", count(resources::pods),
                    count(resources::nodes), count(resources::node_claims),
                    life_->hub().list(resources::machines).size());
    int shown = 0;
    for (const auto& pod : life_->cluster().list(resources::pods)) {
      const Value document = pod->value();
      if (document.at("status", "phase").as_string() == "Running" && !pod->deleting()) continue;
      if (++shown > 3) break;
      text += fmt::format(
          "; {} {}{} on '{}'", pod->name(), document.at("status", "phase").as_string(),
          pod->deleting() ? ", to go," : "", document.at("spec", "nodeName").as_string());
    }
    return text;
  }

  const Shape& shape_;
  const bool trace_;
  const bool whole_story_ = std::getenv("KEELWAY_STORY") != nullptr;
  Disk disk_;
  Losses losses_;
  std::unique_ptr<runtime::World> world_;
  std::unique_ptr<runtime::Host> host_;
  Watchers watchers_;
  AcknowledgedWrites writes_;
  std::unique_ptr<Life> life_;
  bool verified_ = false, verifying_ = false;  // of this life
  std::set<base::Instant> kills_;              // still to come
  bool strike_ = false;                        // at the next acknowledgement
  std::map<std::string, int> wanted_;
  Outcome outcome_;
};

}  // namespace

Outcome run(const Shape& shape, bool trace) {
  return Run(shape, trace).play();
}

}  // namespace keelway::sim
