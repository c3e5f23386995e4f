#include "access/authenticator.h"

#include <algorithm>

#include "access/pki.h"

namespace keelway::access {
namespace {

schema::Answer<Identity> refused() {
  return std::unexpected(schema::unauthorized());
}

Identity authenticated(Identity who) {
  if (!who.in_group("system:authenticated")) who.groups.emplace_back("system:authenticated");
  return who;
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

class Composite final : public Authenticator {
 public:
  explicit Composite(AuthenticatorParts parts) : parts_(std::move(parts)) {}

  schema::Answer<Identity> authenticate(const Credentials& sent) const override {
    if (sent.peer_certificates != nullptr && !sent.peer_certificates->empty()) {
      auto who = identity_of_certificate(sent.peer_certificates->front(), sent.now);
      if (!who) return who;
      return authenticated(std::move(*who));
    }
    if (!sent.authorization.empty()) {
      auto who = by_token(bearer_token(sent.authorization), sent.now);
      if (!who) return who;
      return authenticated(std::move(*who));
    }
    if (sent.certificate_refused || !parts_.allow_anonymous) return refused();
    return anonymous();
  }

 private:
  schema::Answer<Identity> by_token(std::string_view token, base::WallTime now) const {
    if (token.empty()) return refused();
    if (token.starts_with(aws_token_prefix)) {
      return parts_.aws_tokens ? parts_.aws_tokens(token, now) : refused();
    }
    if (parts_.tokens == nullptr || parts_.view == nullptr) return refused();
    auto verified = parts_.tokens->verify(token, now, *parts_.view);
    if (!verified) return refused();
    return std::move(verified->identity);
  }

  const AuthenticatorParts parts_;
};

}  // namespace

std::unique_ptr<Authenticator> make_authenticator(AuthenticatorParts parts) {
  return std::make_unique<Composite>(std::move(parts));
}

schema::Answer<Identity> identity_of_certificate(std::string_view leaf_der, base::WallTime now) {
  const auto facts = parse_certificate_der(leaf_der);
  if (!facts || facts->common_name.empty() || !facts->for_client) return refused();
  if (now < facts->validity.not_before || facts->validity.not_after < now) return refused();
  return Identity{facts->common_name, "", facts->organizations, {}};
}

}  // namespace keelway::access
