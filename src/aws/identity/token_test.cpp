#include "aws/identity/token.h"

#include <gtest/gtest.h>

#include "access/test_view.h"
#include "aws/botocore_vectors.h"
#include "base/encoding.h"
#include "client/resources.h"
#include "wire/sigv4.h"

namespace keelway::aws {
namespace {

std::optional<AccessKey> lookup(std::string_view id) {
  const AccessKey key = vectors::key();
  return id == key.access_key_id ? std::optional(key) : std::nullopt;
}

base::Result<TokenCaller> check(std::string_view token, std::string_view cluster = "dev",
                                base::WallTime now = vectors::signed_at) {
  return verify_token(token, cluster, lookup, now);
}

std::string address_of(std::string_view token) {
  return *base::base64url_decode(token.substr(11));
}
std::string token_of(std::string_view address) {
  return "k8s-aws-v1." + base::base64url_encode(address);
}

struct Wish {
  std::string query = "Action=GetCallerIdentity&Version=2011-06-15";
  bool sign_cluster = true;
  std::string service = "sts";
  std::chrono::seconds expires{60};
  std::string path = "/";
  base::WallTime at = vectors::signed_at;
};
// A token signed here rather than by botocore.
std::string signed_token(const Wish& wish) {
  std::vector<wire::sigv4::Header> headers = {{"host", "127.0.0.1:4566"}};
  if (wish.sign_cluster) headers.emplace_back("x-k8s-aws-id", "dev");
  const AccessKey key = vectors::key();
  return token_of("http://127.0.0.1:4566" +
                  wire::sigv4::presign("GET", wish.path + "?" + wish.query, headers,
                                       {key.access_key_id, key.secret_access_key, ""},
                                       {"eu-west-1", wish.service}, wish.at, wish.expires));
}

TEST(EksToken, BothHostFormsOfBotocore) {
  for (const std::string_view token : {vectors::own_endpoint_token, vectors::real_endpoint_token}) {
    const auto caller = check(token);
    ASSERT_TRUE(caller) << caller.error().message;
    EXPECT_EQ(caller->arn, "arn:aws:iam::123456789012:root");
    EXPECT_EQ(caller->account_id, "123456789012");
    EXPECT_EQ(caller->user_id, "123456789012");
    EXPECT_EQ(caller->access_key_id, vectors::key().access_key_id);
  }
}

TEST(EksToken, IsForOneCluster) {
  EXPECT_FALSE(check(vectors::own_endpoint_token, "prod"));
  EXPECT_FALSE(check(vectors::real_endpoint_token, ""));
}

TEST(EksToken, LivesFifteenMinutes) {
  const auto at = [](std::chrono::seconds after) {
    return check(vectors::own_endpoint_token, "dev", vectors::signed_at + after).has_value();
  };
  EXPECT_TRUE(at(std::chrono::seconds(15 * 60)));
  EXPECT_FALSE(at(std::chrono::seconds(15 * 60 + 1)));
  EXPECT_TRUE(at(std::chrono::seconds(-60)));
  EXPECT_FALSE(at(std::chrono::seconds(-16 * 60)));
}

TEST(EksToken, SignedHereIsGood) {
  EXPECT_TRUE(check(signed_token({})));
}

TEST(EksToken, WrongOnesAreRefused) {
  EXPECT_FALSE(check(signed_token({.query = "Action=GetCallerIdentity&Extra=1"})));
  EXPECT_FALSE(check(signed_token({.query = "Action=GetCallerIdentity&action=GetCallerIdentity"})));
  EXPECT_FALSE(check(signed_token({.query = "Action=AssumeRole"})));
  EXPECT_FALSE(check(signed_token({.query = "Version=2011-06-15"})));
  EXPECT_FALSE(check(signed_token({.sign_cluster = false})));
  EXPECT_FALSE(check(signed_token({.service = "eks"})));
  EXPECT_TRUE(check(signed_token({.expires = std::chrono::seconds(900)})));
  EXPECT_FALSE(check(signed_token({.expires = std::chrono::seconds(901)})));
  EXPECT_FALSE(check(signed_token({.path = "/other"})));
}

TEST(EksToken, TamperedOrForeignIsRefused) {
  std::string address = address_of(vectors::own_endpoint_token);
  ASSERT_TRUE(check(token_of(address)));
  std::string other = address;
  other.back() = other.back() == '0' ? '1' : '0';
  EXPECT_FALSE(check(token_of(other)));
  other = address;
  other.replace(other.find("127.0.0.1"), 9, "127.0.0.2");
  EXPECT_FALSE(check(token_of(other)));
  EXPECT_FALSE(check(token_of("ftp" + address.substr(4))));
  EXPECT_FALSE(check(token_of("http://a@" + address.substr(7))));
  EXPECT_FALSE(check(token_of(address + "#x")));
  EXPECT_FALSE(check(vectors::own_endpoint_token.substr(1)));
  EXPECT_FALSE(check("k8s-aws-v1.!!!"));
  EXPECT_FALSE(check("k8s-aws-v1."));
  EXPECT_FALSE(check(std::string(vectors::own_endpoint_token) + std::string(4096, 'A')));
  EXPECT_FALSE(verify_token(
      vectors::own_endpoint_token, "dev", [](std::string_view) { return std::nullopt; },
      vectors::signed_at));
  EXPECT_FALSE(verify_token(
      vectors::own_endpoint_token, "dev",
      [](std::string_view) {
        AccessKey key = vectors::key();
        key.secret_access_key += "x";
        return std::optional(key);
      },
      vectors::signed_at));
}

TEST(AccessKeys, AreFoundByTheirExactIdentifier) {
  access::TestView view;
  view.put(client::resources::access_keys,
           R"({"metadata":{"name":"akiax"},"spec":{"accountId":"1","accessKeyId":"AKIAX",
              "secretAccessKey":"s","userName":"eve","root":false}})");
  const KeyLookup keys = lookup_in(view);
  const auto key = keys("AKIAX");
  ASSERT_TRUE(key);
  EXPECT_EQ(key->arn(), "arn:aws:iam::1:user/eve");
  EXPECT_EQ(key->user_id().size(), 21u);
  EXPECT_TRUE(key->user_id().starts_with("AIDA"));
  EXPECT_FALSE(keys("akiax"));
  EXPECT_FALSE(keys("AKIAY"));
  EXPECT_FALSE(keys(""));
}

}  // namespace
}  // namespace keelway::aws
