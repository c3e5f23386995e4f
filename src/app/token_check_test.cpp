#include "app/token_check.h"

#include <gtest/gtest.h>

#include "aws/botocore_vectors.h"
#include "client/resources.h"
#include "value/json.h"

namespace keelway::app {
namespace {

schema::ObjectPtr key_object(std::string_view secret) {
  const aws::AccessKey key = aws::vectors::key();
  const value::Value document =
      value::Value::object({{"metadata", value::Value::object({{"name", "k"}})},
                            {"spec", value::Value::object({{"accessKeyId", key.access_key_id},
                                                           {"secretAccessKey", secret},
                                                           {"accountId", key.account_id},
                                                           {"root", true}})}});
  return schema::Object::parse(std::make_shared<const std::string>(value::to_json(document)), 1);
}

class TokenCheckTest : public testing::Test {
 protected:
  TokenCheckTest() { change(key_object(aws::vectors::key().secret_access_key), nullptr); }

  void change(schema::ObjectPtr object, schema::ObjectPtr previous) {
    client::ChangeBatch batch;
    batch.changes.push_back(
        {client::resources::access_keys, std::move(object), std::move(previous)});
    keys_.apply(batch);
  }
  bool good(base::WallTime now = aws::vectors::signed_at) {
    return check_(aws::vectors::own_endpoint_token, now).has_value();
  }

  KeyDirectory keys_;
  access::AwsTokenCheck check_ = make_token_check(keys_, "dev", "arn:aws:iam::123456789012:root");
};

TEST_F(TokenCheckTest, TheSameCallerEachTime) {
  const auto first = check_(aws::vectors::own_endpoint_token, aws::vectors::signed_at);
  const auto second = check_(aws::vectors::own_endpoint_token, aws::vectors::signed_at);
  ASSERT_TRUE(first && second);
  EXPECT_EQ((*first)->user, "arn:aws:iam::123456789012:root");
  EXPECT_TRUE((*first)->in_group("system:masters"));
  EXPECT_TRUE((*first)->in_group("system:authenticated"));
  EXPECT_EQ(*first, *second);
}

TEST_F(TokenCheckTest, ARememberedTokenEndsWithItsTime) {
  EXPECT_TRUE(good());
  EXPECT_TRUE(good(aws::vectors::signed_at + std::chrono::minutes(14)));
  EXPECT_FALSE(good(aws::vectors::signed_at + std::chrono::minutes(16)));
  EXPECT_FALSE(good(aws::vectors::signed_at + -std::chrono::minutes(16)));
}

TEST_F(TokenCheckTest, ARememberedTokenEndsWithItsKey) {
  EXPECT_TRUE(good());
  change(key_object("another secret"), key_object(aws::vectors::key().secret_access_key));
  EXPECT_FALSE(good());
  change(key_object(aws::vectors::key().secret_access_key), key_object("another secret"));
  EXPECT_TRUE(good());
  change(nullptr, key_object(aws::vectors::key().secret_access_key));
  EXPECT_FALSE(good());
}

}  // namespace
}  // namespace keelway::app
