#include "access/service_account_token.h"

#include <fmt/core.h>
#include <openssl/core_names.h>

#include <algorithm>

#include "access/es256.h"
#include "access/openssl.h"
#include "base/encoding.h"
#include "client/resources.h"
#include "value/json.h"

namespace keelway::access {
namespace {

using base::ErrorCode;
using base::fail;
using openssl::failed;
using openssl::Key;
using value::Value;
namespace resources = client::resources;

constexpr std::size_t token_bytes_max = 16u << 10;
// A token outlives the deletion mark of the object it is bound to by this long, so that a pod can
// still speak while it shuts down.
constexpr base::Duration deletion_leeway = std::chrono::seconds(60);

Value reference(const std::string& name, const std::string& uid) {
  return Value::object({{"name", name}, {"uid", uid}});
}

Value private_claims(const TokenClaims& claims) {
  Value kubernetes = Value::object(
      {{"namespace", claims.name_space},
       {"serviceaccount", reference(claims.service_account, claims.service_account_uid)}});
  if (claims.bound) {
    const char* member = claims.bound->kind == "Pod"      ? "pod"
                         : claims.bound->kind == "Secret" ? "secret"
                                                          : "node";
    kubernetes.set(member, reference(claims.bound->name, claims.bound->uid));
  }
  if (claims.node) kubernetes.set("node", reference(claims.node->name, claims.node->uid));
  if (claims.warn_after) kubernetes.set("warnafter", claims.warn_after->seconds());
  return kubernetes;
}

std::optional<BoundObject> bound_of(const Value& kubernetes, std::string_view member,
                                    std::string_view kind) {
  const Value* found = kubernetes.find(member);
  if (found == nullptr) return std::nullopt;
  return BoundObject{std::string(kind), (*found)["name"].as_string(), (*found)["uid"].as_string()};
}

base::WallTime wall(const Value& seconds) {
  return {seconds.as_int() * 1'000'000};
}

TokenClaims claims_of(const Value& body) {
  TokenClaims claims;
  const Value& kubernetes = body["kubernetes.io"];
  claims.name_space = kubernetes["namespace"].as_string();
  claims.service_account = kubernetes.at("serviceaccount", "name").as_string();
  claims.service_account_uid = kubernetes.at("serviceaccount", "uid").as_string();
  claims.bound = bound_of(kubernetes, "pod", "Pod");
  auto node = bound_of(kubernetes, "node", "Node");
  if (!claims.bound) claims.bound = bound_of(kubernetes, "secret", "Secret");
  if (!claims.bound) claims.bound = std::exchange(node, std::nullopt);
  claims.node = node;
  const Value& audience = body["aud"];
  if (audience.is_string()) claims.audiences.push_back(audience.as_string());
  for (const Value& one : audience.items()) claims.audiences.push_back(one.as_string());
  claims.id = body["jti"].as_string();
  claims.issued = wall(body["iat"]);
  claims.expires = wall(body["exp"]);
  if (kubernetes.contains("warnafter")) claims.warn_after = wall(kubernetes["warnafter"]);
  return claims;
}

bool gone(const schema::ObjectPtr& object, std::string_view uid, base::WallTime now) {
  if (!object || object->uid() != uid) return true;
  if (!object->deleting()) return false;
  const auto since =
      base::parse_rfc3339(object->value().at("metadata", "deletionTimestamp").as_string());
  return !since || *since + deletion_leeway < now;
}

base::Result<void> check_bound(const TokenClaims& claims, base::WallTime now,
                               const client::View& view) {
  if (gone(view.get(resources::service_accounts, claims.name_space, claims.service_account),
           claims.service_account_uid, now)) {
    return fail(ErrorCode::unauthorized, fmt::format("service account {}/{} of the token is gone",
                                                     claims.name_space, claims.service_account));
  }
  if (!claims.bound) return {};
  const bool is_node = claims.bound->kind == "Node";
  const client::Resource& resource = is_node                       ? resources::nodes
                                     : claims.bound->kind == "Pod" ? resources::pods
                                                                   : resources::secrets;
  if (gone(view.get(resource, is_node ? "" : claims.name_space, claims.bound->name),
           claims.bound->uid, now)) {
    return fail(ErrorCode::unauthorized, fmt::format("{} {} that the token is bound to is gone",
                                                     claims.bound->kind, claims.bound->name));
  }
  return {};
}

struct Pieces {
  std::string_view signed_text;
  Value header, body;
  std::string signature;
};

base::Result<Pieces> split(std::string_view token) {
  const auto bad = [] { return fail(ErrorCode::unauthorized, "the token is not a JWT"); };
  if (token.size() > token_bytes_max) return bad();
  const std::size_t first = token.find('.');
  const std::size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) {
    return bad();
  }
  const auto header = base::base64url_decode(token.substr(0, first));
  const auto body = base::base64url_decode(token.substr(first + 1, second - first - 1));
  auto signature = base::base64url_decode(token.substr(second + 1));
  if (!header || !body || !signature) return bad();
  auto header_value = value::parse_json(*header);
  auto body_value = value::parse_json(*body);
  if (!header_value || !body_value || !body_value->is_object()) return bad();
  return Pieces{token.substr(0, second), std::move(*header_value), std::move(*body_value),
                std::move(*signature)};
}

}  // namespace

struct TokenSigner::Parts {
  Key key;
  std::string issuer, key_id, public_key_pem;
};

TokenSigner::TokenSigner(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
TokenSigner::~TokenSigner() = default;
TokenSigner::TokenSigner(TokenSigner&&) noexcept = default;
TokenSigner& TokenSigner::operator=(TokenSigner&&) noexcept = default;
const std::string& TokenSigner::issuer() const {
  return parts_->issuer;
}
const std::string& TokenSigner::key_id() const {
  return parts_->key_id;
}
const std::string& TokenSigner::public_key_pem() const {
  return parts_->public_key_pem;
}

base::Result<TokenSigner> TokenSigner::make(std::string_view private_key_pem, std::string issuer) {
  auto parts = std::make_unique<Parts>();
  parts->key = openssl::read_private_key(private_key_pem);
  if (!es256::is_p256(parts->key)) {
    return failed(ErrorCode::invalid, "the service account signing key is no P-256 key");
  }
  const openssl::Bio bio = openssl::write_bio();
  PEM_write_bio_PUBKEY(bio.get(), parts->key.get());
  parts->public_key_pem = openssl::bytes_of(bio);
  parts->issuer = std::move(issuer);
  parts->key_id = es256::key_id(parts->key);
  return TokenSigner(std::move(parts));
}

base::Result<std::string> TokenSigner::sign(const TokenClaims& claims) const {
  if (claims.audiences.empty()) {
    return fail(ErrorCode::invalid, "sign a token: no audience was given");
  }
  Value audiences = Value::array();
  for (const std::string& one : claims.audiences) audiences.push(one);
  const Value body =
      Value::object({{"aud", std::move(audiences)},
                     {"exp", claims.expires.seconds()},
                     {"iat", claims.issued.seconds()},
                     {"iss", parts_->issuer},
                     {"jti", claims.id},
                     {"kubernetes.io", private_claims(claims)},
                     {"nbf", claims.issued.seconds()},
                     {"sub", fmt::format("system:serviceaccount:{}:{}", claims.name_space,
                                         claims.service_account)}});
  const Value header = Value::object({{"alg", "ES256"}, {"kid", parts_->key_id}});
  std::string text = base::base64url_encode(value::to_json(header)) + "." +
                     base::base64url_encode(value::to_json(body));
  const auto signature = es256::sign(parts_->key, text);
  if (!signature) return std::unexpected(signature.error());
  return text + "." + base::base64url_encode(*signature);
}

struct TokenVerifier::Parts {
  struct Public {
    Key key;
    std::string id;
  };
  std::vector<Public> keys;
  std::string issuer;
  std::vector<std::string> audiences;

  // The key that made the signature; only a kid of ours, or none at all, is looked at.
  bool signed_by_us(const Pieces& token) const {
    if (token.header["alg"].as_string() != "ES256" || token.header.contains("crit")) return false;
    const Value* kid = token.header.find("kid");
    return std::any_of(keys.begin(), keys.end(), [&](const Public& one) {
      return (kid == nullptr || kid->as_string() == one.id) &&
             es256::verify(one.key, token.signed_text, token.signature);
    });
  }
};

TokenVerifier::TokenVerifier(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
TokenVerifier::~TokenVerifier() = default;
TokenVerifier::TokenVerifier(TokenVerifier&&) noexcept = default;
TokenVerifier& TokenVerifier::operator=(TokenVerifier&&) noexcept = default;
const std::vector<std::string>& TokenVerifier::api_audiences() const {
  return parts_->audiences;
}

base::Result<TokenVerifier> TokenVerifier::make(std::vector<std::string> keys_pem,
                                                std::string issuer,
                                                std::vector<std::string> audiences) {
  auto parts = std::make_unique<Parts>();
  for (const std::string& pem : keys_pem) {
    Key key = openssl::read_public_key(pem);
    if (!es256::is_p256(key)) {
      return failed(ErrorCode::invalid, "a service account key is no P-256 public key");
    }
    std::string id = es256::key_id(key);
    parts->keys.push_back({std::move(key), std::move(id)});
  }
  parts->issuer = std::move(issuer);
  parts->audiences = std::move(audiences);
  return TokenVerifier(std::move(parts));
}

bool TokenVerifier::claims_issuer(std::string_view token) const {
  const auto pieces = split(token);
  return pieces && pieces->body["iss"].as_string() == parts_->issuer;
}

base::Result<VerifiedToken> TokenVerifier::verify(std::string_view token, base::WallTime now,
                                                  const client::View& view,
                                                  const std::vector<std::string>& audiences) const {
  const auto refuse = [](std::string why) { return fail(ErrorCode::unauthorized, std::move(why)); };
  const auto pieces = split(token);
  if (!pieces) return std::unexpected(pieces.error());
  if (!parts_->signed_by_us(*pieces)) return refuse("the token's signature does not verify");
  const Value& body = pieces->body;
  if (body["iss"].as_string() != parts_->issuer) return refuse("the token is of another issuer");
  VerifiedToken verified{claims_of(body), {}, {}};
  const TokenClaims& claims = verified.claims;
  for (const std::string& wanted : audiences.empty() ? parts_->audiences : audiences) {
    if (std::find(claims.audiences.begin(), claims.audiences.end(), wanted) !=
        claims.audiences.end()) {
      verified.audiences.push_back(wanted);
    }
  }
  if (verified.audiences.empty()) return refuse("the token is for another audience");
  if (!body["exp"].is_int()) return refuse("the token has no expiry");
  if (body.contains("nbf") && now < wall(body["nbf"])) return refuse("the token is not valid yet");
  const std::string subject =
      fmt::format("system:serviceaccount:{}:{}", claims.name_space, claims.service_account);
  if (claims.service_account.empty() || body["sub"].as_string() != subject) {
    return refuse("the token's subject is not its service account");
  }
  if (auto holds = still_holds(claims, now, view); !holds) return std::unexpected(holds.error());
  verified.identity = service_account_identity(claims);
  return verified;
}

base::Result<void> TokenVerifier::still_holds(const TokenClaims& claims, base::WallTime now,
                                              const client::View& view) {
  if (claims.expires < now) return fail(ErrorCode::unauthorized, "the token has expired");
  return check_bound(claims, now, view);
}

value::Value TokenVerifier::json_web_key_set() const {
  Value keys = Value::array();
  for (const Parts::Public& one : parts_->keys) {
    const auto coordinate = [&](const char* which) {
      BIGNUM* number = nullptr;
      EVP_PKEY_get_bn_param(one.key.get(), which, &number);
      const openssl::Bignum owned(number);
      std::string bytes(es256::coordinate_bytes, '\0');
      BN_bn2binpad(owned.get(), reinterpret_cast<unsigned char*>(bytes.data()),
                   es256::coordinate_bytes);
      return base::base64url_encode(bytes);
    };
    keys.push(Value::object({{"alg", "ES256"},
                             {"crv", "P-256"},
                             {"kid", one.id},
                             {"kty", "EC"},
                             {"use", "sig"},
                             {"x", coordinate(OSSL_PKEY_PARAM_EC_PUB_X)},
                             {"y", coordinate(OSSL_PKEY_PARAM_EC_PUB_Y)}}));
  }
  return Value::object({{"keys", std::move(keys)}});
}

value::Value TokenVerifier::openid_configuration(std::string_view jwks_uri) const {
  return Value::object({{"issuer", parts_->issuer},
                        {"jwks_uri", jwks_uri},
                        {"response_types_supported", Value::array({"id_token"})},
                        {"subject_types_supported", Value::array({"public"})},
                        {"id_token_signing_alg_values_supported", Value::array({"ES256"})}});
}

Identity service_account_identity(const TokenClaims& claims) {
  Identity who;
  who.user = fmt::format("system:serviceaccount:{}:{}", claims.name_space, claims.service_account);
  who.uid = claims.service_account_uid;
  who.groups = {"system:serviceaccounts", "system:serviceaccounts:" + claims.name_space};
  const auto extra = [&](const char* key, const std::string& text) {
    if (!text.empty()) who.extra["authentication.kubernetes.io/" + std::string(key)] = {text};
  };
  if (!claims.id.empty()) extra("credential-id", "JTI=" + claims.id);
  if (claims.bound && claims.bound->kind == "Pod") {
    extra("pod-name", claims.bound->name);
    extra("pod-uid", claims.bound->uid);
  }
  const auto& node = claims.bound && claims.bound->kind == "Node" ? claims.bound : claims.node;
  if (node) {
    extra("node-name", node->name);
    extra("node-uid", node->uid);
  }
  return who;
}

}  // namespace keelway::access
