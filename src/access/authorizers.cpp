#include "access/authorizers.h"

#include <fmt/core.h>

namespace keelway::access {

Decision MastersAuthorizer::authorize(const Identity& who, const Attributes&) const {
  if (who.in_group("system:masters")) return {Decision::Kind::allow, ""};
  return {};
}

Decision AuthorizerUnion::authorize(const Identity& who, const Attributes& what) const {
  std::string reasons;
  for (const Authorizer* part : parts_) {
    Decision decision = part->authorize(who, what);
    if (decision.kind != Decision::Kind::no_opinion) return decision;
    if (decision.reason.empty()) continue;
    if (!reasons.empty()) reasons += '\n';
    reasons += decision.reason;
  }
  return {Decision::Kind::no_opinion, std::move(reasons)};
}

std::string denial_text(const Identity& who, const Attributes& what) {
  if (!what.resource_request) {
    return fmt::format("User \"{}\" cannot {} path \"{}\"", who.user, what.verb, what.path);
  }
  const std::string resource =
      what.subresource.empty() ? what.resource : what.resource + "/" + what.subresource;
  const std::string scope = what.name_space.empty()
                                ? "at the cluster scope"
                                : fmt::format("in the namespace \"{}\"", what.name_space);
  return fmt::format("User \"{}\" cannot {} resource \"{}\" in API group \"{}\" {}", who.user,
                     what.verb, resource, what.group, scope);
}

schema::Status denial(const Identity& who, const Attributes& what, const Decision& decision) {
  std::string why = denial_text(who, what);
  if (!decision.reason.empty()) why += ": " + decision.reason;
  if (!what.resource_request) return schema::forbidden("", "", "", why);
  return schema::forbidden(what.group, what.resource, what.name, why);
}

schema::Answer<void> require(const Authorizer& authorizer, const Identity& who,
                             const Attributes& what) {
  const Decision decision = authorizer.authorize(who, what);
  if (decision.kind == Decision::Kind::allow) return {};
  return std::unexpected(denial(who, what, decision));
}

}  // namespace keelway::access
