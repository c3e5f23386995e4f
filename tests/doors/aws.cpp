// The AWS door, attacked: signed requests that are changed on their way, replayed, or meant for
// somebody else, beside spellings of one request that must stay valid.
#include <gtest/gtest.h>

#include "aws/botocore_vectors.h"
#include "aws/identity/token.h"
#include "aws/protocol/query.h"
#include "aws/protocol/verify.h"
#include "base/encoding.h"
#include "wire/sigv4.h"

namespace keelway::aws {
namespace {

namespace sigv4 = wire::sigv4;
using namespace std::chrono_literals;

std::optional<AccessKey> lookup(std::string_view id) {
  const AccessKey key = vectors::key();
  return id == key.access_key_id ? std::optional(key) : std::nullopt;
}

// How a request is signed before somebody lays hands on it.
struct Wish {
  std::string method = "POST", target = "/clusters/a%20b/tags?b=2&a=1", body = R"({"a":1})";
  std::vector<http::Header> headers = {{"content-type", "application/json"}};
  std::string secret = vectors::key().secret_access_key, session = {};
  std::string region = "eu-west-1", service = "eks";
  base::WallTime at = vectors::signed_at;
};

http::Request signed_request(const Wish& wish = {}) {
  http::Request request;
  request.method = wish.method;
  request.target = wish.target;
  request.body = wish.body;
  request.headers = wish.headers;
  request.headers.emplace_back("host", "127.0.0.1:4566");
  sigv4::sign_headers(request.method, request.target, request.headers, request.body,
                      {vectors::key().access_key_id, wish.secret, wish.session},
                      {wish.region, wish.service}, wish.at);
  return request;
}

http::Request presigned_request(std::chrono::seconds expires, const Wish& wish = {}) {
  http::Request request;
  request.method = "GET";
  request.headers = {{"host", "127.0.0.1:4566"}};
  request.target = sigv4::presign("GET", wish.target, request.headers,
                                  {vectors::key().access_key_id, wish.secret, wish.session},
                                  {wish.region, wish.service}, wish.at, expires);
  return request;
}

// "code: message" of the refusal; empty: let in.
std::string verdict(const http::Request& request, base::WallTime now = vectors::signed_at) {
  const auto caller = verify_request(request, lookup, now);
  return caller ? "" : caller.error().error.code + ": " + caller.error().error.message;
}

constexpr const char* mismatch =
    "InvalidSignatureException: The request signature we calculated does not match";

void expect_refused(const http::Request& request, std::string_view start,
                    base::WallTime now = vectors::signed_at) {
  const std::string why = verdict(request, now);
  EXPECT_TRUE(why.starts_with(start)) << request.target << ": " << why;
}

std::string& header(http::Request& request, std::string_view name) {
  for (auto& [key, text] : request.headers) {
    if (key == name) return text;
  }
  return request.headers.emplace_back(name, "").second;
}

void replace(std::string& text, std::string_view from, std::string_view to) {
  const auto at = text.find(from);
  ASSERT_NE(at, std::string::npos) << text;
  text.replace(at, from.size(), to);
}

TEST(SignedRequests, ChangedOnTheirWay) {
  ASSERT_EQ(verdict(signed_request()), "");
  const std::pair<const char*, const char*> targets[] = {
      {"/clusters/a%20b/tags?b=2&a=1", "/clusters/a%20c/tags?b=2&a=1"},
      {"/clusters/a%20b/tags?b=2&a=1", "/clusters/a%2520b/tags?b=2&a=1"},
      {"/clusters/a%20b/tags?b=2&a=1", "/clusters/a b/tags?b=2&a=1"},
      {"/clusters/a%20b/tags?b=2&a=1", "/clusters/a%20b/tags/?b=2&a=1"},
      {"/clusters/a%20b/tags?b=2&a=1", "/clusters/a%20b/tags?b=2"},
      {"/clusters/a%20b/tags?b=2&a=1", "/clusters/a%20b/tags?b=2&a=1&c"},
      {"/clusters/a%20b/tags?b=2&a=1", "/clusters/a%20b/tags?b=1&a=2"},
      {"/clusters/a%20b/tags?b=2&a=1", "/clusters/a%20b/tags?b=2&a=1&a=1"},
      {"/clusters/a%20b/tags?b=2&a=1", "/clusters/a%20b/tags?b=2&a=1&a="},
      {"/a%2Fb", "/a/b"},
      {"/a/b", "/a%2Fb"},
      {"/x?a=1%26b%3D2", "/x?a=1&b=2"},
      {"/x?a=1%202", "/x?a=1+2"},
      {"/x?a=1%2B2", "/x?a=1%202"},
      {"/x?a=1%2B2", "/x?a=1%252B2"},
      {"/x?a=%25zz", "/x?a=%zz"},
  };
  for (const auto& [before, after] : targets) {
    http::Request request = signed_request({.target = before});
    EXPECT_EQ(verdict(request), "") << before;
    request.target = after;
    expect_refused(request, mismatch);
  }
  http::Request request = signed_request();
  request.method = "DELETE";
  expect_refused(request, mismatch);
  request = signed_request();
  request.body += ' ';
  expect_refused(request, mismatch);
  for (const char* name : {"host", "content-type"}) {
    request = signed_request();
    header(request, name) += 'x';
    expect_refused(request, mismatch);
    request = signed_request();
    request.headers.emplace_back(name, "again");
    expect_refused(request, mismatch);
  }
}

TEST(SignedRequests, OtherSpellingsOfTheSame) {
  http::Request request = signed_request();
  request.target = "/clusters/a%20b/tags?a=1&b=2";
  EXPECT_EQ(verdict(request), "") << "the order of parameters";
  request.target = "/clusters/a%20b/tags?%61=1&b=%32";
  EXPECT_EQ(verdict(request), "") << "needless escapes";
  request = signed_request({.target = "/x?a&b=", .headers = {{"content-type", "a  b"}}});
  request.target = "/x?a=&b";
  header(request, "content-type") = "\ta   b  ";
  EXPECT_EQ(verdict(request), "") << "an empty value, folded spaces";
  request = signed_request({.target = "/x?a=2&a=1&a=2"});
  request.target = "/x?a=1&a=2&a=2";
  EXPECT_EQ(verdict(request), "") << "repeated keys";
  request = signed_request();
  request.headers.emplace_back("user-agent", "a header that nobody signed");
  EXPECT_EQ(verdict(request), "");
}

// What is signed is what is read: a plus in a query is a plus, never a space.
TEST(SignedRequests, APlusIsAPlus) {
  for (const char* target : {"/x?a=1+2", "/x?a=1%2B2"}) {
    http::Request request = signed_request({.target = target});
    for (const char* spelling : {"/x?a=1+2", "/x?a=1%2b2", "/x?%61=1%2B2"}) {
      request.target = spelling;
      EXPECT_EQ(verdict(request), "") << target << " as " << spelling;
      EXPECT_EQ(Query::of_request(request).first("a"), "1+2") << spelling;
    }
  }
  http::Request request = signed_request({.target = "/a+b"});
  request.target = "/a%2Bb";
  expect_refused(request, mismatch);
}

TEST(SignedRequests, BodiesThatTheSignatureDoesNotCover) {
  Wish wish{.headers = {{"x-amz-content-sha256", "UNSIGNED-PAYLOAD"}}};
  http::Request request = signed_request(wish);
  request.body = R"({"a":2})";
  expect_refused(request, mismatch);
  request = signed_request();
  request.headers.emplace_back("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
  request.body = R"({"a":2})";
  expect_refused(request, mismatch);
}

TEST(SignedRequests, ScopesThatDoNotFit) {
  for (const auto& [from, to] :
       {std::pair("/eu-west-1/", "/us-east-1/"), std::pair("/eks/", "/ec2/"),
        std::pair("/20260102/", "/20260101/"), std::pair("/20260102/", "//"),
        std::pair("/20260102/", "/2026/"), std::pair("aws4_request", "aws4_requests"),
        std::pair("host;", ""), std::pair("content-type;", ""),
        std::pair("AKIAEXAMPLEEXAMPLE22", "AKIAEXAMPLEEXAMPLE23")}) {
    http::Request request = signed_request();
    replace(header(request, "authorization"), from, to);
    EXPECT_NE(verdict(request), "") << from << " to " << to;
  }
  EXPECT_EQ(verdict(signed_request({.region = "ap-south-2", .service = "ec2"})), "");
  EXPECT_NE(verdict(signed_request({.region = "eu/west"})), "");
  expect_refused(signed_request({.region = "EU WEST"}),
                 "InvalidSignatureException: Credential should be scoped to a valid region");
}

// A key made for less than a day would sign for all of it.
TEST(SignedRequests, TheDateOfTheScopeIsWhole) {
  for (const std::string date : {"", "2026", "2026010", "20260103", "20260102T"}) {
    http::Request request = signed_request();
    std::string& text = header(request, "authorization");
    replace(text, "/20260102/", "/" + date + "/");
    const sigv4::SignedRequest plain{request.method, request.target, &request.headers,
                                     request.body};
    const http::Request whole = signed_request();
    sigv4::Authorization forged =
        **sigv4::parse({whole.method, whole.target, &whole.headers, whole.body});
    forged.date = date;
    const std::string mark = sigv4::signature(plain, forged, vectors::key().secret_access_key);
    text.replace(text.rfind('=') + 1, 64, mark);
    expect_refused(request,
                   "IncompleteSignatureException: Date in Credential scope does not match");
  }
}

TEST(SignedRequests, TimeIsKept) {
  const http::Request request = signed_request();
  EXPECT_EQ(verdict(request, vectors::signed_at + 5min), "");
  EXPECT_EQ(verdict(request, vectors::signed_at + -5min), "");
  expect_refused(request, "InvalidSignatureException: Signature expired: 20260102T030405Z is now",
                 vectors::signed_at + 5min + 1s);
  expect_refused(request, "InvalidSignatureException: Signature not yet current",
                 vectors::signed_at + -5min + -1s);
  http::Request later = signed_request();
  header(later, "x-amz-date") = "20260102T033405Z";
  expect_refused(later, mismatch, vectors::signed_at + 30min);
  for (const char* date :
       {"", "yesterday", "20260102", "2026-01-02T03:04:05Z", "20260102T030405"}) {
    http::Request undated = signed_request();
    header(undated, "x-amz-date") = date;
    expect_refused(undated, "IncompleteSignatureException");
  }
}

TEST(SignedRequests, SessionsThatWereNeverGiven) {
  expect_refused(signed_request({.session = "a-token"}), "UnrecognizedClientException");
  expect_refused(signed_request({.secret = "another"}), mismatch);
}

TEST(SignedRequests, HalfSignatures) {
  for (const char* part : {"Credential=", "SignedHeaders=", "Signature="}) {
    http::Request request = signed_request();
    replace(header(request, "authorization"), part, "X=");
    expect_refused(request, "IncompleteSignatureException: Authorization header requires");
  }
  http::Request request = signed_request();
  header(request, "authorization") = "AWS4-HMAC-SHA256";
  expect_refused(request, "IncompleteSignatureException");
  for (const char* scheme : {"AWS AKIA:sig", "Bearer x", "aws4-hmac-sha256 Credential=x"}) {
    header(request, "authorization") = scheme;
    expect_refused(request, "MissingAuthenticationTokenException");
  }
  for (const std::string& mark : {std::string(64, '0'), std::string(), std::string(128, 'a')}) {
    request = signed_request();
    std::string& text = header(request, "authorization");
    text.replace(text.rfind('=') + 1, 64, mark);
    EXPECT_NE(verdict(request), "");
  }
}

TEST(PresignedRequests, LiveAsLongAsTheySay) {
  const http::Request request = presigned_request(60s);
  EXPECT_EQ(verdict(request), "");
  EXPECT_EQ(verdict(request, vectors::signed_at + 60s), "");
  expect_refused(request, "InvalidSignatureException: Signature expired", vectors::signed_at + 61s);
  http::Request longer = vectors::copy_of(request);
  replace(longer.target, "X-Amz-Expires=60", "X-Amz-Expires=600");
  expect_refused(longer, mismatch, vectors::signed_at + 61s);
  longer = vectors::copy_of(request);
  longer.target += "&X-Amz-Expires=600";
  expect_refused(longer, mismatch, vectors::signed_at + 61s);
  for (const auto seconds : {std::chrono::seconds(-1), std::chrono::seconds(604'801)}) {
    expect_refused(presigned_request(seconds), "IncompleteSignatureException: X-Amz-Expires");
  }
  EXPECT_EQ(verdict(presigned_request(604'800s), vectors::signed_at + 604'800s), "");
}

TEST(PresignedRequests, ChangedOnTheirWay) {
  for (const auto& [from, to] :
       {std::pair("a=1", "a=2"), std::pair("b=2&", ""), std::pair("%2Feks%2F", "%2Fec2%2F"),
        std::pair("SignedHeaders=host", "SignedHeaders=host%3Bx"), std::pair("tags", "tag")}) {
    http::Request request = presigned_request(60s);
    replace(request.target, from, to);
    expect_refused(request, mismatch);
  }
  http::Request request = presigned_request(60s);
  request.method = "DELETE";
  expect_refused(request, mismatch);
  request = presigned_request(60s);
  request.body = "more";
  expect_refused(request, mismatch);
  request = presigned_request(60s);
  replace(request.target, "SignedHeaders=host", "SignedHeaders=x-a");
  expect_refused(request, "IncompleteSignatureException: 'Host'");
}

// --- tokens of `aws eks get-token` ---

struct TokenWish {
  std::string host = "sts.eu-west-1.amazonaws.com", path = "/?", service = "sts", cluster = "dev";
  std::string query = "Action=GetCallerIdentity&Version=2011-06-15";
  std::string secret = vectors::key().secret_access_key;
  std::chrono::seconds expires = 60s;
};

std::string token(const TokenWish& wish = {}, std::string_view tail = "") {
  std::vector<sigv4::Header> headers = {{"host", wish.host}};
  if (!wish.cluster.empty()) headers.emplace_back("x-k8s-aws-id", wish.cluster);
  const std::string target = sigv4::presign(
      "GET", wish.path + wish.query, headers, {vectors::key().access_key_id, wish.secret, ""},
      {"eu-west-1", wish.service}, vectors::signed_at, wish.expires);
  return "k8s-aws-v1." +
         base::base64url_encode("https://" + wish.host + target + std::string(tail));
}

std::string token_verdict(const std::string& text, base::WallTime now = vectors::signed_at) {
  const auto caller = verify_token(text, "dev", lookup, now);
  return caller ? "" : caller.error().message;
}

TEST(EksTokens, EachFaultIsSeen) {
  ASSERT_EQ(token_verdict(token()), "");
  const std::pair<TokenWish, const char*> cases[] = {
      {{.cluster = "prod"}, "signature does not match"},
      {{.cluster = "DEV"}, "signature does not match"},
      {{.cluster = ""}, "host and x-k8s-aws-id are not both signed"},
      {{.service = "eks"}, "signed for another service than sts"},
      {{.query = "Action=AssumeRole&Version=2011-06-15"}, "action is not GetCallerIdentity"},
      {{.query = "Action=GetCallerIdentity&Action=AssumeRole"}, "repeats the parameter"},
      {{.query = "Action=GetCallerIdentity&action=AssumeRole"}, "repeats the parameter"},
      {{.query = "Action=GetCallerIdentity&RoleArn=x"}, "has the parameter RoleArn"},
      {{.path = "/x?"}, "its path is not /"},
      {{.path = "//?"}, "its path is not /"},
      {{.expires = 901s}, "X-Amz-Expires is not within 0-900"},
      {{.secret = "another"}, "signature does not match"},
      {{.host = "user@sts.amazonaws.com"}, "no plain host"},
  };
  for (const auto& [wish, why] : cases) {
    EXPECT_NE(token_verdict(token(wish)).find(why), std::string::npos)
        << why << ": " << token_verdict(token(wish));
  }
}

TEST(EksTokens, ChangedAfterSigning) {
  for (const char* tail : {"&X-Amz-Expires=900", "&Version=2011-06-15", "&x-k8s-aws-id=prod", "#a",
                           "&%58-Amz-Date=20260102T040405Z"}) {
    EXPECT_NE(token_verdict(token({}, tail)), "") << tail;
  }
  const std::string good = token();
  EXPECT_NE(token_verdict(good.substr(0, good.size() - 3)), "");
  EXPECT_NE(token_verdict("k8s-aws-v2." + good.substr(11)), "");
  EXPECT_NE(token_verdict(good + std::string(4096, 'A')), "");
  EXPECT_EQ(token_verdict(good, vectors::signed_at + 15min), "");
  EXPECT_NE(token_verdict(good, vectors::signed_at + 15min + 1s), "");
  EXPECT_NE(token_verdict(good, vectors::signed_at + -15min + -1s), "");
}

}  // namespace
}  // namespace keelway::aws
