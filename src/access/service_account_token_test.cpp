#include "access/service_account_token.h"

#include <gtest/gtest.h>

#include "access/es256.h"
#include "access/pki.h"
#include "access/test_view.h"
#include "base/encoding.h"
#include "client/resources.h"
#include "value/json.h"

namespace keelway::access {
namespace {

namespace resources = client::resources;

constexpr base::WallTime noon{1'760'000'000'000'000};
constexpr const char* issuer = "https://oidc.example/id/1";
constexpr const char* api = "https://kubernetes.default.svc";

std::string meta(const char* name, const char* uid, const char* more = "") {
  return std::string(R"({"metadata":{"namespace":"ns","name":")") + name + R"(","uid":")" + uid +
         "\"" + more + "}}";
}

class TokenTest : public ::testing::Test {
 protected:
  TokenTest()
      : signer_(*TokenSigner::make(*make_p256_key_pem(), issuer)),
        verifier_(*TokenVerifier::make({signer_.public_key_pem()}, issuer, {api})) {
    view_.put(resources::service_accounts, meta("builder", "sa-1"));
    view_.put(resources::pods, meta("web-0", "pod-1"));
  }
  static TokenClaims claims() {
    TokenClaims c;
    c.name_space = "ns";
    c.service_account = "builder";
    c.service_account_uid = "sa-1";
    c.bound = BoundObject{"Pod", "web-0", "pod-1"};
    c.node = BoundObject{"Node", "n1", "node-1"};
    c.audiences = {api, "sts.amazonaws.com"};
    c.id = "jti-1";
    c.issued = noon;
    c.expires = noon + std::chrono::hours(1);
    return c;
  }
  std::string token(const TokenClaims& c) const { return *signer_.sign(c); }
  bool good(std::string_view text, base::WallTime now = noon) const {
    return verifier_.verify(text, now, view_).has_value();
  }
  // The token with its header and body replaced, the signature kept.
  static std::string forged(const std::string& token, const std::string& header,
                            const std::string& body) {
    const std::size_t first = token.find('.'), second = token.rfind('.');
    return (header.empty() ? token.substr(0, first) : base::base64url_encode(header)) + "." +
           (body.empty() ? token.substr(first + 1, second - first - 1)
                         : base::base64url_encode(body)) +
           token.substr(second);
  }

  TokenSigner signer_;
  TokenVerifier verifier_;
  TestView view_;
};

TEST_F(TokenTest, CarriesTheServiceAccount) {
  const auto verified = verifier_.verify(token(claims()), noon, view_);
  ASSERT_TRUE(verified) << verified.error().message;
  const Identity& who = verified->identity;
  EXPECT_EQ(who.user, "system:serviceaccount:ns:builder");
  EXPECT_EQ(who.uid, "sa-1");
  EXPECT_TRUE(who.in_group("system:serviceaccounts"));
  EXPECT_TRUE(who.in_group("system:serviceaccounts:ns"));
  EXPECT_EQ(who.extra.at("authentication.kubernetes.io/pod-name").front(), "web-0");
  EXPECT_EQ(who.extra.at("authentication.kubernetes.io/pod-uid").front(), "pod-1");
  EXPECT_EQ(who.extra.at("authentication.kubernetes.io/node-name").front(), "n1");
  EXPECT_EQ(who.extra.at("authentication.kubernetes.io/credential-id").front(), "JTI=jti-1");
  EXPECT_EQ(verified->audiences, (std::vector<std::string>{api}));
  EXPECT_EQ(verified->claims.bound->kind, "Pod");
}

TEST_F(TokenTest, ExpiresAndBegins) {
  const std::string text = token(claims());
  EXPECT_TRUE(good(text, noon + std::chrono::minutes(59)));
  EXPECT_FALSE(good(text, noon + std::chrono::minutes(61)));
  EXPECT_FALSE(good(text, noon + base::Duration(std::chrono::minutes(-1))));
}

TEST_F(TokenTest, AudienceMustBeAskedFor) {
  TokenClaims c = claims();
  c.audiences = {"vault"};
  const std::string text = token(c);
  EXPECT_FALSE(good(text));
  const auto verified = verifier_.verify(text, noon, view_, {"other", "vault"});
  ASSERT_TRUE(verified);
  EXPECT_EQ(verified->audiences, (std::vector<std::string>{"vault"}));
}

TEST_F(TokenTest, DiesWithItsServiceAccount) {
  const std::string text = token(claims());
  view_.put(resources::service_accounts, meta("builder", "sa-2"));  // made anew
  EXPECT_FALSE(good(text));
  view_.remove(resources::service_accounts, meta("builder", "sa-2"));
  EXPECT_FALSE(good(text));
}

TEST_F(TokenTest, DiesWithItsPodAMinuteAfterTheDeletionMark) {
  const std::string text = token(claims());
  const std::string mark = ",\"deletionTimestamp\":\"" + base::format_rfc3339(noon) + "\"";
  view_.put(resources::pods, meta("web-0", "pod-1", mark.c_str()));
  EXPECT_TRUE(good(text, noon + std::chrono::seconds(59)));
  EXPECT_FALSE(good(text, noon + std::chrono::seconds(61)));
  view_.remove(resources::pods, meta("web-0", "pod-1"));
  EXPECT_FALSE(good(text));
}

TEST_F(TokenTest, BoundToSecretAndToNode) {
  TokenClaims c = claims();
  c.node.reset();
  c.bound = BoundObject{"Secret", "s", "secret-1"};
  EXPECT_FALSE(good(token(c)));
  view_.put(resources::secrets, meta("s", "secret-1"));
  EXPECT_TRUE(good(token(c)));
  c.bound = BoundObject{"Node", "n1", "node-1"};
  EXPECT_FALSE(good(token(c)));
  view_.put(resources::nodes, R"({"metadata":{"name":"n1","uid":"node-1"}})");
  const auto verified = verifier_.verify(token(c), noon, view_);
  ASSERT_TRUE(verified);
  EXPECT_EQ(verified->identity.extra.at("authentication.kubernetes.io/node-uid").front(), "node-1");
}

TEST_F(TokenTest, OnlyEs256OfOurKeys) {
  const std::string text = token(claims());
  ASSERT_TRUE(good(text));
  EXPECT_FALSE(good(forged(text, R"({"alg":"none"})", "")));
  EXPECT_FALSE(good(forged(text, R"({"alg":"HS256"})", "")));
  EXPECT_FALSE(good(text.substr(0, text.rfind('.') + 1)));
  EXPECT_FALSE(good(text + "."));
  EXPECT_FALSE(good("a.b.c"));
  // The classic confusion: HMAC with the public key as the secret.
  const std::string head = base::base64url_encode(R"({"alg":"HS256"})");
  const std::string body = text.substr(text.find('.') + 1, text.rfind('.') - text.find('.') - 1);
  const std::string mac = base::hmac_sha256(signer_.public_key_pem(), head + "." + body);
  EXPECT_FALSE(good(head + "." + body + "." + base::base64url_encode(mac)));
  const TokenSigner stranger = *TokenSigner::make(*make_p256_key_pem(), issuer);
  EXPECT_FALSE(good(*stranger.sign(claims())));
}

TEST_F(TokenTest, AlgorithmOfTheHeaderMustBeOurs) {
  const std::string key_pem = *make_p256_key_pem();
  const openssl::Key key = openssl::read_private_key(key_pem);
  const TokenSigner signer = *TokenSigner::make(key_pem, issuer);
  const TokenVerifier verifier = *TokenVerifier::make({signer.public_key_pem()}, issuer, {api});
  const std::string text = *signer.sign(claims());
  const std::string body = text.substr(text.find('.'), text.rfind('.') - text.find('.'));
  // Signed by the right key in the right way; the header alone decides.
  const auto accepted = [&](const char* header) {
    const std::string head = base::base64url_encode(header) + body;
    const std::string token = head + "." + base::base64url_encode(*es256::sign(key, head));
    return verifier.verify(token, noon, view_).has_value();
  };
  EXPECT_TRUE(accepted(R"({"alg":"ES256"})"));
  EXPECT_FALSE(accepted(R"({"alg":"none"})"));
  EXPECT_FALSE(accepted(R"({"alg":"es256"})"));
  EXPECT_FALSE(accepted(R"({"alg":"HS256"})"));
  EXPECT_FALSE(accepted(R"({"alg":["ES256"]})"));
  EXPECT_FALSE(accepted(R"({})"));
  EXPECT_FALSE(accepted(R"({"alg":"ES256","crit":["b64"]})"));
  EXPECT_FALSE(accepted(R"({"alg":"ES256","kid":"another"})"));
}

TEST_F(TokenTest, ChangedBodyIsRefused) {
  const std::string text = token(claims());
  const std::string body = *base::base64url_decode(
      std::string_view(text).substr(text.find('.') + 1, text.rfind('.') - text.find('.') - 1));
  value::Value changed = *value::parse_json(body);
  changed.set("exp", changed["exp"].as_int() + 1);
  EXPECT_FALSE(good(forged(text, "", value::to_json(changed))));
}

TEST_F(TokenTest, IssuerAndOldKeys) {
  const TokenSigner other = *TokenSigner::make(*make_p256_key_pem(), "https://elsewhere");
  const TokenVerifier both =
      *TokenVerifier::make({other.public_key_pem(), signer_.public_key_pem()}, issuer, {api});
  EXPECT_TRUE(both.verify(token(claims()), noon, view_));  // an older key of ours
  EXPECT_FALSE(both.verify(*other.sign(claims()), noon, view_));
  EXPECT_TRUE(both.claims_issuer(token(claims())));
  EXPECT_FALSE(both.claims_issuer(*other.sign(claims())));
}

TEST_F(TokenTest, Documents) {
  const value::Value keys = verifier_.json_web_key_set();
  EXPECT_EQ(keys["keys"][0]["kid"].as_string(), signer_.key_id());
  EXPECT_EQ(keys["keys"][0]["crv"].as_string(), "P-256");
  EXPECT_EQ(base::base64url_decode(keys["keys"][0]["x"].as_string())->size(), 32u);
  const value::Value open = verifier_.openid_configuration("https://h/openid/v1/jwks");
  EXPECT_EQ(open["issuer"].as_string(), issuer);
  EXPECT_EQ(open["jwks_uri"].as_string(), "https://h/openid/v1/jwks");
}

}  // namespace
}  // namespace keelway::access
