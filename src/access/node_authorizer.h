// The rule for node identities (system:nodes, system:node:<name>): a node reads what the pods
// bound to it refer to, and writes what is its own. Role bindings say nothing about nodes.
#pragma once

#include <string>
#include <string_view>

#include "access/identity.h"
#include "client/view.h"

namespace keelway::access {

// The node's name, or empty where the identity is no node.
std::string_view node_name_of(const Identity& who);

class NodeAuthorizer final : public Authorizer {
 public:
  // The view holds pods, persistent volumes and claims.
  explicit NodeAuthorizer(const client::View& view) : view_(view) {}
  Decision authorize(const Identity& who, const Attributes& what) const override;

 private:
  const client::View& view_;
};

}  // namespace keelway::access
