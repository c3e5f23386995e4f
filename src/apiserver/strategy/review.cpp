// Reviews: questions about identities and permissions, answered and forgotten.
#include "apiserver/routing.h"
#include "apiserver/strategy/handlers.h"
#include "apiserver/verbs/shape.h"
#include "apiserver/verbs/verbs.h"

namespace keelway::apiserver {
namespace {

Value strings(const std::vector<std::string>& texts) {
  value::Array items(texts.begin(), texts.end());
  return Value(std::move(items));
}

Value user_info(const access::Identity& who) {
  Value user = Value::object({{"username", who.user}});
  if (!who.uid.empty()) user.set("uid", who.uid);
  if (!who.groups.empty()) user.set("groups", strings(who.groups));
  for (const auto& [key, texts] : who.extra) user.mutate("extra").set(key, strings(texts));
  return user;
}

access::Identity identity_of(const Value& spec) {
  access::Identity who;
  who.user = spec["user"].as_string();
  who.uid = spec["uid"].as_string();
  for (const Value& group : spec["groups"].items()) who.groups.push_back(group.as_string());
  for (const auto& [key, texts] : spec["extra"].members()) {
    for (const Value& text : texts.items()) who.extra[key].push_back(text.as_string());
  }
  return who;
}

access::Attributes attributes_of_spec(const Value& spec) {
  access::Attributes what;
  const Value& resource = spec["resourceAttributes"];
  what.resource_request = resource.is_object();
  if (!what.resource_request) {
    what.verb = spec.at("nonResourceAttributes", "verb").as_string();
    what.path = spec.at("nonResourceAttributes", "path").as_string();
    return what;
  }
  what.verb = resource["verb"].as_string();
  what.name_space = resource["namespace"].as_string();
  what.group = resource["group"].as_string();
  what.version = resource["version"].as_string();
  what.resource = resource["resource"].as_string();
  what.subresource = resource["subresource"].as_string();
  what.name = resource["name"].as_string();
  what.field_selector = resource.at("fieldSelector", "rawSelector").as_string();
  what.label_selector = resource.at("labelSelector", "rawSelector").as_string();
  return what;
}

Answer<void> answer_access(Core& core, const Operation& op, Value& review) {
  const Value& spec = review["spec"];
  if (spec["resourceAttributes"].is_object() == spec["nonResourceAttributes"].is_object()) {
    return std::unexpected(schema::invalid(
        "authorization.k8s.io", op.kind->kind, "",
        {{schema::FieldError::Type::invalid,
          "spec.resourceAttributes",
          spec["nonResourceAttributes"],
          "exactly one of nonResourceAttributes or resourceAttributes must be specified",
          {}}}));
  }
  access::Attributes what = attributes_of_spec(spec);
  if (op.kind->kind == "LocalSubjectAccessReview" && what.name_space != op.info.name_space) {
    return std::unexpected(schema::invalid("authorization.k8s.io", op.kind->kind, "",
                                           {{schema::FieldError::Type::invalid,
                                             "spec.resourceAttributes.namespace",
                                             Value(what.name_space),
                                             "must match metadata.namespace",
                                             {}}}));
  }
  const access::Identity who =
      op.kind->kind == "SelfSubjectAccessReview" ? *op.who : identity_of(spec);
  const access::Decision decision = core.authorizer.authorize(who, what);
  Value status = Value::object({{"allowed", decision.kind == access::Decision::Kind::allow}});
  if (decision.kind == access::Decision::Kind::deny) status.set("denied", true);
  if (!decision.reason.empty()) status.set("reason", decision.reason);
  review.set("status", std::move(status));
  return {};
}

void answer_token(Core& core, Value& review) {
  const Value spec = review["spec"];
  Value status = Value::object();
  const std::string bearer = "Bearer " + spec["token"].as_string();
  std::vector<std::string> audiences;
  for (const Value& audience : spec["audiences"].items()) audiences.push_back(audience.as_string());
  const auto& verifier = core.config.token_verifier;
  if (verifier && verifier->claims_issuer(spec["token"].as_string())) {
    auto verified = verifier->verify(spec["token"].as_string(), core.now(), core.view, audiences);
    if (verified) {
      access::Identity who = std::move(verified->identity);
      who.groups.emplace_back("system:authenticated");
      status.set("authenticated", true);
      status.set("user", user_info(who));
      status.set("audiences", strings(verified->audiences));
    } else {
      status.set("error", "[invalid bearer token, " + verified.error().message + "]");
    }
  } else if (!spec["token"].as_string().empty()) {
    access::Credentials credentials;
    credentials.authorization = bearer;
    credentials.now = core.now();
    if (auto who = core.authenticator->authenticate(credentials)) {
      status.set("authenticated", true);
      status.set("user", user_info(**who));
    } else {
      status.set("error", "[invalid bearer token, Token has been invalidated]");
    }
  }
  review.set("status", std::move(status));
}

}  // namespace

void answer_review(Core& core, OperationPtr op, OutcomeCallback done) {
  auto body = read_object(*op, *op->kind);
  if (!body) return done(std::unexpected(std::move(body.error())));
  Value review = std::move(*body);
  const std::string_view kind = op->kind->kind;
  if (kind == "TokenReview") {
    answer_token(core, review);
  } else if (kind == "SelfSubjectReview") {
    review.mutate("metadata").set("creationTimestamp", base::format_rfc3339(core.now()));
    review.set("status", Value::object({{"userInfo", user_info(*op->who)}}));
  } else if (kind == "SelfSubjectRulesReview") {
    review.set("status",
               core.rbac.rules_review(*op->who, review.at("spec", "namespace").as_string()));
  } else if (auto ok = answer_access(core, *op, review); !ok) {
    return done(std::unexpected(std::move(ok.error())));
  }
  if (!review["metadata"].is_object()) review.set("metadata", Value::object());
  done(document_outcome(std::move(review), 201));
}

}  // namespace keelway::apiserver
