// The loops together over a small API: what one of them writes, the others take up.
#include "controllers/controllers.h"

#include <gtest/gtest.h>

#include "client/resources.h"
#include "controllers/deployment/rollout.h"
#include "reconcile/conditions.h"
#include "reconcile/testing/fake_api.h"

namespace keelway::controllers {
namespace {

namespace resources = client::resources;
using reconcile::testing::FakeApi;
using reconcile::testing::HandExecutor;
using std::chrono_literals::operator""s;

value::Value doc(std::string_view text) {
  const auto parsed = value::parse_json(text);
  EXPECT_TRUE(parsed.has_value()) << text;
  return parsed.value_or(value::Value());
}

value::Value web(int replicas, const std::string& image) {
  return doc(R"({"metadata":{"name":"web","namespace":"ns","uid":"uid-web"},"spec":{"replicas":)" +
             std::to_string(replicas) +
             R"(,"progressDeadlineSeconds":600,"revisionHistoryLimit":1,
                "selector":{"matchLabels":{"app":"web"}},
                "template":{"metadata":{"labels":{"app":"web"}},
                            "spec":{"containers":[{"name":"c","image":")" +
             image + R"("}]}}}})");
}

struct Cluster {
  HandExecutor executor;
  FakeApi api{executor};
  std::unique_ptr<reconcile::Manager> manager = reconcile::make_manager(executor, api);

  Cluster() {
    api.watch_delay = std::chrono::milliseconds(30);
    api.answer_delay = std::chrono::milliseconds(2);
    Options options;
    options.ca_pem = "PEM";
    options.resources = {resources::namespaces,  resources::pods,
                         resources::nodes,       resources::config_maps,
                         resources::secrets,     resources::service_accounts,
                         resources::deployments, resources::replica_sets,
                         resources::events,      resources::disruption_budgets};
    add_all(*manager, options);
    manager->start();
  }

  std::size_t count(const client::Resource& resource) { return api.list(resource).size(); }

  // Plays the node's part: every pod that is there becomes ready.
  void make_pods_ready() {
    for (const client::ObjectPtr& pod : api.list(resources::pods)) {
      value::Value document = pod->value();
      document.mutate("status").set("phase", "Running");
      value::Value conditions = document.at("status", "conditions");
      reconcile::set_condition(conditions, {"Ready", "True", "", ""}, executor.wall_now());
      document.mutate("status").set("conditions", conditions);
      api.put(resources::pods, document);
    }
  }

  void settle(int rounds = 20) {
    for (int i = 0; i < rounds; ++i) {
      executor.run_for(1s);
      make_pods_ready();
    }
    executor.run_for(1s);
  }

  value::Value deployment() { return api.get(resources::deployments, "ns", "web")->value(); }
};

TEST(Controllers, EveryNamespaceGetsWhatItNeeds) {
  Cluster cluster;
  cluster.executor.run_for(2s);
  EXPECT_EQ(cluster.count(resources::namespaces), 4u);
  EXPECT_NE(cluster.api.get(resources::service_accounts, "kube-system", "default"), nullptr);
  const auto map = cluster.api.get(resources::config_maps, "default", "kube-root-ca.crt");
  ASSERT_NE(map, nullptr);
  EXPECT_EQ(map->value().at("data", "ca.crt").as_string(), "PEM");
  cluster.api.erase(resources::service_accounts, "default", "default");
  cluster.executor.run_for(12s);
  EXPECT_NE(cluster.api.get(resources::service_accounts, "default", "default"), nullptr);
  EXPECT_EQ(cluster.executor.pending(), 0u);
}

TEST(Controllers, ADeploymentRollsOutOnceAndIsNeverShort) {
  Cluster cluster;
  cluster.api.put(resources::deployments, web(4, "i:1"));
  cluster.settle(5);
  ASSERT_EQ(cluster.count(resources::pods), 4u) << "no pod is made twice";
  EXPECT_EQ(cluster.deployment().at("status", "availableReplicas").as_int(), 4);

  value::Value next = cluster.deployment();
  next.mutate("spec") = web(4, "i:2")["spec"];
  cluster.api.put(resources::deployments, next);
  for (int i = 0; i < 30; ++i) {
    cluster.executor.run_for(1s);
    cluster.make_pods_ready();
    EXPECT_GE(cluster.count(resources::pods), 3u) << "maxUnavailable 25 % of 4";
    EXPECT_LE(cluster.count(resources::pods), 5u) << "maxSurge 25 % of 4";
  }
  cluster.executor.run_for(1s);
  EXPECT_EQ(cluster.count(resources::pods), 4u);
  for (const client::ObjectPtr& pod : cluster.api.list(resources::pods)) {
    EXPECT_EQ(pod->value().at("spec", "containers")[0]["image"].as_string(), "i:2");
  }
  const value::Value done = cluster.deployment();
  EXPECT_EQ(done.at("status", "updatedReplicas").as_int(), 4);
  EXPECT_EQ(reconcile::find_condition(done.at("status", "conditions"), "Progressing")["reason"]
                .as_string(),
            "NewReplicaSetAvailable");
  EXPECT_EQ(done.at("metadata", "annotations", "deployment.kubernetes.io/revision").as_string(),
            "2");
  EXPECT_EQ(cluster.executor.pending(), 0u) << "nothing is left to do";
}

TEST(Controllers, RollingBackFindsTheOldSetAndHistoryIsBounded) {
  Cluster cluster;
  cluster.api.put(resources::deployments, web(2, "i:1"));
  cluster.settle(5);
  for (const char* image : {"i:2", "i:3", "i:2"}) {
    value::Value next = cluster.deployment();
    next.mutate("spec") = web(2, image)["spec"];
    cluster.api.put(resources::deployments, next);
    cluster.settle();
  }
  EXPECT_EQ(cluster.count(resources::replica_sets), 2u) << "today's and one of history";
  EXPECT_EQ(cluster.deployment()
                .at("metadata", "annotations", "deployment.kubernetes.io/revision")
                .as_string(),
            "4");
}

TEST(Controllers, ADeletedDeploymentTakesSetsAndPodsAlong) {
  Cluster cluster;
  cluster.api.put(resources::deployments, web(3, "i:1"));
  cluster.settle(5);
  ASSERT_EQ(cluster.count(resources::pods), 3u);
  cluster.api.erase(resources::deployments, "ns", "web");
  cluster.executor.run_for(5s);
  EXPECT_EQ(cluster.count(resources::replica_sets), 0u);
  EXPECT_EQ(cluster.count(resources::pods), 0u);
}

TEST(Controllers, OwnersThatAreCustomObjectsAreWatchedOnceTheirCrdIs) {
  Cluster cluster;
  cluster.executor.run_for(1s);
  cluster.api.put(resources::crds, doc(R"({"metadata":{"name":"nodeclaims.karpenter.sh"},
    "spec":{"group":"karpenter.sh","scope":"Cluster",
      "names":{"plural":"nodeclaims","singular":"nodeclaim","kind":"NodeClaim"},
      "versions":[{"name":"v1","served":true,"storage":true}]}})"));
  cluster.executor.run_for(1s);
  cluster.api.put(resources::node_claims, doc(R"({"metadata":{"name":"c","uid":"uid-c"}})"));
  cluster.api.put(resources::nodes, doc(R"({"metadata":{"name":"a","ownerReferences":[
    {"apiVersion":"karpenter.sh/v1","kind":"NodeClaim","name":"c","uid":"uid-c"}]}})"));
  cluster.executor.run_for(1s);
  ASSERT_EQ(cluster.count(resources::nodes), 1u);
  cluster.api.erase(resources::node_claims, "", "c");
  cluster.executor.run_for(1s);
  EXPECT_EQ(cluster.count(resources::nodes), 0u);
}

TEST(Controllers, PodsThatAreRefusedShowInTheSetAndItsDeployment) {
  Cluster cluster;
  cluster.api.refuse = [](const client::Call& call) -> std::optional<schema::Status> {
    if (call.verb != client::Verb::create || !(call.resource == resources::pods)) return {};
    return schema::forbidden("", "pods", "web", "exceeded quota");
  };
  cluster.api.put(resources::deployments, web(3, "a"));
  cluster.executor.run_for(5s);
  const auto failure_of = [&](const client::Resource& resource) {
    const value::Value status = cluster.api.list(resource).at(0)->value()["status"];
    return value::Value(reconcile::find_condition(status["conditions"], "ReplicaFailure"));
  };
  for (const auto& resource : {resources::replica_sets, resources::deployments}) {
    EXPECT_EQ(failure_of(resource)["status"].as_string(), "True");
    EXPECT_EQ(failure_of(resource)["reason"].as_string(), "FailedCreate");
    EXPECT_NE(failure_of(resource)["message"].as_string().find("exceeded quota"),
              std::string::npos);
  }
  const value::Value set = cluster.api.list(resources::replica_sets).at(0)->value();
  EXPECT_EQ(set.at("status", "observedGeneration"), set.at("metadata", "generation"));
  int failed = 0, created = 0;
  for (const auto& event : cluster.api.list(resources::events)) {
    failed += event->value()["reason"].as_string() == "FailedCreate";
    created += event->value()["reason"].as_string() == "SuccessfulCreate";
  }
  EXPECT_GT(failed, 0);
  EXPECT_EQ(created, 0) << "no pod was created";
  cluster.api.refuse = {};
  cluster.settle(60);
  EXPECT_EQ(cluster.count(resources::pods), 3u);
  EXPECT_TRUE(failure_of(resources::replica_sets).is_null());
  EXPECT_TRUE(failure_of(resources::deployments).is_null());
}

TEST(Controllers, ACrdThatIsGoingWaitsForInstancesThatAreNotSeenYet) {
  HandExecutor executor;
  FakeApi api(executor);
  api.watch_delay = std::chrono::milliseconds(30);
  api.put(resources::crds, doc(R"({"metadata":{"name":"nodeclaims.karpenter.sh","uid":"uid-crd",
      "deletionTimestamp":"2026-01-01T00:00:00Z",
      "finalizers":["customresourcecleanup.apiextensions.k8s.io"]},
    "spec":{"group":"karpenter.sh","scope":"Cluster",
      "names":{"plural":"nodeclaims","singular":"nodeclaim","kind":"NodeClaim"},
      "versions":[{"name":"v1","served":true,"storage":true}]},
    "status":{"conditions":[{"type":"Established","status":"True"},
      {"type":"Terminating","status":"True",
      "reason":"InstanceDeletionInProgress"}]}})"));
  api.put(resources::node_claims, doc(R"({"metadata":{"name":"c","uid":"uid-c",
      "deletionTimestamp":"2026-01-01T00:00:00Z","finalizers":["example.com/held"]}})"));
  const auto manager = reconcile::make_manager(executor, api);
  add_all(*manager, {});
  manager->start();
  executor.run_for(10s);
  EXPECT_TRUE(api.get(resources::crds, "", "nodeclaims.karpenter.sh"));
  api.erase(resources::node_claims, "", "c");
  executor.run_for(10s);
  EXPECT_FALSE(api.get(resources::crds, "", "nodeclaims.karpenter.sh"));
}

TEST(Controllers, AggregatedRolesFollowTheRolesThatTheySelectThroughEachOther) {
  Cluster cluster;
  const auto role = [&](const std::string& name, const std::string& labels,
                        const std::string& rest) {
    cluster.api.put(resources::cluster_roles, doc(R"({"metadata":{"name":")" + name +
                                                  R"(","labels":{)" + labels + "}}," + rest + "}"));
  };
  const auto verbs = [&](const char* name) {
    std::string all;
    const client::ObjectPtr found = cluster.api.get(resources::cluster_roles, "", name);
    const value::Value document = found->value();
    for (const value::Value& rule : document["rules"].items()) {
      all += rule["verbs"][0].as_string() + " ";
    }
    return all;
  };
  const auto selecting = [](const std::string& label) {
    return R"("aggregationRule":{"clusterRoleSelectors":[{"matchLabels":{"to":")" + label +
           R"("}}]})";
  };
  role("admin", "", selecting("admin"));
  role("edit", R"("to":"admin")", selecting("edit"));
  role("pods", R"("to":"edit")", R"("rules":[{"verbs":["get"]},{"verbs":["list"]}])");
  cluster.executor.run_for(2s);
  EXPECT_EQ(verbs("edit"), "get list ");
  EXPECT_EQ(verbs("admin"), "get list ");
  role("more", R"("to":"edit")", R"("rules":[{"verbs":["watch"]},{"verbs":["get"]}])");
  cluster.executor.run_for(2s);
  EXPECT_EQ(verbs("admin"), "watch get list ");
  cluster.api.erase(resources::cluster_roles, "", "pods");
  cluster.executor.run_for(2s);
  EXPECT_EQ(verbs("edit"), "watch get ");
  EXPECT_EQ(verbs("admin"), "watch get ");
  role("more", "", R"("rules":[{"verbs":["watch"]}])");
  cluster.executor.run_for(2s);
  EXPECT_EQ(verbs("admin"), "");
  const std::size_t calls = cluster.api.calls.size();
  cluster.executor.run_for(60s);
  EXPECT_EQ(cluster.api.calls.size(), calls);
  EXPECT_EQ(cluster.executor.pending(), 0u);
}

TEST(Controllers, ASilentNodeLosesItsPodsAfterTheirPatience) {
  Cluster cluster;
  cluster.api.put(resources::nodes, doc(R"({"metadata":{"name":"a"},"status":{"conditions":[
    {"type":"Ready","status":"True","lastHeartbeatTime":"2026-01-01T00:00:00Z"}]}})"));
  cluster.api.put(resources::pods, doc(R"({"metadata":{"name":"p","namespace":"ns"},
    "spec":{"nodeName":"a","tolerations":[{"key":"node.kubernetes.io/unreachable",
      "operator":"Exists","effect":"NoExecute","tolerationSeconds":300}]}})"));
  const auto pod = [&] { return cluster.api.get(resources::pods, "ns", "p"); };
  cluster.executor.run_for(60s);
  const value::Value node = cluster.api.get(resources::nodes, "", "a")->value();
  EXPECT_EQ(node.at("spec", "taints").size(), 2u) << value::to_json(node);
  EXPECT_FALSE(pod()->deleting());
  cluster.executor.run_for(280s);
  EXPECT_FALSE(pod()->deleting());
  cluster.executor.run_for(30s);
  EXPECT_TRUE(pod()->deleting());
}

TEST(Rollout, HashesAreStableAndReadTheTemplateOnly) {
  const value::Value one = doc(R"({"metadata":{"labels":{"a":"b"}},"spec":{"x":1}})");
  const value::Value labelled =
      doc(R"({"metadata":{"labels":{"a":"b","pod-template-hash":"z"}},"spec":{"x":1}})");
  const value::Value other = doc(R"({"metadata":{"labels":{"a":"b"}},"spec":{"x":2}})");
  EXPECT_EQ(template_hash(one, 0), template_hash(labelled, 0));
  EXPECT_NE(template_hash(one, 0), template_hash(other, 0));
  EXPECT_NE(template_hash(one, 0), template_hash(one, 1));
  EXPECT_EQ(template_hash(one, 0).find_first_not_of("bcdfghjklmnpqrstvwxz2456789"),
            std::string::npos);
}

TEST(Controllers, ANamespaceDoesNotEndBeforeCustomResourcesThatTheViewDoesNotShow) {
  Cluster cluster;
  const client::Resource widgets{"example.com", "v1", "widgets", "Widget", true};
  cluster.api.put(resources::crds, doc(R"({"metadata":{"name":"widgets.example.com"},
      "spec":{"group":"example.com","scope":"Namespaced",
              "names":{"plural":"widgets","kind":"Widget"},
              "versions":[{"name":"v1","served":true,"storage":true}]},
      "status":{"conditions":[{"type":"Established","status":"True"}]}})"));
  cluster.executor.run_for(1s);
  bool hidden = true;
  cluster.api.refuse = [&](const client::Call& call) -> std::optional<schema::Status> {
    if (call.verb == client::Verb::list && call.resource == widgets &&
        std::exchange(hidden, false)) {
      cluster.api.put(widgets, doc(R"({"metadata":{"name":"w","namespace":"going"}})"));
    }
    return std::nullopt;
  };
  cluster.api.put(resources::namespaces, doc(R"({"metadata":{"name":"going","finalizers":["x"],
      "deletionTimestamp":"2026-01-01T00:00:00Z"},"spec":{"finalizers":["kubernetes"]}})"));
  cluster.executor.run_for(20s);
  EXPECT_FALSE(hidden) << "it was looked for";
  EXPECT_TRUE(cluster.api.list(widgets).empty());
  const client::ObjectPtr home = cluster.api.get(resources::namespaces, "", "going");
  ASSERT_NE(home, nullptr);
  EXPECT_TRUE(home->value().at("spec", "finalizers").empty());
}

}  // namespace
}  // namespace keelway::controllers
