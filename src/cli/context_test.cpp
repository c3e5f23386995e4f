#include "cli/context.h"

#include <gtest/gtest.h>

#include <map>

#include "runtime/virtual/world.h"

namespace keelway::cli {
namespace {

class ContextTest : public ::testing::Test {
 protected:
  runtime::Files& files() { return host_->runtime().files(); }
  base::Result<Context> read(const std::string& document) {
    EXPECT_TRUE(files().write_private("data/credentials.json", document));
    return read_credentials(files(), "data");
  }
  base::Result<Context> at(const std::string& url) {
    const auto environment = [&](const char* name) {
      const std::string_view asked = name;
      if (asked == "AWS_ENDPOINT_URL") return url;
      return std::string(asked == "AWS_ACCESS_KEY_ID" ? "AKIA" : "");
    };
    return find_context(environment, files(), "data", false);
  }

  std::unique_ptr<runtime::World> world_ = runtime::make_world(1);
  std::unique_ptr<runtime::Host> host_ = world_->make_host("h");
};

TEST_F(ContextTest, WhatIsLeftForLocalToolsReadsAsItWasWritten) {
  Context context;
  context.port = 65'535;
  context.ca_file = "/data/ca.pem";
  context.access_key = "AKIA";
  context.secret_key = "quote \" and \\ stay";
  ASSERT_TRUE(write_credentials(files(), "data", context));
  const auto again = read_credentials(files(), "data");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->endpoint(), "https://127.0.0.1:65535");
  EXPECT_EQ(again->secret_key, context.secret_key);
  EXPECT_EQ(read("{}")->port, 4566) << "what it does not say is the default";
}

TEST_F(ContextTest, AKeyOfTheRealCloudIsNotSentToALocalServer) {
  Context local;
  local.access_key = "LOCAL";
  local.port = 1'234;
  ASSERT_TRUE(write_credentials(files(), "data", local));
  std::map<std::string, std::string> environment{{"AWS_ACCESS_KEY_ID", "REAL"},
                                                 {"AWS_SECRET_ACCESS_KEY", "secret"},
                                                 {"AWS_REGION", "eu-west-1"}};
  const auto find = [&](bool named) {
    return find_context([&](const char* name) { return environment[name]; }, files(), "data", named)
        .value();
  };
  EXPECT_EQ(find(false).access_key, "LOCAL");
  EXPECT_EQ(find(false).region, "eu-west-1");
  environment["AWS_ENDPOINT_URL"] = "http://127.0.0.1:80";
  EXPECT_EQ(find(false).access_key, "REAL");
  EXPECT_EQ(find(false).port, 80);
  EXPECT_TRUE(find(false).from_environment);
  // Whoever names a folder means its server.
  EXPECT_EQ(find(true).access_key, "LOCAL");
  EXPECT_EQ(find(true).port, 1'234);
  EXPECT_EQ(find(true).region, "us-east-1");
  EXPECT_FALSE(find(true).from_environment);
}

TEST_F(ContextTest, AnIPv6AddressStandsInBrackets) {
  const auto context = at("http://[::1]:4566/");
  ASSERT_TRUE(context) << context.error().message;
  EXPECT_EQ(context->host, "::1");
  EXPECT_EQ(context->port, 4566);
  EXPECT_EQ(context->endpoint(), "http://[::1]:4566");
}

TEST_F(ContextTest, PortsThatAreNoneAreRefused) {
  for (const char* port : {"0", "-1", "65536", "70000", "9223372036854775807"}) {
    const auto refused = read(R"({"port":)" + std::string(port) + "}");
    ASSERT_FALSE(refused) << port;
    EXPECT_NE(refused.error().message.find("data/credentials.json"), std::string::npos);
  }
  EXPECT_EQ(at("http://127.0.0.1:80")->port, 80);
  for (const char* url : {"http://127.0.0.1:0", "http://127.0.0.1:65536", "http://127.0.0.1:",
                          "http://127.0.0.1", "127.0.0.1:80", "http://:80", "http://[]:80"}) {
    EXPECT_FALSE(at(url)) << url;
  }
}

}  // namespace
}  // namespace keelway::cli
