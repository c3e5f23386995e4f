#include "aws/keys.h"

#include <gtest/gtest.h>

#include <optional>

namespace keelway::aws {
namespace {

struct Heard final : http::Exchange {
  std::optional<http::Response> answer;
  void respond(http::Response response) override { answer = std::move(response); }
  void start(int, std::vector<http::Header>) override {}
  void write(std::string) override {}
  void finish() override {}
  void abort() override {}
  std::size_t pending_bytes() const override { return 0; }
  void on_drained(std::move_only_function<void()>) override {}
  void on_gone(std::move_only_function<void()>) override {}
};

// A signature for another service may come from a tool that was never meant to manage keys.
TEST(Keys, AreManagedByRequestsSignedForEksAlone) {
  const KeyDesk desk;  // nothing behind it is asked
  for (const char* service : {"sts", "s3", "ec2", "iam", "EKS", "eks2", ""}) {
    for (const char* method : {"GET", "POST", "DELETE", "PUT"}) {
      http::Request request;
      request.method = method;
      request.target = std::string(keys_path) + "/AKIA";
      Caller root;
      root.arn = "arn:aws:iam::000000000000:root";
      root.service = service;
      root.root = true;
      const auto heard = std::make_shared<Heard>();
      answer_keys(desk, request, root, "id", heard);
      ASSERT_TRUE(heard->answer);
      EXPECT_EQ(heard->answer->status, 403) << service << method;
      EXPECT_NE(heard->answer->body.find("signed for eks"), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace keelway::aws
