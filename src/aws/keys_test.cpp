#include "aws/keys.h"

#include <gtest/gtest.h>

#include "aws/test_hub.h"

namespace keelway::aws {
namespace {

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
      const auto heard = std::make_shared<TestExchange>();
      answer_keys(desk, request, root, "id", heard);
      ASSERT_TRUE(heard->answer);
      EXPECT_EQ(heard->answer->status, 403) << service << method;
      EXPECT_NE(heard->answer->body.find("signed for eks"), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace keelway::aws
