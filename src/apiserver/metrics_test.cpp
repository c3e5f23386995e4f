#include "apiserver/metrics.h"

#include <gtest/gtest.h>

#include "apiserver/testing/rig.h"

namespace keelway::apiserver {
namespace {

using testing::Rig;

// Else anybody uses up the series of the registry.
TEST(ApiMetrics, WhatClientsInventIsNoLabel) {
  Rig rig;
  for (const char* user : {"", "admin"}) {
    rig.ask("GET", "/apis/invented.example/v1/inventions", "", {.user = user});
    rig.ask("GET", "/apis/apps/v1inventive/deployments", "", {.user = user});
    rig.ask("INVENT", "/healthz", "", {.user = user});
    rig.ask("INVENT", "/api/v1/inventories", "", {.user = user});
  }
  rig.server->refused("INVENTED", 413);
  rig.ask("GET", "/apis/apps/v1/deployments");

  const std::string text = rig.ask("GET", "/metrics")->body;
  EXPECT_EQ(text.find("invent"), std::string::npos);
  EXPECT_EQ(text.find("INVENT"), std::string::npos);
  EXPECT_NE(text.find("apiserver_request_total{verb=\"OTHER\""), std::string::npos);
  EXPECT_NE(text.find("{verb=\"LIST\",group=\"apps\",version=\"v1\",resource=\"deployments\""),
            std::string::npos)
      << text;
}

TEST(ApiMetrics, EachAnswerCountsWhereItBelongs) {
  telemetry::Metrics registry(10'000);
  ApiMetrics metrics(registry);
  constexpr int rounds = 3, kinds = 5'000;  // more than are remembered
  for (int round = 0; round < rounds; ++round) {
    metrics.answered("get", "", "v1", "pods", 200, 0.001);
    metrics.answered("get", "", "v1", "pods", 404, 0.001);
    for (int i = 0; i < kinds; ++i) {
      metrics.answered("list", "", "v1", "r" + std::to_string(i), 200, 0.001);
    }
  }
  const std::string text = registry.prometheus_text();
  const auto count = [&](const std::string& labels) {
    const std::string line = "apiserver_request_total{" + labels + "} 3\n";
    return text.find(line) != std::string::npos;
  };
  EXPECT_TRUE(count(R"(verb="GET",group="",version="v1",resource="pods",code="200")"));
  EXPECT_TRUE(count(R"(verb="GET",group="",version="v1",resource="pods",code="404")"));
  EXPECT_TRUE(count(R"(verb="LIST",group="",version="v1",resource="r4999",code="200")"));
}

}  // namespace
}  // namespace keelway::apiserver
