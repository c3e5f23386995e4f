#include "access/node_authorizer.h"

#include <gtest/gtest.h>

#include "access/test_view.h"
#include "client/resources.h"

namespace keelway::access {
namespace {

namespace resources = client::resources;
const client::Resource persistent_volumes{"", "v1", "persistentvolumes", "PersistentVolume", false};

class NodeRuleTest : public ::testing::Test {
 protected:
  NodeRuleTest() {
    view_.put(resources::pods, R"({"metadata":{"namespace":"a","name":"p"},"spec":{
      "nodeName":"n1","serviceAccountName":"sa","imagePullSecrets":[{"name":"pull"}],
      "volumes":[{"name":"v","secret":{"secretName":"s"}},
                 {"name":"c","persistentVolumeClaim":{"claimName":"claim"}},
                 {"name":"t","projected":{"sources":[{"configMap":{"name":"kube-root-ca.crt"}}]}}],
      "containers":[{"name":"c","envFrom":[{"configMapRef":{"name":"env"}}],
        "env":[{"name":"X","valueFrom":{"secretKeyRef":{"name":"key","key":"k"}}}]}]}})");
    view_.put(resources::pods, R"({"metadata":{"namespace":"a","name":"q"},"spec":{
      "nodeName":"n2","containers":[]}})");
    view_.put(persistent_volumes, R"({"metadata":{"name":"pv"},"spec":{"claimRef":
      {"namespace":"a","name":"claim"}}})");
  }
  bool may(std::string_view node, std::string verb, std::string group, std::string resource,
           std::string name_space, std::string name, std::string field_selector = "") const {
    Attributes what;
    what.verb = std::move(verb);
    what.group = std::move(group);
    what.name_space = std::move(name_space);
    what.name = std::move(name);
    what.field_selector = std::move(field_selector);
    const std::size_t slash = resource.find('/');
    what.resource = resource.substr(0, slash);
    if (slash != std::string::npos) what.subresource = resource.substr(slash + 1);
    const Identity who{"system:node:" + std::string(node), "", {"system:nodes"}, {}};
    return NodeAuthorizer(view_).authorize(who, what).kind == Decision::Kind::allow;
  }
  TestView view_;
};

TEST_F(NodeRuleTest, ReadsWhatItsPodsReferTo) {
  for (const char* secret : {"s", "pull", "key"}) {
    EXPECT_TRUE(may("n1", "get", "", "secrets", "a", secret)) << secret;
    EXPECT_FALSE(may("n2", "get", "", "secrets", "a", secret)) << secret;
    EXPECT_FALSE(may("n1", "get", "", "secrets", "b", secret)) << secret;
    EXPECT_FALSE(may("n1", "update", "", "secrets", "a", secret)) << secret;
  }
  EXPECT_FALSE(may("n1", "get", "", "secrets", "a", "other"));
  EXPECT_FALSE(may("n1", "list", "", "secrets", "a", ""));
  EXPECT_TRUE(may("n1", "watch", "", "configmaps", "a", "env"));
  EXPECT_TRUE(may("n1", "get", "", "configmaps", "a", "kube-root-ca.crt"));
  EXPECT_FALSE(may("n2", "get", "", "configmaps", "a", "env"));
}

TEST_F(NodeRuleTest, ClaimsVolumesAndTokens) {
  EXPECT_TRUE(may("n1", "get", "", "persistentvolumeclaims", "a", "claim"));
  EXPECT_FALSE(may("n2", "get", "", "persistentvolumeclaims", "a", "claim"));
  EXPECT_TRUE(may("n1", "get", "", "persistentvolumes", "", "pv"));
  EXPECT_FALSE(may("n2", "get", "", "persistentvolumes", "", "pv"));
  EXPECT_TRUE(may("n1", "create", "", "serviceaccounts/token", "a", "sa"));
  EXPECT_FALSE(may("n2", "create", "", "serviceaccounts/token", "a", "sa"));
  EXPECT_FALSE(may("n1", "create", "", "serviceaccounts/token", "a", "default"));
}

TEST_F(NodeRuleTest, MirrorPodsGiveNoRights) {
  view_.put(resources::pods, R"({"metadata":{"namespace":"a","name":"m",
    "annotations":{"kubernetes.io/config.mirror":"x"}},"spec":{"nodeName":"n2",
    "imagePullSecrets":[{"name":"pull"}],
    "volumes":[{"name":"v","persistentVolumeClaim":{"claimName":"claim"}}],"containers":[]}})");
  EXPECT_FALSE(may("n2", "get", "", "secrets", "a", "pull"));
  EXPECT_FALSE(may("n2", "get", "", "persistentvolumeclaims", "a", "claim"));
  EXPECT_FALSE(may("n2", "get", "", "persistentvolumes", "", "pv"));
  EXPECT_TRUE(may("n2", "patch", "", "pods/status", "a", "m"));
}

TEST_F(NodeRuleTest, OwnNodePodsAndLease) {
  EXPECT_TRUE(may("n1", "patch", "", "nodes/status", "", "n1"));
  EXPECT_FALSE(may("n1", "patch", "", "nodes/status", "", "n2"));
  EXPECT_TRUE(may("n1", "list", "", "nodes", "", "", "metadata.name=n1"));
  EXPECT_FALSE(may("n1", "list", "", "nodes", "", ""));
  EXPECT_TRUE(may("n1", "list", "", "pods", "", "", "spec.nodeName=n1"));
  EXPECT_FALSE(may("n1", "list", "", "pods", "", "", "spec.nodeName=n2"));
  EXPECT_FALSE(may("n1", "list", "", "pods", "", "", "spec.nodeName=n10"));
  EXPECT_FALSE(may("n1", "list", "", "pods", "", "", "spec.nodeName!=n1"));
  EXPECT_FALSE(may("n1", "list", "", "pods", "", "", "x.spec.nodeName=n1"));
  // By name: only one that stands, in its namespace, on this node.
  for (const char* verb : {"list", "watch"}) {
    EXPECT_TRUE(may("n1", verb, "", "pods", "a", "p"));
    EXPECT_FALSE(may("n1", verb, "", "pods", "a", "q"));
    EXPECT_FALSE(may("n1", verb, "", "pods", "", "q"));
    EXPECT_FALSE(may("n1", verb, "", "pods", "a", "to-come"));
    EXPECT_TRUE(may("n1", verb, "", "pods", "", "p", "spec.nodeName=n1"));
  }
  EXPECT_TRUE(may("n1", "get", "", "pods", "a", "gone"));
  EXPECT_TRUE(may("n1", "watch", "", "pods", "", "", "status.phase=Running,spec.nodeName==n1"));
  EXPECT_FALSE(may("n1", "list", "", "pods", "", ""));
  EXPECT_TRUE(may("n1", "patch", "", "pods/status", "a", "p"));
  EXPECT_FALSE(may("n2", "patch", "", "pods/status", "a", "p"));
  EXPECT_FALSE(may("n2", "delete", "", "pods", "a", "p"));
  EXPECT_TRUE(may("n1", "update", "coordination.k8s.io", "leases", "kube-node-lease", "n1"));
  EXPECT_FALSE(may("n1", "update", "coordination.k8s.io", "leases", "kube-node-lease", "n2"));
  EXPECT_FALSE(may("n1", "update", "coordination.k8s.io", "leases", "kube-system", "n1"));
}

TEST_F(NodeRuleTest, OthersGetNoOpinion) {
  const Identity impostor{"system:node:n1", "", {"system:authenticated"}, {}};
  EXPECT_EQ(node_name_of(impostor), "");
  Attributes what;
  what.verb = "get";
  what.resource = "services";
  EXPECT_EQ(NodeAuthorizer(view_).authorize(impostor, what).kind, Decision::Kind::no_opinion);
}

}  // namespace
}  // namespace keelway::access
