// Nothing is made in a namespace that is missing or going away; three namespaces never go.
#include <fmt/core.h>

#include "admission/plugins.h"
#include "client/resources.h"

namespace keelway::admission {
namespace {

namespace resources = client::resources;

bool immortal(std::string_view name) {
  return name == "default" || name == "kube-system" || name == "kube-public";
}

class NamespaceLifecycle final : public Plugin {
 public:
  std::string_view name() const override { return "NamespaceLifecycle"; }

  // In the first phase, so that later plugins may take the namespace for granted.
  schema::Answer<void> mutate(Request& request, const Context& context) const override {
    if (request.is(resources::namespaces)) {
      if (request.operation == Operation::remove && immortal(request.name)) {
        return forbid(request, "this namespace may not be deleted");
      }
      return {};
    }
    if (request.name_space.empty() || request.operation == Operation::remove ||
        request.operation == Operation::connect || is_access_review(request)) {
      return {};
    }
    const auto found = context.view.get(resources::namespaces, "", request.name_space);
    if (!found) {
      return std::unexpected(schema::not_found("", "namespaces", request.name_space));
    }
    if (request.operation != Operation::create || !found->deleting()) return {};
    auto refused =
        forbid(request, fmt::format("unable to create new content in namespace {} because it is "
                                    "being terminated",
                                    request.name_space));
    refused.error().causes.push_back(
        {"NamespaceTerminating",
         fmt::format("namespace {} is being terminated", request.name_space),
         "metadata.namespace"});
    return refused;
  }

 private:
  static bool is_access_review(const Request& request) {
    return request.resource.group == "authorization.k8s.io" &&
           request.resource.resource == "localsubjectaccessreviews";
  }
};

}  // namespace

std::unique_ptr<Plugin> namespace_lifecycle() {
  return std::make_unique<NamespaceLifecycle>();
}

}  // namespace keelway::admission
