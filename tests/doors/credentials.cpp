// Credentials, attacked: service account tokens and client certificates that are almost right.
// Every case starts from what is let in and has one fault.
#include <gtest/gtest.h>

#include "access/authenticator.h"
#include "access/openssl.h"
#include "access/pki.h"
#include "access/service_account_token.h"
#include "access/test_view.h"
#include "base/encoding.h"
#include "client/resources.h"
#include "value/json.h"

namespace keelway::access {
namespace {

using value::Value;
namespace resources = client::resources;

constexpr base::WallTime noon{1'760'000'000'000'000};
constexpr auto hour = std::chrono::hours(1);

base::WallTime at(base::Duration from_noon) {
  return noon + from_noon;
}

struct Issuer {
  explicit Issuer(std::string name) : signer(*TokenSigner::make(*make_p256_key_pem(), name)) {}
  TokenSigner signer;
};

TokenClaims good_claims() {
  TokenClaims claims;
  claims.name_space = "ns";
  claims.service_account = "sa";
  claims.service_account_uid = "sa-uid";
  claims.bound = BoundObject{"Pod", "pod", "pod-uid"};
  claims.audiences = {"api"};
  claims.id = "jti";
  claims.issued = noon;
  claims.expires = at(hour);
  return claims;
}

class Tokens : public ::testing::Test {
 protected:
  Tokens()
      : cluster_("https://one"),
        other_("https://one"),
        foreign_("https://two"),
        verifier_(
            *TokenVerifier::make({cluster_.signer.public_key_pem()}, "https://one", {"api"})) {
    put_account("sa-uid", "");
    put_pod("pod-uid", "");
  }
  void put_account(const std::string& uid, const std::string& more) {
    view_.put(resources::service_accounts,
              R"({"metadata":{"namespace":"ns","name":"sa","uid":")" + uid + "\"" + more + "}}");
  }
  void put_pod(const std::string& uid, const std::string& more) {
    view_.put(resources::pods,
              R"({"metadata":{"namespace":"ns","name":"pod","uid":")" + uid + "\"" + more + "}}");
  }
  // Why it is refused; empty: it is taken.
  std::string verdict(const std::string& token, base::WallTime now = at(hour / 2)) const {
    const auto verified = verifier_.verify(token, now, view_);
    return verified ? "" : verified.error().message;
  }
  std::string signed_by(const Issuer& issuer, const TokenClaims& claims = good_claims()) const {
    return *issuer.signer.sign(claims);
  }
  // The good token with another header, and a signature of whoever.
  std::string with_header(std::string_view header, std::string_view signature) const {
    const std::string good = signed_by(cluster_);
    const std::size_t first = good.find('.');
    return base::base64url_encode(header) + good.substr(first, good.rfind('.') - first) + "." +
           std::string(signature);
  }
  std::string good_signature() const {
    const std::string good = signed_by(cluster_);
    return good.substr(good.rfind('.') + 1);
  }

  const Issuer cluster_, other_, foreign_;
  const TokenVerifier verifier_;
  TestView view_;
};

TEST_F(Tokens, TheRightOneIsTaken) {
  EXPECT_EQ(verdict(signed_by(cluster_)), "");
}

TEST_F(Tokens, AlgorithmsAreNotTheCallersToChoose) {
  const std::string unverified = "the token's signature does not verify";
  for (const char* header :
       {R"({"alg":"none"})", R"({"alg":"None"})", R"({"alg":"NONE","typ":"JWT"})",
        R"({"typ":"JWT"})", R"({"alg":null})", R"({"alg":["ES256"]})", R"({"alg":"ES384"})",
        R"({"alg":"es256"})", R"({"alg":"RS256"})"}) {
    EXPECT_EQ(verdict(with_header(header, "")), unverified) << header;
    EXPECT_EQ(verdict(with_header(header, good_signature())), unverified) << header;
  }
}

TEST_F(Tokens, ThePublicKeyIsNoSecretKey) {
  for (const char* algorithm : {"HS256", "ES256"}) {
    const std::string text = with_header(std::string(R"({"alg":")") + algorithm + R"("})", "");
    const std::string bare = text.substr(0, text.size() - 1);
    const std::string forged =
        base::base64url_encode(base::hmac_sha256(cluster_.signer.public_key_pem(), bare));
    EXPECT_EQ(verdict(bare + "." + forged), "the token's signature does not verify") << algorithm;
  }
}

TEST_F(Tokens, SignaturesThatVerifyForEverybody) {
  const std::string header = R"({"alg":"ES256"})";
  for (const std::string& mark :
       {std::string(64, '\0'), std::string(63, '\0'), std::string(), std::string(65, '\x01'),
        std::string(32, '\0') + std::string(32, '\xff')}) {
    EXPECT_NE(verdict(with_header(header, base::base64url_encode(mark))), "") << mark.size();
  }
}

TEST_F(Tokens, HeadersThatAskForMore) {
  const std::string unverified = "the token's signature does not verify";
  const std::string key = cluster_.signer.key_id();
  EXPECT_EQ(verdict(with_header(R"({"alg":"ES256","crit":["b64"]})", good_signature())),
            unverified);
  EXPECT_EQ(verdict(with_header(R"({"alg":"ES256","kid":"../../dev/null"})", good_signature())),
            unverified);
  EXPECT_EQ(verdict(with_header(R"({"alg":"ES256","jwk":{}})", good_signature())), unverified);
  EXPECT_EQ(verdict(with_header(R"({"alg":"ES256","kid":")" + key + "\"} ", good_signature())),
            unverified)
      << "a header that differs in a space was not signed";
}

TEST_F(Tokens, OtherIssuersClustersAndAudiences) {
  EXPECT_EQ(verdict(signed_by(other_)), "the token's signature does not verify");
  EXPECT_EQ(verdict(signed_by(foreign_)), "the token's signature does not verify");
  const TokenVerifier same_key_other_name =
      *TokenVerifier::make({cluster_.signer.public_key_pem()}, "https://two", {"api"});
  const auto other_issuer = same_key_other_name.verify(signed_by(cluster_), noon, view_);
  ASSERT_FALSE(other_issuer);
  EXPECT_EQ(other_issuer.error().message, "the token is of another issuer");
  TokenClaims claims = good_claims();
  claims.audiences = {"vault", "api2"};
  EXPECT_EQ(verdict(signed_by(cluster_, claims)), "the token is for another audience");
  claims.audiences = {"vault", "api"};
  EXPECT_EQ(verdict(signed_by(cluster_, claims)), "");
}

TEST_F(Tokens, TimeIsKept) {
  const std::string token = signed_by(cluster_);
  EXPECT_EQ(verdict(token, at(hour + std::chrono::seconds(1))), "the token has expired");
  EXPECT_EQ(verdict(token, at(-std::chrono::seconds(1))), "the token is not valid yet");
  EXPECT_EQ(verdict(token, noon), "");
}

TEST_F(Tokens, TheAccountMustBeTheSameOne) {
  const std::string token = signed_by(cluster_);
  put_account("other-uid", "");
  EXPECT_EQ(verdict(token), "service account ns/sa of the token is gone") << "recreated";
  view_.remove(resources::service_accounts, R"({"metadata":{"namespace":"ns","name":"sa"}})");
  EXPECT_EQ(verdict(token), "service account ns/sa of the token is gone") << "deleted";
  put_account("sa-uid", R"(,"deletionTimestamp":"2025-10-09T08:00:00Z")");
  EXPECT_EQ(verdict(token), "service account ns/sa of the token is gone") << "long being deleted";
  put_account("sa-uid", "");
  EXPECT_EQ(verdict(token), "");
}

TEST_F(Tokens, TheBoundPodMustLive) {
  const std::string token = signed_by(cluster_);
  const std::string gone = "Pod pod that the token is bound to is gone";
  put_pod("other-uid", "");
  EXPECT_EQ(verdict(token), gone) << "recreated";
  view_.remove(resources::pods, R"({"metadata":{"namespace":"ns","name":"pod"}})");
  EXPECT_EQ(verdict(token), gone) << "deleted";
  TokenClaims claims = good_claims();
  claims.bound = BoundObject{"Secret", "pod", "pod-uid"};
  EXPECT_EQ(verdict(signed_by(cluster_, claims)), "Secret pod that the token is bound to is gone")
      << "another kind of the same name";
  claims.bound = BoundObject{"Node", "pod", "pod-uid"};
  EXPECT_EQ(verdict(signed_by(cluster_, claims)), "Node pod that the token is bound to is gone");
  claims.bound.reset();
  EXPECT_EQ(verdict(signed_by(cluster_, claims)), "") << "bound to nothing";
}

class Certificates : public ::testing::Test {
 protected:
  const Validity day_{noon, at(24 * hour)};
  const KeyedCertificate cluster_ = *make_authority("kubernetes", "\x01", day_);
  const KeyedCertificate other_ = *make_authority("kubernetes", "\x01", day_);

  static LeafRequest admin() {
    LeafRequest request;
    request.common_name = "admin";
    request.organizations = {"system:masters"};
    request.for_client = true;
    return request;
  }
  static KeyedCertificate issue(const KeyedCertificate& authority, const LeafRequest& request,
                                Validity validity) {
    auto issued = issue_leaf(authority, request, "\x02", validity);
    EXPECT_TRUE(issued) << issued.error().message;
    return issued ? std::move(*issued) : KeyedCertificate();
  }
  std::string leaf(const KeyedCertificate& authority, const LeafRequest& request,
                   Validity validity) const {
    return issue(authority, request, validity).certificate_pem;
  }
  // What a client's key can sign all the same: a leaf that names the client as its issuer.
  std::string forge(const KeyedCertificate& client) const {
    const openssl::Certificate leaf =
        openssl::read_certificate(issue(other_, admin(), day_).certificate_pem);
    const openssl::Certificate issuer = openssl::read_certificate(client.certificate_pem);
    const openssl::Key key = openssl::read_private_key(client.private_key_pem);
    const int identifier = X509_get_ext_by_NID(leaf.get(), NID_authority_key_identifier, -1);
    X509_EXTENSION_free(X509_delete_ext(leaf.get(), identifier));
    EXPECT_EQ(X509_set_issuer_name(leaf.get(), X509_get_subject_name(issuer.get())), 1);
    EXPECT_GT(X509_sign(leaf.get(), key.get(), EVP_sha256()), 0);
    const openssl::Bio text = openssl::write_bio();
    EXPECT_EQ(PEM_write_bio_X509(text.get(), leaf.get()), 1);
    return openssl::bytes_of(text);
  }
  // As the server does: the chain first, then who it is.
  schema::Answer<Identity> enter(const std::vector<std::string>& chain,
                                 base::WallTime now = at(hour)) const {
    std::vector<std::string> der;
    for (const std::string& pem : chain) {
      auto one = certificate_pem_to_der(pem);
      EXPECT_TRUE(one) << one.error().message;
      if (!one) return std::unexpected(schema::unauthorized());
      der.push_back(std::move(*one));
    }
    if (auto good = verify_client_chain(der, cluster_.certificate_pem, now); !good) {
      return std::unexpected(schema::unauthorized());
    }
    return identity_of_certificate(der.front(), now);
  }
  schema::Answer<Identity> enter(const std::string& pem, base::WallTime now = at(hour)) const {
    return enter(std::vector{pem}, now);
  }
};

TEST_F(Certificates, TheRightOneIsTaken) {
  const auto who = enter(leaf(cluster_, admin(), day_));
  ASSERT_TRUE(who);
  EXPECT_EQ(who->user, "admin");
  EXPECT_TRUE(who->in_group("system:masters"));
}

TEST_F(Certificates, AnotherAuthorityOfTheSameName) {
  EXPECT_FALSE(enter(leaf(other_, admin(), day_)));
  EXPECT_FALSE(enter(other_.certificate_pem)) << "the other authority itself";
}

// Whoever holds a client's key may speak as that client, and make no other.
TEST_F(Certificates, AClientIsNoAuthority) {
  const KeyedCertificate client = issue(cluster_, admin(), day_);
  ASSERT_TRUE(enter(client.certificate_pem));
  EXPECT_FALSE(issue_leaf(client, admin(), "\x03", day_)) << "ours do not issue for it";
  const std::string forged = forge(client);
  EXPECT_FALSE(enter(forged));
  EXPECT_FALSE(enter({forged, client.certificate_pem}));
  EXPECT_FALSE(enter({forged, client.certificate_pem, cluster_.certificate_pem}));
}

TEST_F(Certificates, AServersIsNoClients) {
  LeafRequest request = admin();
  request.for_client = false;
  request.for_server = true;
  EXPECT_FALSE(enter(leaf(cluster_, request, day_)));
  request.for_client = true;
  EXPECT_TRUE(enter(leaf(cluster_, request, day_)));
}

TEST_F(Certificates, OutsideOfItsTime) {
  const Validity morning{noon, at(hour)};
  const std::string short_lived = leaf(cluster_, admin(), morning);
  EXPECT_TRUE(enter(short_lived, at(hour / 2)));
  EXPECT_FALSE(enter(short_lived, at(2 * hour)));
  EXPECT_FALSE(enter(short_lived, at(-hour)));
  EXPECT_FALSE(enter(leaf(cluster_, admin(), day_), at(25 * hour))) << "the authority expired";
}

TEST_F(Certificates, WithoutANameOrAGroup) {
  LeafRequest request = admin();
  request.common_name.clear();
  EXPECT_FALSE(enter(leaf(cluster_, request, day_)));
  request = admin();
  request.organizations.clear();
  const auto who = enter(leaf(cluster_, request, day_));
  ASSERT_TRUE(who);
  EXPECT_TRUE(who->groups.empty()) << "a name alone gives no group";
}

}  // namespace
}  // namespace keelway::access
