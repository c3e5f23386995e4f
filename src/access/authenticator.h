// Who are you. A credential that was sent and is wrong is refused (401), never downgraded to
// anonymous.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "access/identity.h"
#include "access/service_account_token.h"
#include "base/time.h"
#include "client/view.h"
#include "schema/status.h"

namespace keelway::access {

struct Credentials {
  std::string_view authorization;  // the header's value; empty: none was sent
  // DER, leaf first; TLS has verified the chain against the cluster's client CA.
  const std::vector<std::string>* peer_certificates = nullptr;
  base::WallTime now;
  bool certificate_refused = false;  // one was sent that did not verify
};

// Used on one executor: good credentials may be remembered while they are good.
class Authenticator {
 public:
  virtual ~Authenticator() = default;
  virtual schema::Answer<IdentityPtr> authenticate(const Credentials& credentials) const = 0;
};

using AwsTokenCheck =
    std::function<schema::Answer<IdentityPtr>(std::string_view token, base::WallTime now)>;

struct AuthenticatorParts {
  const TokenVerifier* tokens = nullptr;  // outlives the authenticator; null: no such tokens
  const client::View* view = nullptr;     // for bound objects; needed with `tokens`
  // Bearer tokens with prefix "k8s-aws-v1.".
  AwsTokenCheck aws_tokens;
  bool allow_anonymous = true;
};

// Client certificate, then bearer token, then anonymous, which nobody becomes who sent something
// that is wrong; only a good token makes up for a certificate that did not verify. Everybody who
// authenticated is in system:authenticated.
std::unique_ptr<Authenticator> make_authenticator(AuthenticatorParts parts);

// CN is the user, each O a group; expiry is checked against `now`.
schema::Answer<Identity> identity_of_certificate(std::string_view leaf_der, base::WallTime now);

inline constexpr std::string_view aws_token_prefix = "k8s-aws-v1.";

}  // namespace keelway::access
