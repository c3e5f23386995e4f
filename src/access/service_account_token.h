// Bound service account tokens: JWTs (RFC 7519) signed with ES256, upstream's claims. Only ES256
// of the cluster's own keys is ever accepted; the header's "alg" chooses nothing.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/identity.h"
#include "base/error.h"
#include "base/time.h"
#include "client/view.h"
#include "schema/status.h"

namespace keelway::access {

// The object whose life ends the token's: a Pod, Secret or Node.
struct BoundObject {
  std::string kind, name, uid;
};

struct TokenClaims {
  std::string name_space, service_account, service_account_uid;
  std::optional<BoundObject> bound;    // Pod, Secret or Node
  std::optional<BoundObject> node;     // of a pod-bound token: the pod's node
  std::vector<std::string> audiences;  // not empty
  std::string id;                      // jti, a uuid
  base::WallTime issued, expires;
  std::optional<base::WallTime> warn_after;  // extended tokens
};

class TokenSigner {
 public:
  static base::Result<TokenSigner> make(std::string_view private_key_pem, std::string issuer);
  ~TokenSigner();
  TokenSigner(TokenSigner&&) noexcept;
  TokenSigner& operator=(TokenSigner&&) noexcept;

  base::Result<std::string> sign(const TokenClaims& claims) const;
  const std::string& issuer() const;
  const std::string& key_id() const;  // base64url(SHA-256 of the DER public key), as upstream
  const std::string& public_key_pem() const;

 private:
  struct Parts;
  explicit TokenSigner(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

struct VerifiedToken {
  TokenClaims claims;
  Identity identity;                   // without system:authenticated
  std::vector<std::string> audiences;  // those of the token that were asked for
};

class TokenVerifier {
 public:
  // `keys_pem`: P-256 public keys, the current one first. `audiences`: the API server's own.
  static base::Result<TokenVerifier> make(std::vector<std::string> keys_pem, std::string issuer,
                                          std::vector<std::string> audiences);
  ~TokenVerifier();
  TokenVerifier(TokenVerifier&&) noexcept;
  TokenVerifier& operator=(TokenVerifier&&) noexcept;

  // Whether this looks like one of ours: a JWT with our issuer. Proves nothing.
  bool claims_issuer(std::string_view token) const;
  // The reason stands in the message; the server answers a bare Unauthorized.
  // `audiences` empty: the API server's own. The view holds service accounts, pods, secrets, nodes.
  base::Result<VerifiedToken> verify(std::string_view token, base::WallTime now,
                                     const client::View& view,
                                     const std::vector<std::string>& audiences = {}) const;
  // Whether what verify() once found good still is: not expired, and its objects are there.
  static base::Result<void> still_holds(const TokenClaims& claims, base::WallTime now,
                                        const client::View& view);
  const std::vector<std::string>& api_audiences() const;
  value::Value json_web_key_set() const;  // /openid/v1/jwks
  // /.well-known/openid-configuration
  value::Value openid_configuration(std::string_view jwks_uri) const;

 private:
  struct Parts;
  explicit TokenVerifier(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

// "system:serviceaccount:ns:name" with its two groups, uid and extra keys.
Identity service_account_identity(const TokenClaims& claims);

}  // namespace keelway::access
