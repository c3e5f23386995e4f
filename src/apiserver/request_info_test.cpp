#include "apiserver/request_info.h"

#include <gtest/gtest.h>

namespace keelway::apiserver {
namespace {

RequestInfo read(std::string_view method, std::string_view target) {
  const std::size_t mark = target.find('?');
  const Query query = Query::parse(mark == std::string_view::npos ? "" : target.substr(mark + 1));
  return read_request_info(method, target.substr(0, mark), query).value();
}

std::string text(const RequestInfo& i) {
  return i.verb + " " + i.group + "/" + i.version + " ns=" + i.name_space + " " + i.resource + "/" +
         i.subresource + " name=" + i.name;
}

TEST(RequestInfo, ReadsEveryVerbOfNamedAndUnnamedPaths) {
  EXPECT_EQ(text(read("GET", "/api/v1/namespaces/d/pods")), "list /v1 ns=d pods/ name=");
  EXPECT_EQ(text(read("GET", "/api/v1/pods?watch=1")), "watch /v1 ns= pods/ name=");
  EXPECT_EQ(text(read("GET", "/api/v1/pods?watch=false")), "list /v1 ns= pods/ name=");
  EXPECT_EQ(text(read("POST", "/apis/apps/v1/namespaces/d/deployments")),
            "create apps/v1 ns=d deployments/ name=");
  EXPECT_EQ(text(read("PATCH", "/apis/apps/v1/namespaces/d/deployments/x/scale")),
            "patch apps/v1 ns=d deployments/scale name=x");
  EXPECT_EQ(text(read("DELETE", "/api/v1/namespaces/d/pods")),
            "deletecollection /v1 ns=d pods/ name=");
  EXPECT_EQ(text(read("DELETE", "/api/v1/nodes/n")), "delete /v1 ns= nodes/ name=n");
}

TEST(RequestInfo, NamespaceObjectIsItsOwnNamespace) {
  EXPECT_EQ(text(read("GET", "/api/v1/namespaces/d")), "get /v1 ns=d namespaces/ name=d");
  EXPECT_EQ(text(read("PUT", "/api/v1/namespaces/d/finalize")),
            "update /v1 ns=d namespaces/finalize name=d");
  EXPECT_EQ(text(read("GET", "/api/v1/namespaces")), "list /v1 ns= namespaces/ name=");
}

TEST(RequestInfo, WatchPrefixAndNameSelector) {
  EXPECT_EQ(text(read("GET", "/api/v1/watch/namespaces/d/pods/p")), "watch /v1 ns=d pods/ name=p");
  EXPECT_EQ(text(read("GET", "/api/v1/namespaces/d/pods?fieldSelector=metadata.name%3Dp")),
            "list /v1 ns=d pods/ name=p");
}

TEST(RequestInfo, ProxyKeepsItsTailAndOtherDepthIsAnError) {
  const RequestInfo proxy = read("GET", "/api/v1/namespaces/d/services/s:80/proxy/a/b");
  EXPECT_EQ(proxy.tail, "a/b");
  EXPECT_FALSE(proxy.too_deep);
  EXPECT_TRUE(read("GET", "/api/v1/namespaces/d/pods/p/log/x").too_deep);
}

TEST(RequestInfo, EscapesEndNoPart) {
  const std::string longer = "a-name-of-more-than-fifteen-bytes";
  EXPECT_EQ(text(read("GET", "/api/v1/namespaces/%61%2Fb/pods/" + longer + "%20c/%73tatus")),
            "get /v1 ns=a/b pods/status name=" + longer + " c");
  EXPECT_EQ(read("GET", "/api/v1/namespaces/d/services/s/proxy/%61/b%2fc").tail, "a/b/c");
}

TEST(RequestInfo, OtherPathsAreNotResources) {
  EXPECT_FALSE(read("GET", "/healthz").resource_request);
  EXPECT_FALSE(read("GET", "/apis/apps/v1").resource_request);
  EXPECT_EQ(read("GET", "/api/v1").verb, "get");
  EXPECT_FALSE(read_request_info("GET", "/api/v1/pods/%zz", {}).has_value());
}

}  // namespace
}  // namespace keelway::apiserver
