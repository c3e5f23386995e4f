#include "access/authenticator.h"

#include <gtest/gtest.h>

#include "access/impersonation.h"
#include "access/pki.h"
#include "access/test_view.h"
#include "client/resources.h"

namespace keelway::access {
namespace {

constexpr base::WallTime noon{1'760'000'000'000'000};
const Validity one_day{noon, noon + std::chrono::hours(24)};

class AuthenticatorTest : public ::testing::Test {
 protected:
  AuthenticatorTest()
      : signer_(*TokenSigner::make(*make_p256_key_pem(), "iss")),
        verifier_(*TokenVerifier::make({signer_.public_key_pem()}, "iss", {"api"})) {
    view_.put(client::resources::service_accounts,
              R"({"metadata":{"namespace":"ns","name":"sa","uid":"u"}})");
    AuthenticatorParts parts;
    parts.tokens = &verifier_;
    parts.view = &view_.view();
    parts.aws_tokens = [](std::string_view token, base::WallTime) -> schema::Answer<IdentityPtr> {
      if (token != "k8s-aws-v1.good") return std::unexpected(schema::unauthorized());
      return std::make_shared<const Identity>(Identity{"arn:aws:iam::1:root", "", {}, {}});
    };
    authenticator_ = make_authenticator(std::move(parts));
  }
  schema::Answer<IdentityPtr> with_header(std::string_view header) const {
    return authenticator_->authenticate({header, nullptr, noon});
  }
  std::vector<std::string> certificate(bool for_client) const {
    LeafRequest request;
    request.common_name = "alice";
    request.organizations = {"dev"};
    request.for_client = for_client;
    request.for_server = !for_client;
    const auto ca = *make_authority("ca", "\x01", one_day);
    return {*certificate_pem_to_der(issue_leaf(ca, request, "\x02", one_day)->certificate_pem)};
  }
  std::string token() const {
    TokenClaims c;
    c.name_space = "ns";
    c.service_account = "sa";
    c.service_account_uid = "u";
    c.audiences = {"api"};
    c.issued = noon;
    c.expires = noon + std::chrono::hours(1);
    return *signer_.sign(c);
  }
  TokenSigner signer_;
  TokenVerifier verifier_;
  TestView view_;
  std::unique_ptr<Authenticator> authenticator_;
};

TEST_F(AuthenticatorTest, NothingSentIsAnonymous) {
  const auto who = with_header("");
  ASSERT_TRUE(who);
  EXPECT_EQ((*who)->user, "system:anonymous");
  EXPECT_FALSE((*who)->in_group("system:authenticated"));
}

TEST_F(AuthenticatorTest, BadCredentialIsNeverAnonymous) {
  for (const char* header :
       {"Bearer x", "Bearer ", "Bearer", "Basic YTpi", "Bearer a.b.c", "Bearer k8s-aws-v1.bad"}) {
    const auto who = with_header(header);
    ASSERT_FALSE(who) << header;
    EXPECT_EQ(who.error().code, 401) << header;
  }
}

TEST_F(AuthenticatorTest, BearerTokens) {
  const auto account = with_header("bearer " + token());
  ASSERT_TRUE(account);
  EXPECT_EQ((*account)->user, "system:serviceaccount:ns:sa");
  EXPECT_TRUE((*account)->in_group("system:authenticated"));
  const auto aws = with_header("Bearer k8s-aws-v1.good");
  ASSERT_TRUE(aws);
  EXPECT_EQ((*aws)->user, "arn:aws:iam::1:root");
  EXPECT_TRUE((*aws)->in_group("system:authenticated"));
  EXPECT_FALSE((*aws)->in_group("system:masters"));
}

// Whether seen for the first time or again.
TEST_F(AuthenticatorTest, ATokenDiesWithItsTimeAndItsAccount) {
  const std::string header = "Bearer " + token();
  const auto first = with_header(header), again = with_header(header);
  ASSERT_TRUE(first);
  ASSERT_TRUE(again);
  EXPECT_EQ((*first)->user, (*again)->user);
  EXPECT_TRUE((*again)->in_group("system:authenticated"));
  const auto late = noon + std::chrono::hours(1) + std::chrono::seconds(1);
  EXPECT_FALSE(authenticator_->authenticate({header, nullptr, late}));
  EXPECT_TRUE(with_header(header));
  std::string forged = header;
  forged[forged.size() / 2] = forged[forged.size() / 2] == 'A' ? 'B' : 'A';
  EXPECT_FALSE(with_header(forged));
  view_.put(client::resources::service_accounts,
            R"({"metadata":{"namespace":"ns","name":"sa","uid":"another"}})");
  EXPECT_FALSE(with_header(header));
}

TEST_F(AuthenticatorTest, RefusedCertificateIsNotAnonymousEither) {
  Credentials sent{"", nullptr, noon, true};
  const auto nobody = authenticator_->authenticate(sent);
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().code, 401);
  const std::string good = "Bearer " + token();
  sent.authorization = good;
  EXPECT_TRUE(authenticator_->authenticate(sent));
}

TEST_F(AuthenticatorTest, CertificateComesFirstAndExpires) {
  const auto chain = certificate(true);
  auto who = authenticator_->authenticate({"Bearer x", &chain, noon});
  ASSERT_TRUE(who);
  EXPECT_EQ((*who)->user, "alice");
  EXPECT_TRUE((*who)->in_group("dev"));
  who = authenticator_->authenticate({"", &chain, noon + std::chrono::hours(25)});
  ASSERT_FALSE(who);
  EXPECT_EQ(who.error().code, 401);
  const auto server_chain = certificate(false);
  EXPECT_FALSE(authenticator_->authenticate({"", &server_chain, noon}));
}

// Allows what it is told, by "verb resource/subresource name".
class OneRule final : public Authorizer {
 public:
  explicit OneRule(std::vector<std::string> allowed) : allowed_(std::move(allowed)) {}
  Decision authorize(const Identity&, const Attributes& what) const override {
    const std::string text = what.verb + " " + what.group + ":" + what.resource + "/" +
                             what.subresource + " " + what.name_space + "/" + what.name;
    for (const std::string& one : allowed_) {
      if (one == text) return {Decision::Kind::allow, ""};
    }
    return {};
  }

 private:
  std::vector<std::string> allowed_;
};

TEST(Impersonation, EveryPartNeedsTheVerb) {
  const Identity admin{"admin", "", {"system:authenticated"}, {}};
  const HeaderList headers = {{"impersonate-user", "bob"},
                              {"impersonate-group", "dev"},
                              {"impersonate-extra-scopes", "view"}};
  const OneRule all({"impersonate :users/ /bob", "impersonate :groups/ /dev",
                     "impersonate authentication.k8s.io:userextras/scopes /view"});
  const auto who = impersonate(admin, headers, all);
  ASSERT_TRUE(who) << who.error().message;
  EXPECT_EQ(who->user, "bob");
  EXPECT_EQ(who->groups, (std::vector<std::string>{"dev", "system:authenticated"}));
  EXPECT_EQ(who->extra.at("scopes").front(), "view");
  const OneRule user_only({"impersonate :users/ /bob"});
  const auto refused = impersonate(admin, headers, user_only);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, 403);
  EXPECT_EQ(refused.error().message,
            "groups \"dev\" is forbidden: User \"admin\" cannot impersonate resource \"groups\" in "
            "API group \"\" at the cluster scope");
}

TEST(Impersonation, ServiceAccountsAndMissingUser) {
  const Identity admin{"admin", "", {}, {}};
  const OneRule rule({"impersonate :serviceaccounts/ ns/sa"});
  const auto who = impersonate(admin, {{"impersonate-user", "system:serviceaccount:ns:sa"}}, rule);
  ASSERT_TRUE(who);
  EXPECT_TRUE(who->in_group("system:serviceaccounts:ns"));
  EXPECT_TRUE(who->in_group("system:authenticated"));
  const auto broken = impersonate(admin, {{"impersonate-group", "system:masters"}}, rule);
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code, 500);
  EXPECT_EQ(impersonate(admin, {{"accept", "x"}}, rule)->user, "admin");
}

}  // namespace
}  // namespace keelway::access
