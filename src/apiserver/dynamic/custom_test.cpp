#include <gtest/gtest.h>

#include "apiserver/testing/rig.h"

namespace keelway::apiserver {
namespace {

using testing::Rig;

const std::string kDefinitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const std::string kWidgets = "/apis/example.com/v1/namespaces/default/widgets";

constexpr const char* kDefinition = R"({
  "apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition",
  "metadata":{"name":"widgets.example.com"},
  "spec":{"group":"example.com","scope":"Namespaced",
    "names":{"plural":"widgets","singular":"widget","kind":"Widget","listKind":"WidgetList"},
    "versions":[{"name":"v1","served":true,"storage":true,"subresources":{"status":{}},
      "schema":{"openAPIV3Schema":{"type":"object","properties":{
        "spec":{"type":"object","properties":{"size":{"type":"integer","default":3}}},
        "status":{"type":"object","properties":{"ok":{"type":"boolean"}}}}}}}]}})";

constexpr const char* kEstablished = R"({"status":{"acceptedNames":{"plural":"widgets",
  "singular":"widget","kind":"Widget","listKind":"WidgetList"},"storedVersions":["v1"],
  "conditions":[{"type":"Established","status":"True","reason":"r","message":"m",
                 "lastTransitionTime":"2026-01-01T00:00:00Z"}]}})";

TEST(CustomKinds, ServedOnceEstablished) {
  Rig rig;
  const auto made = rig.ask("POST", kDefinitions, kDefinition);
  ASSERT_EQ(made->status, 201) << made->body;
  EXPECT_EQ(rig.ask("GET", kWidgets)->status, 404);
  const auto patched = rig.ask("PATCH", kDefinitions + "/widgets.example.com/status", kEstablished,
                               {.content_type = "application/merge-patch+json"});
  ASSERT_EQ(patched->status, 200) << patched->body;
  const auto widget = rig.ask("POST", kWidgets,
                              R"({"apiVersion":"example.com/v1","kind":"Widget",)"
                              R"("metadata":{"name":"w"},"spec":{"extra":1}})");
  ASSERT_EQ(widget->status, 201) << widget->body;
  EXPECT_EQ(widget->json().at("spec", "size").as_int(), 3);
  EXPECT_FALSE(widget->json()["spec"].contains("extra"));
  EXPECT_EQ(widget->json().at("metadata", "generation").as_int(), 1);
  EXPECT_EQ(rig.ask("GET", "/apis/example.com/v1")->json()["resources"][0]["name"].as_string(),
            "widgets");
  const auto smp = rig.ask("PATCH", kWidgets + "/w", "{}",
                           {.content_type = "application/strategic-merge-patch+json"});
  EXPECT_EQ(smp->status, 415);

  const auto going = rig.ask("DELETE", kDefinitions + "/widgets.example.com")->json();
  EXPECT_EQ(going.at("metadata", "finalizers")[0].as_string(),
            "customresourcecleanup.apiextensions.k8s.io");
}

}  // namespace
}  // namespace keelway::apiserver
