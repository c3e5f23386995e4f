#include "wire/sigv4.h"

#include <gtest/gtest.h>

namespace keelway::wire::sigv4 {
namespace {

using namespace std::chrono_literals;

// The expected signatures were made with botocore for these very requests, keys and time.
const std::string kSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const Credentials kKeys{"AKIDEXAMPLE", kSecret, ""};
const base::WallTime kNow = *base::parse_amz_date("20150830T123600Z");
const std::string kHost = "eks.us-east-1.amazonaws.com";

std::string value_of(const std::vector<Header>& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return "";
}

struct Vector {
  std::string method, target;
  std::vector<Header> headers;
  std::string body;
  Credentials credentials;
  std::string signature;
};

std::vector<Vector> vectors() {
  return {
      {"GET",
       "/",
       {{"host", kHost}},
       "",
       kKeys,
       "e633f4fc06c82c732377f482e43401c799fcb26f5bc610ac0975b70a1841e847"},
      {"GET",
       "/clusters/my%20name/a%2Fb/../c//d/?maxResults=2&name=%C3%A9&b=&a=x%20y",
       {{"host", kHost}},
       "",
       kKeys,
       "4e3a1534ad72c3ddc46ba6514d494788c7cdfd8f8e3c2ff8ff76d70607053ccd"},
      {"POST",
       "/clusters",
       {{"host", kHost}, {"content-type", "application/json"}, {"x-two", "  a   b  "}},
       R"({"name":"one"})",
       {"AKIDEXAMPLE", kSecret, "TOKEN/with+odd=chars"},
       "861f1c036ee68f48f377d5ec3b9ae18bde238eaa1dc2c939f631013be1c5499b"},
      {"GET",
       "/tags/arn%3Aaws%3Aeks%3Aus-east-1%3A111122223333%3Acluster%2Fone",
       {{"host", kHost}},
       "",
       kKeys,
       "cfcbaced5047c9893a2b2d96070508d024cbfaf18075cd891a8f0950a1e08bdc"},
      {"GET",
       "/clusters?name=a%2Bb%20c&x=1%252B2",
       {{"host", kHost}},
       "",
       kKeys,
       "0ae08aff30c6e96430a8897ec7efa3754b89cddc504128dee16fb2a0875a4211"},
      {"GET",
       "/a+b/c%2Bd",
       {{"host", kHost}},
       "",
       kKeys,
       "5033f41f6ffbfc0a41abc867071b6a63a9a743a12392a58fca98062d4bcce438"},
  };
}

TEST(SigV4, SignsAsBotocoreDoes) {
  for (auto vector : vectors()) {
    sign_headers(vector.method, vector.target, vector.headers, vector.body, vector.credentials,
                 {"us-east-1", "eks"}, kNow);
    EXPECT_TRUE(value_of(vector.headers, "authorization").ends_with(vector.signature))
        << vector.target << '\n'
        << value_of(vector.headers, "authorization");
  }
}

TEST(SigV4, VerifiesWhatItSignedAndNothingElse) {
  for (auto vector : vectors()) {
    sign_headers(vector.method, vector.target, vector.headers, vector.body, vector.credentials,
                 {"us-east-1", "eks"}, kNow);
    SignedRequest request{vector.method, vector.target, &vector.headers, vector.body};
    const auto parsed = parse(request);
    ASSERT_TRUE(parsed && *parsed);
    const Authorization& authorization = **parsed;
    EXPECT_EQ(authorization.access_key, "AKIDEXAMPLE");
    EXPECT_EQ(authorization.region, "us-east-1");
    EXPECT_EQ(authorization.service, "eks");
    EXPECT_EQ(authorization.session_token, vector.credentials.session_token);
    EXPECT_EQ(verify(request, authorization, kSecret, kNow), Verdict::valid);
    EXPECT_EQ(verify(request, authorization, "other", kNow), Verdict::mismatch);
    EXPECT_EQ(verify(request, authorization, kSecret, kNow + 16min), Verdict::expired);
    EXPECT_EQ(verify(request, authorization, kSecret, kNow + -16min), Verdict::not_yet_valid);
    request.body = "changed";
    EXPECT_EQ(verify(request, authorization, kSecret, kNow), Verdict::mismatch);
  }
}

const std::vector<Header> kStsHeaders{{"host", "sts.us-east-1.amazonaws.com"},
                                      {"x-k8s-aws-id", "one"}};
constexpr std::string_view kIdentity = "/?Action=GetCallerIdentity&Version=2011-06-15";

TEST(SigV4, PresignsAsBotocoreDoes) {
  const auto url = presign("GET", kIdentity, kStsHeaders, kKeys, {"us-east-1", "sts"}, kNow, 60s);
  EXPECT_EQ(url,
            "/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256"
            "&X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fsts%2Faws4_request"
            "&X-Amz-Date=20150830T123600Z&X-Amz-Expires=60"
            "&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id&X-Amz-Signature="
            "867586c4d5e8a3be5808f02cbbef7f13bc98fc92b29bd10b7628ee241fe545a6");
  const auto with_token =
      presign("GET", kIdentity, {kStsHeaders[0]}, {"AKIDEXAMPLE", kSecret, "TOKEN/with+odd=chars"},
              {"us-east-1", "sts"}, kNow, 60s);
  EXPECT_TRUE(
      with_token.ends_with("272957fd621727216845214ad78ce7ccbe454b32d1be4b9ebe42744b7da8755d"))
      << with_token;
}

TEST(SigV4, AQuerySignatureHoldsUntilItExpires) {
  const auto url = presign("GET", kIdentity, kStsHeaders, kKeys, {"us-east-1", "sts"}, kNow, 60s);
  const SignedRequest request{"GET", url, &kStsHeaders, ""};
  const auto parsed = parse(request);
  ASSERT_TRUE(parsed && *parsed);
  EXPECT_TRUE((*parsed)->presigned);
  EXPECT_EQ((*parsed)->expires_seconds, 60);
  EXPECT_EQ(verify(request, **parsed, kSecret, kNow + 59s), Verdict::valid);
  EXPECT_EQ(verify(request, **parsed, kSecret, kNow + 61s), Verdict::expired);
  const std::vector<Header> other{{"host", "sts.us-east-1.amazonaws.com"}, {"x-k8s-aws-id", "two"}};
  EXPECT_EQ(verify({"GET", url, &other, ""}, **parsed, kSecret, kNow), Verdict::mismatch);
}

TEST(SigV4, BrokenSignaturesSayWhatIsMissing) {
  const std::vector<Header> none{{"host", kHost}, {"authorization", "Bearer x"}};
  auto parsed = parse({"GET", "/", &none, ""});
  ASSERT_TRUE(parsed);
  EXPECT_FALSE(*parsed);
  const std::vector<Header> empty{{"host", kHost}, {"authorization", "AWS4-HMAC-SHA256 "}};
  parsed = parse({"GET", "/", &empty, ""});
  ASSERT_FALSE(parsed);
  EXPECT_NE(parsed.error().message.find("requires 'Credential' parameter"), std::string::npos);
  const std::vector<Header> wrong{{"host", kHost},
                                  {"x-amz-date", "20150830T123600Z"},
                                  {"authorization",
                                   "AWS4-HMAC-SHA256 Credential=A/20150831/r/s/aws4_request, "
                                   "SignedHeaders=host, Signature=00"}};
  parsed = parse({"GET", "/", &wrong, ""});
  ASSERT_FALSE(parsed);
  EXPECT_NE(parsed.error().message.find("Date in Credential scope"), std::string::npos);
}

}  // namespace
}  // namespace keelway::wire::sigv4
