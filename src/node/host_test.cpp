#include "node/host.h"

#include <gtest/gtest.h>

#include <set>

#include "client/resources.h"
#include "node/runtime/hollow/pod_documents.h"
#include "reconcile/testing/fake_api.h"
#include "runtime/virtual/world.h"

namespace keelway::node {
namespace {

using namespace std::chrono_literals;
namespace resources = client::resources;
using reconcile::testing::FakeApi;
using reconcile::testing::HandExecutor;

value::Value doc(std::string_view text) {
  auto parsed = value::parse_json(text);
  EXPECT_TRUE(parsed) << text;
  return parsed ? *parsed : value::Value();
}

class Forward final : public client::Client {
 public:
  explicit Forward(FakeApi& api) : api_(api) {}
  void call(client::Call call, client::ReplyCallback done) override {
    api_.call(std::move(call), std::move(done));
  }
  std::unique_ptr<client::Subscription> subscribe(
      std::vector<client::Resource> resources,
      std::move_only_function<void(const client::ChangeBatch&)> sink) override {
    return api_.subscribe(std::move(resources), std::move(sink));
  }

 private:
  FakeApi& api_;
};

struct Site {
  std::unique_ptr<runtime::World> world = runtime::make_world(1);
  std::unique_ptr<runtime::Host> process = world->make_host("nodes");
  HandExecutor executor;
  FakeApi hub{executor}, api{executor};
  bool cluster_runs = true;
  std::set<std::string> callers;
  hollow::Stage stage;
  std::unique_ptr<Host> host;

  Site() { api.answer_delay = api.watch_delay = 1ms; }
  void start() {
    host = make_host({.runtime = process->runtime(),
                      .executor = executor,
                      .hub = hub,
                      .connect = [this](std::string_view,
                                        access::Identity who) -> std::unique_ptr<client::Client> {
                        if (!cluster_runs) return nullptr;
                        callers.insert(who.user);
                        return std::make_unique<Forward>(api);
                      },
                      .boot_time = 2s,
                      .stage = stage,
                      .log = {}});
    executor.run_for(0s);
  }
  void add_machine(const std::string& node) {
    value::Value machine =
        doc(R"({"spec":{"cluster":"c","address":"10.0.0.1","architecture":"arm64",
        "labels":{"team":"blue"},"capacity":{"cpu":"2"},"allocatable":{"cpu":"1"},
        "taints":[{"key":"karpenter.sh/unregistered","effect":"NoExecute"}]}})");
    machine.mutate("metadata").set("name", "m-" + node).set("namespace", "acct");
    machine.mutate("spec").set("nodeName", node).set("providerID", "aws:///z/" + node);
    hub.put(resources::machines, machine);
  }
  value::Value pod_on(const std::string& node, const std::string& name,
                      std::string_view spec = "{}") {
    value::Value pod = doc(R"({"status":{"phase":"Pending"}})");
    pod.set("spec", doc(spec));
    pod.mutate("metadata").set("name", name).set("namespace", "default");
    pod.mutate("spec").set("nodeName", node);
    if (pod.at("spec", "containers").empty()) {
      pod.mutate("spec").set("containers", doc(R"([{"name":"c","image":"i"}])"));
    }
    api.put(resources::pods, pod);
    return pod;
  }
  value::Value pod(const std::string& name) {
    const auto object = api.get(resources::pods, "default", name);
    return object ? object->value() : value::Value();
  }
  void delete_pod(const std::string& name) {
    value::Value doomed = pod(name);
    doomed.mutate("metadata").set("deletionTimestamp", base::format_rfc3339(executor.wall_now()));
    doomed.mutate("metadata").set("deletionGracePeriodSeconds", 30);
    api.put(resources::pods, doomed);
  }
  std::size_t count(client::Verb verb, const client::Resource& resource) {
    return static_cast<std::size_t>(std::count_if(
        api.calls.begin(), api.calls.end(),
        [&](const client::Call& call) { return call.verb == verb && call.resource == resource; }));
  }
  // A node that honours "grace 0" as the server does.
  void honour_removals() {
    api.refuse = [this](const client::Call& call) -> std::optional<schema::Status> {
      if (call.verb == client::Verb::remove && call.resource == resources::pods &&
          call.body["gracePeriodSeconds"].as_int(1) == 0) {
        api.erase(resources::pods, call.name_space, call.name);
      }
      return std::nullopt;
    };
  }
};

std::string condition(const value::Value& object, std::string_view type) {
  for (const value::Value& c : object.at("status", "conditions").items()) {
    if (c["type"].as_string() == type) return c["status"].as_string();
  }
  return "absent";
}

TEST(Host, GoesOnWithAnotherServerOfTheCluster) {
  Site site;
  site.start();
  site.add_machine("n1");
  site.executor.run_for(5s);
  site.pod_on("n1", "p");
  site.executor.run_for(5s);
  ASSERT_EQ(site.pod("p").at("status", "phase"), "Running");
  site.host->reconnect("c");
  site.host->reconnect("unknown");
  site.pod_on("n1", "q");
  site.executor.run_for(10s);
  EXPECT_EQ(site.count(client::Verb::create, resources::nodes), 1u) << "it is registered already";
  EXPECT_EQ(site.pod("q").at("status", "phase"), "Running");
  EXPECT_NE(site.pod("q").at("status", "podIP"), site.pod("p").at("status", "podIP"));
  EXPECT_EQ(site.host->nodes(), 1u);
}

TEST(Host, AMachineBecomesANode) {
  Site site;
  site.start();
  site.add_machine("n1");
  site.executor.run_for(1s);
  EXPECT_EQ(site.api.get(resources::nodes, "", "n1"), nullptr) << "it boots for two seconds";
  site.executor.run_for(2s);
  ASSERT_NE(site.api.get(resources::nodes, "", "n1"), nullptr);
  const value::Value node = site.api.get(resources::nodes, "", "n1")->value();
  EXPECT_EQ(node.at("spec", "providerID").as_string(), "aws:///z/n1");
  EXPECT_EQ(node.at("spec", "taints")[0]["key"].as_string(), "karpenter.sh/unregistered");
  EXPECT_EQ(node.at("metadata", "labels", "team").as_string(), "blue");
  EXPECT_EQ(node.at("metadata", "labels", "kubernetes.io/hostname").as_string(), "n1");
  EXPECT_EQ(node.at("metadata", "labels", "kubernetes.io/arch").as_string(), "arm64");
  EXPECT_EQ(condition(node, "Ready"), "True");
  const auto lease = site.api.get(resources::leases, "kube-node-lease", "n1");
  ASSERT_NE(lease, nullptr);
  EXPECT_EQ(lease->value().at("metadata", "ownerReferences")[0]["uid"].as_string(),
            node.at("metadata", "uid").as_string());
  EXPECT_TRUE(site.callers.contains("system:node:n1"));
}

TEST(Host, ALeaseThatIsGoneIsMadeAnewForANodeOfAnEarlierLife) {
  Site site;
  site.api.put(resources::nodes, doc(R"({"metadata":{"name":"n1","uid":"uid-n1"},
      "spec":{"providerID":"aws:///z/n1"}})"));
  site.start();
  site.add_machine("n1");
  site.executor.run_for(10s);
  const auto lease = site.api.get(resources::leases, "kube-node-lease", "n1");
  ASSERT_NE(lease, nullptr);
  EXPECT_EQ(lease->value().at("metadata", "ownerReferences")[0]["uid"].as_string(), "uid-n1");
}

TEST(Host, ARunningNodeDoesNothingButRenewAndReport) {
  Site site;
  site.start();
  site.add_machine("n1");
  site.executor.run_for(10s);
  site.api.calls.clear();
  site.executor.run_for(1h);
  EXPECT_NEAR(static_cast<double>(site.count(client::Verb::patch, resources::leases)), 360, 2);
  EXPECT_NEAR(static_cast<double>(site.count(client::Verb::patch, resources::nodes)), 12, 1);
  EXPECT_EQ(site.api.calls.size(), site.count(client::Verb::patch, resources::leases) +
                                       site.count(client::Verb::patch, resources::nodes));
}

TEST(Host, PodsRunWithAddressesOfTheirOwnAndGo) {
  Site site;
  site.honour_removals();
  site.start();
  site.add_machine("n1");
  site.add_machine("n2");
  site.executor.run_for(5s);
  for (int i = 0; i < 6; ++i) site.pod_on(i % 2 ? "n1" : "n2", "p" + std::to_string(i));
  site.pod_on("elsewhere", "foreign");
  site.executor.run_for(1s);
  std::set<std::string> addresses;
  for (int i = 0; i < 6; ++i) {
    const value::Value pod = site.pod("p" + std::to_string(i));
    EXPECT_EQ(pod.at("status", "phase").as_string(), "Running");
    EXPECT_EQ(condition(pod, "Ready"), "True");
    EXPECT_TRUE(pod.at("status", "containerStatuses")[0]["started"].as_bool());
    addresses.insert(pod.at("status", "podIP").as_string());
  }
  EXPECT_EQ(addresses.size(), 6u);
  EXPECT_EQ(site.pod("foreign").at("status", "phase").as_string(), "Pending");
  EXPECT_EQ(site.count(client::Verb::patch, resources::pods), 6u) << "one write a pod";

  site.delete_pod("p0");
  site.executor.run_for(1s);
  EXPECT_TRUE(site.pod("p0").is_null());
  EXPECT_EQ(site.count(client::Verb::remove, resources::pods), 1u);
}

TEST(Host, APodDeletedWhileItStartsStillGoes) {
  Site site;
  site.honour_removals();
  site.api.answer_delay = 100ms;
  site.start();
  site.add_machine("n1");
  site.executor.run_for(5s);
  site.pod_on("n1", "p");
  site.executor.run_for(10ms);  // the patch is done, its answer is on the way
  site.delete_pod("p");
  site.executor.run_for(5s);
  EXPECT_TRUE(site.pod("p").is_null());
}

TEST(Host, FailingCallsAreTriedAgainButNotWithoutRest) {
  Site site;
  site.start();
  bool down = true;
  site.api.refuse = [&](const client::Call&) -> std::optional<schema::Status> {
    if (down) return schema::internal_error("down");
    return std::nullopt;
  };
  site.add_machine("n1");
  site.executor.run_for(1min);
  EXPECT_LT(site.api.calls.size(), 70u);
  down = false;
  site.executor.run_for(5s);
  ASSERT_NE(site.api.get(resources::nodes, "", "n1"), nullptr);
  down = true;
  site.pod_on("n1", "p");
  site.executor.run_for(1min);
  EXPECT_LT(site.api.calls.size(), 160u);
  down = false;
  site.executor.run_for(15s);
  EXPECT_EQ(site.pod("p").at("status", "phase").as_string(), "Running");
}

TEST(Host, WaitsForAClusterThatDoesNotRunYet) {
  Site site;
  site.cluster_runs = false;
  site.start();
  site.add_machine("n1");
  site.executor.run_for(30s);
  EXPECT_EQ(site.executor.pending(), 0u) << "it is told, it does not ask";
  site.cluster_runs = true;
  site.host->reconnect("c");
  site.executor.run_for(5s);
  EXPECT_NE(site.api.get(resources::nodes, "", "n1"), nullptr);
}

TEST(Host, AMachineThatGoesFallsSilent) {
  Site site;
  site.start();
  site.add_machine("n1");
  site.executor.run_for(5s);
  EXPECT_EQ(site.host->nodes(), 1u);
  site.hub.erase(resources::machines, "acct", "m-n1");
  site.executor.run_for(1s);
  EXPECT_EQ(site.host->nodes(), 0u);
  site.api.calls.clear();
  site.executor.run_for(10min);
  EXPECT_TRUE(site.api.calls.empty());
  EXPECT_NE(site.api.get(resources::nodes, "", "n1"), nullptr) << "others remove the Node";
  EXPECT_EQ(site.executor.pending(), 0u);
}

TEST(Host, ARestartChangesNothingThatRuns) {
  Site site;
  site.start();
  site.add_machine("n1");
  site.executor.run_for(5s);
  site.pod_on("n1", "old");
  site.executor.run_for(5s);
  const value::Value before = site.pod("old");
  const std::string uid = site.api.get(resources::nodes, "", "n1")->uid();
  site.host.reset();
  EXPECT_EQ(site.executor.pending(), 0u);
  site.executor.run_for(1min);
  const std::size_t renewals = site.count(client::Verb::patch, resources::leases);
  site.start();
  site.executor.run_for(1s);
  EXPECT_EQ(site.count(client::Verb::patch, resources::leases), renewals + 1)
      << "a machine that is up does not boot again";
  site.executor.run_for(10s);
  EXPECT_EQ(site.pod("old"), before);
  EXPECT_EQ(site.api.get(resources::nodes, "", "n1")->uid(), uid);
  site.pod_on("n1", "new");
  site.executor.run_for(1s);
  EXPECT_EQ(site.pod("new").at("status", "phase").as_string(), "Running");
  EXPECT_NE(site.pod("new").at("status", "podIP"), before.at("status", "podIP"));
}

TEST(HollowPod, ReadinessFollowsItsGates) {
  Site site;
  site.start();
  site.add_machine("n1");
  site.executor.run_for(5s);
  site.pod_on("n1", "p", R"({"readinessGates":[{"conditionType":"example.com/lb"}]})");
  site.executor.run_for(5s);
  EXPECT_EQ(condition(site.pod("p"), "Ready"), "False");
  EXPECT_EQ(condition(site.pod("p"), "ContainersReady"), "True");
  value::Value pod = site.pod("p");
  pod.mutate("status", "conditions").push(doc(R"({"type":"example.com/lb","status":"True"})"));
  site.api.put(resources::pods, pod);
  site.executor.run_for(5s);
  EXPECT_EQ(condition(site.pod("p"), "Ready"), "True");
  EXPECT_EQ(condition(site.pod("p"), "example.com/lb"), "True");
  const std::size_t calls = site.count(client::Verb::patch, resources::pods);
  site.executor.run_for(1min);
  EXPECT_EQ(site.count(client::Verb::patch, resources::pods), calls);
}

TEST(HollowPod, InitContainersEndAndSidecarsStay) {
  Site site;
  site.start();
  site.add_machine("n1");
  site.executor.run_for(5s);
  site.pod_on("n1", "p", R"({"initContainers":[{"name":"a","image":"i"},
                             {"name":"b","image":"i","restartPolicy":"Always"}]})");
  site.executor.run_for(5s);
  const value::Value statuses = site.pod("p").at("status", "initContainerStatuses");
  EXPECT_EQ(statuses[0].at("state", "terminated", "exitCode").as_int(-1), 0);
  EXPECT_FALSE(statuses[1].at("state", "running").is_null());
  EXPECT_FALSE(statuses[0]["started"].as_bool());
  EXPECT_TRUE(statuses[1]["started"].as_bool());
}

TEST(HollowPod, EndsAfterTheTimeThatItsAnnotationNames) {
  Site site;
  site.start();
  site.add_machine("n1");
  site.executor.run_for(5s);
  for (const char* policy : {"Never", "OnFailure", "Always"}) {
    value::Value pod =
        site.pod_on("n1", policy, std::string(R"({"restartPolicy":")") + policy + R"("})");
    pod.mutate("metadata", "annotations").set(hollow::run_seconds, "30");
    site.api.put(resources::pods, pod);
  }
  site.executor.run_for(20s);
  EXPECT_EQ(site.pod("Never").at("status", "phase").as_string(), "Running");
  site.executor.run_for(15s);
  for (const char* policy : {"Never", "OnFailure"}) {
    const value::Value pod = site.pod(policy);
    EXPECT_EQ(pod.at("status", "phase").as_string(), "Succeeded") << policy;
    EXPECT_EQ(
        pod.at("status", "containerStatuses")[0].at("state", "terminated", "exitCode").as_int(-1),
        0);
    EXPECT_EQ(condition(pod, "Ready"), "False");
  }
  EXPECT_EQ(site.pod("Always").at("status", "phase").as_string(), "Running");
  const std::size_t calls = site.count(client::Verb::patch, resources::pods);
  site.executor.run_for(10min);
  EXPECT_EQ(site.count(client::Verb::patch, resources::pods), calls);
}

TEST(HollowPod, LeavesWhatIsOverAlone) {
  Site site;
  site.start();
  site.add_machine("n1");
  site.executor.run_for(5s);
  value::Value pod = site.pod_on("n1", "p");
  site.api.calls.clear();
  pod.set("status", doc(R"({"phase":"Failed","reason":"Evicted"})"));
  site.api.put(resources::pods, pod);
  site.executor.run_for(5s);
  EXPECT_EQ(site.pod("p").at("status", "reason").as_string(), "Evicted");
  EXPECT_EQ(site.pod("p").at("status", "phase").as_string(), "Failed");
}

}  // namespace
}  // namespace keelway::node
