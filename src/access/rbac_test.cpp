#include "access/rbac.h"

#include <gtest/gtest.h>

#include "access/authorizers.h"
#include "access/test_view.h"
#include "client/resources.h"
#include "value/json.h"

namespace keelway::access {
namespace {

namespace resources = client::resources;

Attributes ask(std::string verb, std::string group, std::string resource, std::string name_space,
               std::string name = "") {
  Attributes what;
  what.verb = std::move(verb);
  what.group = std::move(group);
  what.version = "v1";
  what.name_space = std::move(name_space);
  what.name = std::move(name);
  const std::size_t slash = resource.find('/');
  what.resource = resource.substr(0, slash);
  if (slash != std::string::npos) what.subresource = resource.substr(slash + 1);
  return what;
}

value::Value json(const char* text) {
  return *value::parse_json(text);
}

class RbacTest : public ::testing::Test {
 protected:
  bool may(const Identity& who, const Attributes& what) const {
    return rbac_.authorize(who, what).kind == Decision::Kind::allow;
  }
  static Identity user(std::string name, std::vector<std::string> groups = {}) {
    return {std::move(name), "", std::move(groups), {}};
  }
  void reader_of_pods() {
    view_.put(resources::roles,
              R"({"metadata":{"namespace":"a","name":"reader"},"rules":[
                 {"apiGroups":[""],"resources":["pods","pods/log"],"verbs":["get","list"]}]})");
    view_.put(resources::role_bindings,
              R"({"metadata":{"namespace":"a","name":"b"},
                 "roleRef":{"kind":"Role","name":"reader"},
                 "subjects":[{"kind":"User","name":"u"},{"kind":"Group","name":"g"},
                             {"kind":"ServiceAccount","name":"sa"}]})");
  }
  TestView view_;
  RbacAuthorizer rbac_{view_};
};

TEST_F(RbacTest, RoleBindingHoldsInItsNamespace) {
  reader_of_pods();
  EXPECT_TRUE(may(user("u"), ask("get", "", "pods", "a")));
  EXPECT_TRUE(may(user("u"), ask("get", "", "pods/log", "a")));
  EXPECT_FALSE(may(user("u"), ask("get", "", "pods/exec", "a")));
  EXPECT_FALSE(may(user("u"), ask("delete", "", "pods", "a")));
  EXPECT_FALSE(may(user("u"), ask("get", "", "pods", "b")));
  EXPECT_FALSE(may(user("u"), ask("list", "", "pods", "")));
  EXPECT_TRUE(may(user("x", {"g"}), ask("get", "", "pods", "a")));
  EXPECT_TRUE(may(user("system:serviceaccount:a:sa"), ask("get", "", "pods", "a")));
  EXPECT_FALSE(may(user("system:serviceaccount:b:sa"), ask("get", "", "pods", "a")));
  EXPECT_FALSE(may(user("x"), ask("get", "", "pods", "a")));
}

TEST_F(RbacTest, ChangesAreSeenAtTheNextDecision) {
  EXPECT_FALSE(may(user("u"), ask("get", "", "pods", "a")));
  reader_of_pods();
  EXPECT_TRUE(may(user("u"), ask("get", "", "pods", "a")));
  view_.remove(resources::role_bindings, R"({"metadata":{"namespace":"a","name":"b"}})");
  EXPECT_FALSE(may(user("u"), ask("get", "", "pods", "a")));
}

TEST_F(RbacTest, NoticeRefreshes) {
  RbacAuthorizer by_notice(view_, RbacAuthorizer::Refresh::by_notice);
  const Attributes what = ask("get", "", "pods", "a");
  EXPECT_NE(by_notice.authorize(user("u"), what).kind, Decision::Kind::allow);
  reader_of_pods();
  by_notice.notice(resources::pods);
  EXPECT_NE(by_notice.authorize(user("u"), what).kind, Decision::Kind::allow);
  by_notice.notice(resources::role_bindings);
  EXPECT_EQ(by_notice.authorize(user("u"), what).kind, Decision::Kind::allow);
}

TEST_F(RbacTest, ClusterRoleThroughEitherBinding) {
  view_.put(resources::cluster_roles,
            R"({"metadata":{"name":"ops"},"rules":[
               {"apiGroups":["apps"],"resources":["*/scale","deployments"],"verbs":["*"]},
               {"nonResourceURLs":["/healthz","/metrics/*"],"verbs":["get"]},
               {"apiGroups":[""],"resources":["configmaps"],"resourceNames":["one"],
                "verbs":["get"]}]})");
  view_.put(resources::cluster_role_bindings,
            R"({"metadata":{"name":"c"},"roleRef":{"kind":"ClusterRole","name":"ops"},
               "subjects":[{"kind":"User","name":"u"}]})");
  view_.put(resources::role_bindings,
            R"({"metadata":{"namespace":"a","name":"r"},
               "roleRef":{"kind":"ClusterRole","name":"ops"},
               "subjects":[{"kind":"User","name":"v"}]})");
  EXPECT_TRUE(may(user("u"), ask("patch", "apps", "statefulsets/scale", "z")));
  EXPECT_FALSE(may(user("u"), ask("patch", "apps", "statefulsets", "z")));
  EXPECT_TRUE(may(user("u"), ask("list", "apps", "deployments", "")));
  EXPECT_FALSE(may(user("u"), ask("list", "", "deployments", "")));
  EXPECT_TRUE(may(user("u"), ask("get", "", "configmaps", "z", "one")));
  EXPECT_FALSE(may(user("u"), ask("get", "", "configmaps", "z", "two")));
  EXPECT_FALSE(may(user("u"), ask("get", "", "configmaps", "z")));
  EXPECT_TRUE(may(user("v"), ask("list", "apps", "deployments", "a")));
  EXPECT_FALSE(may(user("v"), ask("list", "apps", "deployments", "")));
  Attributes path;
  path.verb = "get";
  path.resource_request = false;
  path.path = "/metrics/cadvisor";
  EXPECT_TRUE(may(user("u"), path));
  path.path = "/metrics";
  EXPECT_FALSE(may(user("u"), path));
  path.path = "/healthz";
  EXPECT_FALSE(may(user("v"), path));  // a role binding gives no paths
}

TEST_F(RbacTest, AggregationGathersByLabelAndEndsCycles) {
  view_.put(resources::cluster_roles,
            R"({"metadata":{"name":"all","labels":{"x":"y"}},"aggregationRule":
               {"clusterRoleSelectors":[{"matchLabels":{"x":"y"}}]},"rules":[]})");
  view_.put(resources::cluster_roles,
            R"({"metadata":{"name":"part","labels":{"x":"y"}},"rules":[
               {"apiGroups":["a"],"resources":["b"],"verbs":["get"]}]})");
  view_.put(resources::cluster_role_bindings,
            R"({"metadata":{"name":"c"},"roleRef":{"kind":"ClusterRole","name":"all"},
               "subjects":[{"kind":"User","name":"u"}]})");
  EXPECT_TRUE(may(user("u"), ask("get", "a", "b", "")));
}

TEST_F(RbacTest, MissingRoleIsNamedInTheReason) {
  view_.put(resources::cluster_role_bindings,
            R"({"metadata":{"name":"c"},"roleRef":{"kind":"ClusterRole","name":"gone"},
               "subjects":[{"kind":"User","name":"u"}]})");
  EXPECT_EQ(rbac_.authorize(user("u"), ask("get", "", "pods", "a")).reason,
            "RBAC: clusterrole.rbac.authorization.k8s.io \"gone\" not found");
}

TEST_F(RbacTest, RefusalInUpstreamsWords) {
  const AuthorizerUnion chain({&rbac_});
  const auto refused = require(chain, user("u"), ask("get", "", "pods", "default", "web"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, 403);
  EXPECT_EQ(refused.error().message,
            "pods \"web\" is forbidden: User \"u\" cannot get resource \"pods\" in API group \"\" "
            "in the namespace \"default\"");
  EXPECT_EQ(denial_text(user("u"), ask("list", "apps", "deployments/scale", "")),
            "User \"u\" cannot list resource \"deployments/scale\" in API group \"apps\" at the "
            "cluster scope");
  const MastersAuthorizer masters;
  EXPECT_TRUE(require(AuthorizerUnion({&masters, &rbac_}), user("r", {"system:masters"}),
                      ask("delete", "", "nodes", "")));
}

TEST_F(RbacTest, EscalationIsRefusedUnlessHeldOrWaived) {
  reader_of_pods();
  const auto role = json(R"({"metadata":{"namespace":"a","name":"new"},"rules":[
      {"apiGroups":[""],"resources":["pods"],"verbs":["get","delete","watch"]}]})");
  const auto small = json(R"({"metadata":{"namespace":"a","name":"new"},"rules":[
      {"apiGroups":[""],"resources":["pods"],"verbs":["get"]}]})");
  EXPECT_TRUE(rbac_.check_escalation(user("u", {"g1"}), resources::roles, small, nullptr, rbac_));
  const auto refused =
      rbac_.check_escalation(user("u", {"g1"}), resources::roles, role, nullptr, rbac_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message,
            "roles.rbac.authorization.k8s.io \"new\" is forbidden: user \"u\" (groups=[\"g1\"]) is "
            "attempting to grant RBAC permissions not currently held:\n"
            "{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"delete\" \"watch\"]}");
  EXPECT_TRUE(rbac_.check_escalation(user("u"), resources::roles, role, &role, rbac_));
  EXPECT_TRUE(rbac_.check_escalation(user("m", {"system:masters"}), resources::roles, role, nullptr,
                                     rbac_));
  view_.put(resources::roles,
            R"({"metadata":{"namespace":"a","name":"reader"},"rules":[
               {"apiGroups":["rbac.authorization.k8s.io"],"resources":["roles"],
                "verbs":["escalate"]}]})");
  EXPECT_TRUE(rbac_.check_escalation(user("u"), resources::roles, role, nullptr, rbac_));
}

TEST_F(RbacTest, BindingNeedsTheRightsOfItsRole) {
  reader_of_pods();
  view_.put(resources::cluster_roles, R"({"metadata":{"name":"admin"},"rules":[
      {"apiGroups":["*"],"resources":["*"],"verbs":["*"]}]})");
  const auto binding = [](const char* kind, const char* name) {
    return json((std::string(R"({"metadata":{"namespace":"a","name":"n"},"roleRef":{"kind":")") +
                 kind + R"(","name":")" + name + R"("},"subjects":[]})")
                    .c_str());
  };
  const auto check = [&](const Identity& who, const value::Value& object) {
    return rbac_.check_escalation(who, resources::role_bindings, object, nullptr, rbac_);
  };
  EXPECT_TRUE(check(user("u"), binding("Role", "reader")));
  EXPECT_FALSE(check(user("x"), binding("Role", "reader")));
  EXPECT_FALSE(check(user("u"), binding("ClusterRole", "admin")));
  EXPECT_EQ(check(user("u"), binding("ClusterRole", "gone")).error().code, 404);
}

TEST_F(RbacTest, RulesReview) {
  reader_of_pods();
  const value::Value review = rbac_.rules_review(user("u", {"g"}), "a");
  ASSERT_EQ(review["resourceRules"].size(), 1u);  // one role, two subjects that match
  EXPECT_EQ(review["resourceRules"][0]["resources"][1].as_string(), "pods/log");
  EXPECT_FALSE(review["incomplete"].as_bool(true));
}

}  // namespace
}  // namespace keelway::access
