#include "apiserver/unreadable.h"

#include <gtest/gtest.h>

#include "apiserver/testing/rig.h"

namespace keelway::apiserver {
namespace {

using testing::Rig;

const std::string maps = "/api/v1/namespaces/default/configmaps";
const std::string option = "ignoreStoreReadErrorWithClusterBreakingPotential";

// What an object that does not open takes to be deleted is asked before whether it opens.
class UnsafeDelete : public ::testing::Test {
 protected:
  UnsafeDelete() {
    make(maps, R"({"metadata":{"name":"a"}})");
    bind("ada", R"(["delete","deletecollection"])");
    bind("eve", R"(["delete","unsafe-delete-ignore-read-errors"])");
  }
  void make(const std::string& path, const std::string& body) {
    const auto made = rig_.ask("POST", path, body);
    EXPECT_EQ(made->status, 201) << made->body;
  }
  void bind(const std::string& user, const std::string& verbs) {
    const std::string rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/";
    make(rbac + "roles",
         R"({"metadata":{"name":")" + user +
             R"("},"rules":[{"apiGroups":[""],"resources":["configmaps"],"verbs":)" + verbs +
             "}]}");
    make(rbac + "rolebindings",
         R"({"metadata":{"name":")" + user +
             R"("},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":")" +
             user +
             R"("},"subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"User","name":")" +
             user + R"("}]})");
  }
  void expect(const std::string& user, const std::string& query, const std::string& body, int code,
              const std::string& says) {
    const auto answer = rig_.ask("DELETE", maps + query, body, {.user = user});
    EXPECT_EQ(answer->status, code) << query << body << answer->body;
    EXPECT_NE(answer->body.find(says), std::string::npos) << query << body << answer->body;
    EXPECT_EQ(rig_.ask("GET", maps + "/a")->status, 200) << "it was deleted by " << query << body;
  }

  Rig rig_;
};

TEST_F(UnsafeDelete, NeedsAVerbOfItsOwn) {
  const std::string asked = "/a?" + option + "=true";
  expect(
      "ada", asked, "", 403,
      R"(configmaps \"a\" is forbidden: not permitted to do \"unsafe-delete-ignore-read-errors\")");
  expect("ada", "/a", "{\"" + option + "\":true}", 403, "not permitted to do");
  expect("eve", asked, "", 422, "is exclusively used to delete corrupt object(s)");
  EXPECT_EQ(rig_.ask("DELETE", maps + "/a", "", {.user = "ada"})->status, 200);
}

TEST_F(UnsafeDelete, HasNoOtherOption) {
  const std::string with = "{\"" + option + "\":true,";
  const std::string refused = option + ": Invalid value: true: cannot be set together with .";
  expect("eve", "/a?dryRun=All&" + option + "=true", "", 422, refused + "dryRun");
  expect("eve", "/a", with + R"("dryRun":["All"]})", 422, refused + "dryRun");
  expect("eve", "/a", with + R"("gracePeriodSeconds":0})", 422, refused + "gracePeriodSeconds");
  expect("eve", "/a", with + R"("propagationPolicy":"Orphan"})", 422,
         refused + "propagationPolicy");
  expect("eve", "/a", with + R"("orphanDependents":false})", 422, refused + "orphanDependents");
  expect("eve", "/a", with + R"("preconditions":{"uid":"u"}})", 422, refused + "preconditions");
}

TEST_F(UnsafeDelete, IsOfOneObject) {
  expect("ada", "?" + option + "=true", "", 422,
         option + ": Invalid value: true: is not allowed with DELETECOLLECTION");
}

}  // namespace
}  // namespace keelway::apiserver
