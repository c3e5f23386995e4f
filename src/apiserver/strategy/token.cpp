// POST serviceaccounts/NAME/token: a signed token bound to the account and, if asked, to a pod,
// secret or node.
#include "apiserver/strategy/handlers.h"
#include "apiserver/verbs/shape.h"
#include "apiserver/verbs/verbs.h"
#include "schema/validate.h"

namespace keelway::apiserver {
namespace {

constexpr std::int64_t kSecondsDefault = 3600, kSecondsMin = 600;
constexpr std::int64_t kSecondsMax = 24 * 3600;      // an answer may be shorter than asked
constexpr std::int64_t kBoundRequestSeconds = 3607;  // what kubelets ask and may keep longer
constexpr std::int64_t kExtendedSeconds = 365 * 24 * 3600;

schema::Status invalid_request(const Operation& op, schema::FieldError error) {
  return schema::invalid("authentication.k8s.io", "TokenRequest", op.info.name, {std::move(error)});
}

// Reads the object that the token is bound to, and what its node is.
Answer<void> bind_claims(Core& core, const Operation& op, const Value& reference,
                         access::TokenClaims& claims) {
  if (!reference.is_object()) return {};
  const std::string& kind = reference["kind"].as_string();
  const std::string& name = reference["name"].as_string();
  const std::string resource = kind == "Pod"      ? "pods"
                               : kind == "Secret" ? "secrets"
                               : kind == "Node"   ? "nodes"
                                                  : "";
  if (resource.empty()) {
    return std::unexpected(schema::bad_request("cannot bind token to object of type " + kind));
  }
  const client::Resource r{"", "v1", resource, kind, resource != "nodes"};
  const ObjectPtr object = core.view.get(r, r.namespaced ? op.info.name_space : "", name);
  if (!object) return std::unexpected(schema::not_found("", resource, name));
  const std::string& uid = reference["uid"].as_string();
  if (!uid.empty() && uid != object->uid()) {
    return std::unexpected(schema::conflict("", resource, name,
                                            "the UID in the bound object reference (" + uid +
                                                ") does not match the UID in record. The object "
                                                "might have been deleted and then recreated"));
  }
  claims.bound = access::BoundObject{kind, name, object->uid()};
  if (kind != "Pod") return {};
  const Value pod = object->value();
  if (pod.at("spec", "serviceAccountName").as_string() != op.info.name) {
    return std::unexpected(
        schema::bad_request("cannot bind token for serviceaccount \"" + op.info.name +
                            "\" to pod running with different serviceaccount name."));
  }
  const std::string& node_name = pod.at("spec", "nodeName").as_string();
  if (node_name.empty()) return {};
  const ObjectPtr node = core.view.get({"", "v1", "nodes", "Node", false}, "", node_name);
  claims.node = access::BoundObject{"Node", node_name, node ? node->uid() : ""};
  return {};
}

}  // namespace

void request_token(Core& core, OperationPtr op, OutcomeCallback done) {
  const auto refuse = [&](schema::Status status) { done(std::unexpected(std::move(status))); };
  const schema::Kind* kind = op->kinds->by_kind("authentication.k8s.io", "v1", "TokenRequest");
  if (kind == nullptr || !core.config.token_signer) {
    return refuse(schema::not_found("", "serviceaccounts/token", op->info.name));
  }
  auto body = read_object(*op, *kind);
  if (!body) return refuse(std::move(body.error()));
  const ObjectPtr account =
      core.cache.get(object_key(*op->kind, op->info.name_space, op->info.name));
  if (!account) return refuse(schema::not_found("", "serviceaccounts", op->info.name));
  Value& spec = body->mutate("spec");
  if (spec["audiences"].empty()) {
    spec.set("audiences", Value::array({Value(core.config.api_audience)}));
  }
  std::int64_t seconds = spec["expirationSeconds"].as_int(kSecondsDefault);
  if (seconds < kSecondsMin) {
    return refuse(invalid_request(
        *op, schema::invalid_value("spec.expirationSeconds", seconds,
                                   "may not specify a duration less than 10 minutes")));
  }
  seconds = std::min(seconds, kSecondsMax);
  access::TokenClaims claims;
  claims.name_space = op->info.name_space;
  claims.service_account = op->info.name;
  claims.service_account_uid = account->uid();
  for (const Value& audience : spec["audiences"].items()) {
    claims.audiences.push_back(audience.as_string());
  }
  if (auto ok = bind_claims(core, *op, spec["boundObjectRef"], claims); !ok) {
    return refuse(std::move(ok.error()));
  }
  claims.id = base::make_uuid(core.executor.random());
  claims.issued = core.now();
  claims.expires = claims.issued + std::chrono::seconds(seconds);
  const base::WallTime told = claims.expires;
  // Clients that do not read their token again lose it in a year, not in an hour.
  if (seconds == kBoundRequestSeconds && claims.bound && claims.bound->kind == "Pod" &&
      spec["audiences"][0].as_string() == core.config.api_audience) {
    claims.warn_after = told;
    claims.expires = claims.issued + std::chrono::seconds(kExtendedSeconds);
  }
  auto token = core.config.token_signer->sign(claims);
  if (!token) return refuse(schema::internal_error(token.error().message));
  spec.set("expirationSeconds", seconds);
  body->mutate("metadata").set("name", op->info.name);
  body->mutate("metadata").set("namespace", op->info.name_space);
  body->mutate("metadata").set("creationTimestamp", base::format_rfc3339(claims.issued));
  body->set("status", Value::object({{"token", *token},
                                     {"expirationTimestamp", base::format_rfc3339(told)}}));
  Outcome answer = document_outcome(std::move(*body), 201);
  answer.kind = kind;
  done(std::move(answer));
}

}  // namespace keelway::apiserver
