#include "sim/run.h"

#include <fmt/core.h>

#include <map>

#include "client/resources.h"
#include "sim/documents.h"
#include "sim/randomness.h"
#include "sim/stage.h"

namespace keelway::sim {
namespace {

namespace resources = client::resources;
using value::Value;

constexpr auto look_interval = std::chrono::milliseconds(500);
constexpr auto silence_time = std::chrono::minutes(1);
// What is written also where nothing happens: nodes say that they live.
const std::vector<std::string> heartbeats = {"/coordination.k8s.io/leases/", "/core/nodes/",
                                             "/hub.keelway.dev/servers/"};
// Several servers also say that they live, and who runs a cluster's loops.
const std::vector<std::string> places = {"/hub.keelway.dev/servers/", "/fences.keelway.dev/"};

class Run {
 public:
  Run(const Shape& shape, const RunOptions& options) : shape_(shape), stage_(shape, options) {}

  Outcome play() {
    stage_.start();
    safety();
    stage_.heal();
    if (ok()) liveness();
    if (ok()) quiet_at_work();
    if (ok()) silence();
    if (ok()) nothing_to_plan();
    Outcome& outcome = stage_.outcome();
    outcome.trace_hash = stage_.world().trace_hash();
    outcome.virtual_time = stage_.world().now() - base::Instant{};
    stage_.finish();
    return outcome;
  }

 private:
  bool ok() const { return stage_.ok(); }
  base::Instant now() { return stage_.world().now(); }

  // Namespace, account and token of those who come over the network.
  void admit_users() {
    stage_.demand(client::create_call(resources::namespaces, "", named_document(wire_namespace)),
                  false);
    stage_.demand(
        client::create_call(resources::service_accounts, wire_namespace, named_document("admin")),
        false);
    stage_.demand(
        client::create_call(resources::cluster_role_bindings, "", admin_binding_document()), false);
    client::Call request =
        client::create_call(resources::service_accounts, wire_namespace, token_request_document());
    request.name = "admin";
    request.subresource = "token";
    const client::Reply reply = stage_.demand(std::move(request), false);
    stage_.crowd().use(reply.object.at("status", "token").as_string());
    stage_.crowd().start();
  }

  void safety() {
    const auto end = now() + shape_.safety_time;
    stage_.demand(client::create_call(resources::namespaces, "", named_document(hub_namespace)),
                  true);
    stage_.demand(client::create_call(resources::clusters, hub_namespace, cluster_document()),
                  true);
    stage_.note("cluster asked for");
    if (!stage_.wait("the cluster", [this] { return stage_.life().cluster_up(); })) return;
    if (shape_.pool_cpu > 0) {
      stage_.demand(
          client::create_call(resources::node_pools, "", limited_pool_document(shape_.pool_cpu)),
          false);
    }
    for (const Workload& workload : shape_.workloads) {
      stage_.demand(
          client::create_call(resources::deployments, "default", deployment_document(workload)),
          false);
      wanted_[workload.name] = workload.replicas;
    }
    stage_.note("deployments asked for");
    admit_users();
    guard();
    int resizes = shape_.resizes;
    auto& random = stage_.world().random();
    base::Instant next_resize = now();
    while (ok() && now() < end) {
      stage_.pass(look_interval);
      stage_.write();
      if (resizes == 0 || now() < next_resize) continue;
      next_resize = now() + base::Duration(static_cast<std::int64_t>(random.below(
                                static_cast<std::uint64_t>(shape_.resize_gap_max.count()))));
      --resizes;
      const std::size_t which = random.below(shape_.workloads.size());
      const int replicas = static_cast<int>(
          random.below(static_cast<std::uint64_t>(shape_.workloads[which].replicas_max)));
      if (shape_.guarded && which == 0) continue;
      resize(shape_.workloads[which].name, replicas);
    }
  }

  void guard() {
    const Evictor* evictor = stage_.crowd().evictor();
    const bool others_take_pods = shape_.has(Fault::Kind::node_vanish) ||
                                  shape_.has(Fault::Kind::node_hang) ||
                                  shape_.has(Fault::Kind::node_lie);
    if (evictor == nullptr || others_take_pods) return;
    const Workload& first = shape_.workloads[0];
    stage_.budget().guard(first.name, first.replicas, first.replicas - 1,
                          [evictor] { return evictor->guarded(); });
  }

  void resize(const std::string& name, int replicas) {
    stage_.note(fmt::format("scale {} to {}", name, replicas));
    wanted_[name] = replicas;
    stage_.demand(client::merge_patch_call(
                      resources::deployments, "default", name,
                      Value::object({{"spec", Value::object({{"replicas", replicas}})}})),
                  false);
  }

  bool all_run() {
    std::map<std::string, int> running;
    for (const auto& pod : stage_.life().cluster().list(resources::pods)) {
      if (!stage_.facts().pod(pod).runs || pod->deleting()) return false;
      ++running[std::string(pod->label("app"))];
    }
    for (const auto& [name, replicas] : wanted_) {
      if (running[name] != replicas) return false;
    }
    return stage_.life().cluster_up();
  }

  void liveness() {
    stage_.crowd().conclude();
    if (!stage_.wait("every pod to run", [this] { return all_run(); })) return;
    stage_.note("every pod runs");
    stage_.wait("machines and claims to agree", [this] {
      const State state{stage_.life().cluster(), stage_.life().hub(), stage_.facts()};
      return !every_machine_has_a_claim(state) && !every_claim_has_a_machine(state);
    });
    if (!stage_.wait("the users to come to an end",
                     [this] { return stage_.crowd().concluded(); })) {
      stage_.outcome().failure += "; left: " + stage_.crowd().who_is_left();
      return;
    }
    stage_.crowd().rest();
    stage_.verify_again();
    stage_.wait("an answer about the acknowledged writes", [this] { return stage_.verified(); });
    stage_.wait("the witnesses to be told of every write", [this] {
      return std::all_of(stage_.stores().begin(), stage_.stores().end(), [](const auto& one) {
        return one.second.seen() >= one.second.promised();
      });
    });
    for (const auto& resource : Life::cluster_resources()) compare_with_list(resource, false);
    for (const auto& resource : Life::hub_resources()) compare_with_list(resource, true);
  }

  // What was fed since the start is what a list says now, or a little later where things move.
  void compare_with_list(const client::Resource& resource, bool of_hub) {
    const client::Call call = client::list_call(resource);
    // An answer may come after the last look at it.
    const auto told = std::make_shared<Complaint>("no list came");
    const auto compare = [this, told, resource, of_hub](schema::Answer<client::Reply> answer) {
      const client::View& view = of_hub ? stage_.life().hub() : stage_.life().cluster();
      if (answer) *told = view_equals_list(view, resource, answer->object);
    };
    for (int tries = 0; ok() && *told && tries < 10; ++tries) {
      if (of_hub)
        stage_.life().call_hub(call, compare);
      else
        stage_.life().call_cluster(call, compare);
      stage_.pass(look_interval);
    }
    if (*told) stage_.fail(**told);
  }

  std::size_t writes_of_last_minute(const std::vector<std::string>& but) {
    std::size_t writes = 0;
    for (const auto& [keyspace, store] : stage_.stores()) {
      writes += store.writes_since(now() + -silence_time, but);
    }
    return writes;
  }
  std::string first_write(const std::vector<std::string>& but) {
    for (const auto& [keyspace, store] : stage_.stores()) {
      const auto key = store.first_write_since(now() + -silence_time, but);
      if (!key.empty()) return key;
    }
    return "";
  }

  // With everything running, nothing but heartbeats is written for a minute.
  void quiet_at_work() {
    std::string last;
    const bool quiet = stage_.wait(
        "a minute without writes",
        [&] {
          last = first_write(heartbeats);
          return last.empty();
        },
        std::chrono::minutes(20));
    if (!quiet) stage_.outcome().failure += "; written was " + last;
    stage_.note("quiet at work");
  }

  void silence() {
    stage_.budget().release();
    stage_.demand(
        client::remove_call(resources::disruption_budgets, "default", Evictor::budget_name), false,
        "NotFound");
    for (const auto& [name, replicas] : std::map(wanted_)) resize(name, 0);
    stage_.wait("nodes and machines to go", [this] {
      return stage_.count(resources::pods) == 0 && stage_.count(resources::nodes) == 0 &&
             stage_.count(resources::node_claims) == 0 &&
             stage_.life().hub().list(resources::machines).empty();
    });
    // What was under way comes to rest.
    stage_.pass(silence_time);
    stage_.pass(silence_time + std::chrono::seconds(1));
    if (!ok()) return;
    if (const std::size_t writes = writes_of_last_minute(places); writes > 0) {
      return stage_.fail(fmt::format("an idle minute saw {} writes, the first of {}", writes,
                                     first_write(places)));
    }
    stage_.note("silence");
  }

  // A server that starts anew plans everything once more, and finds that nothing is to be done.
  void nothing_to_plan() {
    const base::Instant before = now();
    stage_.restart_servers();
    stage_.wait("the cluster after a restart", [this] { return stage_.life().cluster_up(); });
    stage_.pass(silence_time);
    if (!ok()) return;
    for (const auto& [keyspace, store] : stage_.stores()) {
      if (keyspace == "hub") continue;  // says who runs it, and where
      const auto writes = store.writes_since(before, places);
      if (writes == 0) continue;
      stage_.fail(fmt::format("planning anew where all was done gave {} writes, the first of {}",
                              writes, store.first_write_since(before, places)));
    }
  }

  const Shape& shape_;
  Stage stage_;
  std::map<std::string, int> wanted_;
};

}  // namespace

Outcome run(const Shape& shape, const RunOptions& options) {
  seed_openssl(shape.seed);
  return Run(shape, options).play();
}

}  // namespace keelway::sim
