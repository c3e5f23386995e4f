// May you: an ordered union, and the words of a refusal.
#pragma once

#include <string>
#include <vector>

#include "access/identity.h"
#include "schema/status.h"

namespace keelway::access {

// Everything for members of system:masters, no opinion on others.
class MastersAuthorizer final : public Authorizer {
 public:
  Decision authorize(const Identity& who, const Attributes& what) const override;
};

// The first allow or deny decides; reasons of those without an opinion are joined. The parts
// outlive the union.
class AuthorizerUnion final : public Authorizer {
 public:
  explicit AuthorizerUnion(std::vector<const Authorizer*> parts) : parts_(std::move(parts)) {}
  Decision authorize(const Identity& who, const Attributes& what) const override;

 private:
  std::vector<const Authorizer*> parts_;
};

// `User "u" cannot get resource "pods" in API group "" in the namespace "default"`.
std::string denial_text(const Identity& who, const Attributes& what);
// The 403 that a refused request is answered with.
schema::Status denial(const Identity& who, const Attributes& what, const Decision& decision);
// authorize(), with anything but allow turned into the 403.
schema::Answer<void> require(const Authorizer& authorizer, const Identity& who,
                             const Attributes& what);

}  // namespace keelway::access
