#include "access/authenticator.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "access/known_tokens.h"
#include "access/pki.h"

namespace keelway::access {
namespace {

constexpr std::size_t kCertificatesMax = 256;  // remembered; then all are forgotten
constexpr std::size_t kTokensMax = 2048;       // in each of two generations

std::unexpected<schema::Status> refused() {
  return std::unexpected(schema::unauthorized());
}

IdentityPtr authenticated(Identity who) {
  if (!who.in_group("system:authenticated")) who.groups.emplace_back("system:authenticated");
  return std::make_shared<const Identity>(std::move(who));
}

// Whom a certificate names, and how long.
schema::Answer<std::pair<Identity, Validity>> read_certificate(std::string_view leaf_der) {
  const auto facts = parse_certificate_der(leaf_der);
  if (!facts || facts->common_name.empty() || !facts->for_client) return refused();
  return std::pair(Identity{facts->common_name, "", facts->organizations, {}}, facts->validity);
}

bool holds(const Validity& validity, base::WallTime now) {
  return !(now < validity.not_before) && !(validity.not_after < now);
}

bool is_bearer_scheme(std::string_view scheme) {
  constexpr std::string_view bearer = "bearer";
  return scheme.size() == bearer.size() &&
         std::equal(scheme.begin(), scheme.end(), bearer.begin(), [](char a, char b) {
           return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
         });
}

// The token of "Bearer <token>"; empty where the header is anything else.
std::string_view bearer_token(std::string_view authorization) {
  const std::size_t space = authorization.find(' ');
  if (space == std::string_view::npos || !is_bearer_scheme(authorization.substr(0, space))) {
    return {};
  }
  std::string_view token = authorization.substr(space + 1);
  while (!token.empty() && token.front() == ' ') token.remove_prefix(1);
  while (!token.empty() && token.back() == ' ') token.remove_suffix(1);
  return token;
}

struct KnownToken {
  TokenClaims claims;
  IdentityPtr who;
};

class Composite final : public Authenticator {
 public:
  explicit Composite(AuthenticatorParts parts) : parts_(std::move(parts)) {}

  schema::Answer<IdentityPtr> authenticate(const Credentials& sent) const override {
    if (sent.peer_certificates != nullptr && !sent.peer_certificates->empty()) {
      return by_certificate(sent.peer_certificates->front(), sent.now);
    }
    if (!sent.authorization.empty()) return by_token(bearer_token(sent.authorization), sent.now);
    if (sent.certificate_refused || !parts_.allow_anonymous) return refused();
    return nobody_;
  }

 private:
  // A connection shows the same certificate with each of its requests.
  schema::Answer<IdentityPtr> by_certificate(const std::string& leaf, base::WallTime now) const {
    auto known = certificates_.find(leaf);
    if (known == certificates_.end()) {
      auto read = read_certificate(leaf);
      if (!read) return std::unexpected(std::move(read.error()));
      if (certificates_.size() >= kCertificatesMax) certificates_.clear();
      known =
          certificates_.emplace(leaf, Known{authenticated(std::move(read->first)), read->second})
              .first;
    }
    if (!holds(known->second.validity, now)) return refused();
    return known->second.who;
  }

  schema::Answer<IdentityPtr> by_token(std::string_view token, base::WallTime now) const {
    if (token.empty()) return refused();
    if (token.starts_with(aws_token_prefix)) {
      if (!parts_.aws_tokens) return refused();
      auto who = parts_.aws_tokens(token, now);
      if (!who || (*who)->in_group("system:authenticated")) return who;
      return authenticated(**who);
    }
    if (parts_.tokens == nullptr || parts_.view == nullptr) return refused();
    if (const auto* known = known_tokens_.find(token)) {
      if (!TokenVerifier::still_holds(known->claims, now, *parts_.view)) return refused();
      return known->who;
    }
    auto verified = parts_.tokens->verify(token, now, *parts_.view);
    if (!verified) return refused();
    IdentityPtr who = authenticated(std::move(verified->identity));
    known_tokens_.add(token, {std::move(verified->claims), who});
    return who;
  }

  struct Known {
    IdentityPtr who;
    Validity validity;
  };

  const AuthenticatorParts parts_;
  const IdentityPtr nobody_ = std::make_shared<const Identity>(anonymous());
  mutable std::unordered_map<std::string, Known> certificates_;  // by leaf; never iterated
  mutable KnownTokens<KnownToken> known_tokens_{kTokensMax};
};

}  // namespace

std::unique_ptr<Authenticator> make_authenticator(AuthenticatorParts parts) {
  return std::make_unique<Composite>(std::move(parts));
}

schema::Answer<Identity> identity_of_certificate(std::string_view leaf_der, base::WallTime now) {
  auto read = read_certificate(leaf_der);
  if (!read) return std::unexpected(std::move(read.error()));
  if (!holds(read->second, now)) return refused();
  return std::move(read->first);
}

}  // namespace keelway::access
