// Who asks, and what they ask for.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace keelway::access {

struct Identity {
  std::string user;  // "kubernetes-admin", "system:serviceaccount:ns:name", "system:node:n"
  std::string uid;
  std::vector<std::string> groups;
  std::map<std::string, std::vector<std::string>> extra;

  bool in_group(std::string_view group) const;
};
// Shared by every request of one credential.
using IdentityPtr = std::shared_ptr<const Identity>;

// "system:anonymous" in "system:unauthenticated".
Identity anonymous();
// An in-process component of ours ("system:kube-controller-manager" ...), authenticated.
Identity component(std::string user, std::vector<std::string> groups = {});

// What is asked (authorization.k8s.io's ResourceAttributes or NonResourceAttributes).
struct Attributes {
  std::string verb;  // "get", "list", "watch", "create", "update", "patch", "delete" ...
  bool resource_request = true;
  std::string name_space, group, version, resource, subresource, name;
  std::string path;  // non-resource requests
  std::string field_selector, label_selector;
};

struct Decision {
  enum class Kind { allow, deny, no_opinion } kind = Kind::no_opinion;
  std::string reason;
};

// Synchronous: reads only what is in memory. Lives on the API server's executor.
class Authorizer {
 public:
  virtual ~Authorizer() = default;
  virtual Decision authorize(const Identity& who, const Attributes& what) const = 0;
};

}  // namespace keelway::access
