// Which resources there are: those handed in, and the custom ones that CRDs in a view declare.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "client/client.h"
#include "client/view.h"

namespace keelway::controllers {

// The resource of an established CRD in its storage version; nullopt while it is not served.
std::optional<client::Resource> resource_of_crd(const value::Value& crd);

class KnownResources {
 public:
  explicit KnownResources(std::vector<client::Resource> built_in);

  // What one loop can watch: built-in ones without events, which come and go too fast to matter.
  const std::vector<client::Resource>& watched() const { return watched_; }
  // Built-in and custom, in the order of declaration.
  std::vector<client::Resource> all(const client::View& view) const;
  // By group and kind, any version.
  std::optional<client::Resource> of_kind(const client::View& view, std::string_view api_version,
                                          std::string_view kind) const;
  // By "resource.group" ("pods." for pods).
  std::optional<client::Resource> by_name(const client::View& view, std::string_view name) const;

 private:
  std::vector<client::Resource> watched_;
};

// "pods." or "deployments.apps": names a resource in keys.
std::string resource_key(const client::Resource& resource);

}  // namespace keelway::controllers
