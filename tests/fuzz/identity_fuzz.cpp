// Whatever shows who is calling: an Authorization header, a certificate, a signing request, an EKS
// token. Nobody is let in who does not hold a key.
#include "access/authenticator.h"
#include "access/pki.h"
#include "access/service_account_token.h"
#include "access/test_view.h"
#include "aws/identity/token.h"
#include "base/encoding.h"
#include "client/resources.h"
#include "fuzz/input.h"
#include "value/json.h"

namespace {

namespace access = keelway::access;
namespace aws = keelway::aws;
namespace base = keelway::base;

constexpr base::WallTime now{1'767'323'045'000'000};
const aws::AccessKey key{"AKIAEXAMPLEEXAMPLE22", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                         "123456789012", "", true};

std::optional<aws::AccessKey> find_key(std::string_view id) {
  if (id == key.access_key_id) return key;
  return std::nullopt;
}

class House {
 public:
  House()
      : signer_(*access::TokenSigner::make(*access::make_p256_key_pem(), "iss")),
        verifier_(*access::TokenVerifier::make({signer_.public_key_pem()}, "iss", {"api"})) {
    view_.put(keelway::client::resources::service_accounts,
              R"({"metadata":{"namespace":"ns","name":"sa","uid":"u"}})");
    access::AuthenticatorParts parts;
    parts.tokens = &verifier_;
    parts.view = &view_.view();
    parts.aws_tokens = [](std::string_view token,
                          base::WallTime at) -> keelway::schema::Answer<access::IdentityPtr> {
      const auto caller = aws::verify_token(token, "dev", find_key, at);
      if (!caller) return std::unexpected(keelway::schema::unauthorized());
      return std::make_shared<const access::Identity>(access::component(caller->arn));
    };
    authenticator_ = access::make_authenticator(std::move(parts));
  }

  void check_header(std::string_view header) const {
    const auto who = authenticator_->authenticate({header, nullptr, now});
    if (header.empty()) return;
    // A valid EKS token can stand in the corpus: nobody can make a new one.
    KEELWAY_INVARIANT(!who || (*who)->user == key.arn(), "a stranger is let in: " + (*who)->user);
  }
  void check_certificate(std::string_view der) const {
    const auto facts = access::parse_certificate_der(der);
    const auto who = access::identity_of_certificate(der, now);
    KEELWAY_INVARIANT(facts || !who, "an identity without a certificate");
    const std::vector<std::string> chain{std::string(der)};
    static const auto authority = *access::make_authority(
        "ca", "\x01", {now, base::WallTime{now.microseconds + 86'400'000'000}});
    KEELWAY_INVARIANT(!access::verify_client_chain(chain, authority.certificate_pem, now),
                      "a certificate of somebody else's leads to our authority");
  }
  // The JSON of a token's body with a header of the input's: neither is signed by us.
  void check_token(std::string_view header, std::string_view body, std::string_view mark) const {
    const std::string token = base::base64url_encode(header) + "." + base::base64url_encode(body) +
                              "." + base::base64url_encode(mark);
    static_cast<void>(verifier_.claims_issuer(token));
    KEELWAY_INVARIANT(!verifier_.verify(token, now, view_), "a token that nobody signed is taken");
  }

 private:
  access::TokenSigner signer_;
  access::TokenVerifier verifier_;
  access::TestView view_;
  std::unique_ptr<access::Authenticator> authenticator_;
};

}  // namespace

KEELWAY_FUZZ_TARGET(data, size) {
  static const House house;
  keelway::fuzz::Input input(data, size);
  const std::string_view first = input.part();
  const std::string_view second = input.part();
  house.check_header(first);
  house.check_header("Bearer " + std::string(first));
  house.check_header("Bearer k8s-aws-v1." + base::base64url_encode(first));
  house.check_token(first, second, input.part());
  house.check_certificate(first);
  static_cast<void>(access::parse_certificate_pem(first));
  static_cast<void>(access::parse_signing_request(first));
  if (const auto der = access::certificate_pem_to_der(first)) house.check_certificate(*der);
  return 0;
}
