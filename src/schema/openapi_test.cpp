#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "schema/openapi_v2.h"
#include "schema/openapi_v3.h"
#include "schema/testing_kinds.h"
#include "value/json.h"

namespace keelway::schema {
namespace {

using value::Value;

testing::Kinds kinds() {
  return testing::Kinds({testing::deployment(), testing::config_map(), testing::widget()});
}

Value v3(std::string_view group) {
  return value::parse_json(openapi_v3(kinds(), group, "v1")).value();
}

TEST(OpenApiV3, schemas_carry_what_clients_merge_by) {
  const Value schemas = v3("apps").at("components", "schemas");
  const Value& root = schemas["io.k8s.api.apps.v1.Deployment"];
  EXPECT_EQ(value::to_json(root["x-kubernetes-group-version-kind"]),
            R"([{"group":"apps","kind":"Deployment","version":"v1"}])");
  EXPECT_EQ(value::to_json(root.at("properties", "spec")),
            R"({"allOf":[{"$ref":"#/components/schemas/io.k8s.api.apps.v1.DeploymentSpec"}]})");
  const Value& containers = schemas.at("io.k8s.api.core.v1.PodSpec", "properties", "containers");
  EXPECT_EQ(containers["x-kubernetes-list-type"].as_string(), "map");
  EXPECT_EQ(value::to_json(containers["x-kubernetes-list-map-keys"]), R"(["name"])");
  EXPECT_EQ(containers["x-kubernetes-patch-strategy"].as_string(), "merge");
  EXPECT_EQ(containers["x-kubernetes-patch-merge-key"].as_string(), "name");
  EXPECT_EQ(value::to_json(schemas.at("io.k8s.api.core.v1.PodSpec", "required")),
            R"(["containers"])");
  EXPECT_EQ(schemas.at("io.k8s.api.core.v1.ContainerPort", "properties", "protocol", "default")
                .as_string(),
            "TCP");
  EXPECT_TRUE(schemas.contains("io.k8s.api.apps.v1.DeploymentList"));
}

TEST(OpenApiV3, patch_decides_how_kubectl_applies) {
  const Value item =
      v3("apps").at("paths", "/apis/apps/v1/namespaces/{namespace}/deployments/{name}");
  const Value& patch = item["patch"];
  EXPECT_TRUE(
      patch.at("requestBody", "content").contains("application/strategic-merge-patch+json"));
  EXPECT_EQ(patch["x-kubernetes-action"].as_string(), "patch");
  bool validated = false;
  for (const Value& parameter : patch["parameters"].items()) {
    validated = validated || parameter["name"].as_string() == "fieldValidation";
  }
  EXPECT_TRUE(validated);
  const Value custom =
      v3("example.com").at("paths", "/apis/example.com/v1/widgets/{name}", "patch");
  EXPECT_FALSE(
      custom.at("requestBody", "content").contains("application/strategic-merge-patch+json"));
  EXPECT_EQ(item["get"]["operationId"].as_string(), "readAppsV1NamespacedDeployment");
  EXPECT_TRUE(v3("apps")["paths"].contains("/apis/apps/v1/deployments"));
}

TEST(OpenApiV3, custom_kinds_show_their_own_schema) {
  const Value schema =
      value::parse_json(
          R"({"type":"object","properties":{"spec":{"type":"object","nullable":true}}})")
          .value();
  Kind kind = testing::widget();
  kind.json_schema = &schema;
  const testing::Kinds set({kind});
  const Value v = value::parse_json(openapi_v3(set, "example.com", "v1")).value();
  const Value& found = v.at("components", "schemas", "com.example.v1.Widget");
  EXPECT_TRUE(found.at("properties", "spec", "nullable").as_bool());
  EXPECT_EQ(found.at("properties", "kind", "type").as_string(), "string");
  const Value old = openapi_v2(set).at("definitions", "com.example.v1.Widget");
  EXPECT_EQ(value::to_json(old.at("properties", "spec")), "{}");
}

TEST(OpenApiV3, documents_are_made_once_and_indexed_by_hash) {
  const auto set = std::make_shared<testing::Kinds>(kinds());
  const OpenApiDocuments documents(set);
  const auto apps = documents.v3("apps", "v1");
  ASSERT_NE(apps, nullptr);
  EXPECT_EQ(documents.v3("apps", "v1"), apps);
  EXPECT_EQ(documents.v3("nope", "v1"), nullptr);
  const Value index = value::parse_json(documents.v3_index()->json).value();
  EXPECT_EQ(index.at("paths", "apis/apps/v1", "serverRelativeURL").as_string(),
            "/openapi/v3/apis/apps/v1?hash=" + apps->hash);
  EXPECT_TRUE(index["paths"].contains("api/v1"));
  EXPECT_EQ(openapi_v3_index(*set), documents.v3_index()->json);
}

TEST(OpenApiV2, json_and_protobuf_hold_the_same_names) {
  const Value swagger = openapi_v2(kinds());
  EXPECT_EQ(value::to_json(swagger.at("definitions", "io.k8s.api.apps.v1.DeploymentSpec",
                                      "properties", "template")),
            R"({"$ref":"#/definitions/io.k8s.api.core.v1.PodTemplateSpec"})");
  const std::string bytes = openapi_v2_protobuf(swagger);
  for (const auto& [name, schema] : swagger["definitions"].members()) {
    EXPECT_NE(bytes.find(name), std::string::npos) << name;
  }
  EXPECT_EQ(bytes.substr(0, 5),
            "\n\x03"
            "2.0");
  EXPECT_NE(bytes.find("x-kubernetes-group-version-kind"), std::string::npos);
}

TEST(OpenApiV3, paths_are_those_of_upstream) {
  const std::filesystem::path file =
      "../shared/reference/kubernetes-openapi/v3/apis__apps__v1_openapi.json";
  if (!std::filesystem::exists(file)) {
    std::cout << "skipped: " << file << " is not there\n";
    GTEST_SKIP();
  }
  std::stringstream text;
  text << std::ifstream(file).rdbuf();
  const Value upstream = value::parse_json(text.str()).value();
  const Value paths = v3("apps")["paths"];
  for (const auto& [path, ours] : paths.members()) {
    const Value& theirs = upstream["paths"][path];
    ASSERT_TRUE(theirs.is_object()) << path;
    for (const auto& [method, operation] : ours.members()) {
      if (method == "parameters") continue;
      EXPECT_EQ(operation["operationId"], theirs[method]["operationId"]) << path;
      EXPECT_EQ(operation["x-kubernetes-action"], theirs[method]["x-kubernetes-action"]) << path;
    }
  }
}

}  // namespace
}  // namespace keelway::schema
