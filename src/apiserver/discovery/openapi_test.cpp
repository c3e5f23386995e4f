#include <gtest/gtest.h>

#include "apiserver/testing/rig.h"

namespace keelway::apiserver {
namespace {

using testing::Rig;

TEST(OpenApi, IndexLeadsToImmutableDocuments) {
  Rig rig;
  const auto index = rig.ask("GET", "/openapi/v3")->json();
  const std::string url = index["paths"]["apis/apps/v1"]["serverRelativeURL"].as_string();
  ASSERT_TRUE(url.starts_with("/openapi/v3/apis/apps/v1?hash=")) << url;
  const auto document = rig.ask("GET", url);
  EXPECT_EQ(document->status, 200);
  EXPECT_NE(document->header("cache-control").find("immutable"), std::string::npos);
  EXPECT_NE(document->body.find("io.k8s.api.apps.v1.Deployment"), std::string::npos);
  const auto wrong = rig.ask("GET", "/openapi/v3/apis/apps/v1?hash=ABC");
  EXPECT_EQ(wrong->status, 301);
  EXPECT_EQ(wrong->header("location"), url);
  EXPECT_EQ(rig.ask("GET", "/openapi/v3/apis/none/v1")->status, 404);
}

TEST(OpenApi, SwaggerAsJsonAndProtobuf) {
  Rig rig;
  EXPECT_EQ(rig.ask("GET", "/openapi/v2")->json()["swagger"].as_string(), "2.0");
  const std::string type = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
  const auto bytes = rig.ask("GET", "/openapi/v2", "", {.accept = type});
  EXPECT_EQ(bytes->header("content-type"),
            "application/com.github.proto-openapi.spec.v2.v1.0+protobuf");
  const auto again =
      rig.ask("GET", "/openapi/v2", "",
              {.accept = type, .headers = {{"if-none-match", bytes->header("etag")}}});
  EXPECT_EQ(again->status, 304);
}

}  // namespace
}  // namespace keelway::apiserver
