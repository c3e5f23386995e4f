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
  http::Request request;
  request.method = "INVENTED";
  (void)rig.server->refusal(request, 413, "");
  rig.ask("GET", "/apis/apps/v1/deployments");

  const std::string text = rig.ask("GET", "/metrics")->body;
  EXPECT_EQ(text.find("invent"), std::string::npos);
  EXPECT_EQ(text.find("INVENT"), std::string::npos);
  EXPECT_NE(text.find("apiserver_request_total{verb=\"OTHER\""), std::string::npos);
  EXPECT_NE(text.find("{verb=\"LIST\",group=\"apps\",version=\"v1\",resource=\"deployments\""),
            std::string::npos)
      << text;
}

}  // namespace
}  // namespace keelway::apiserver
