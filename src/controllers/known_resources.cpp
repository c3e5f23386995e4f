#include "controllers/known_resources.h"

#include <algorithm>

#include "client/resources.h"
#include "reconcile/conditions.h"

namespace keelway::controllers {
namespace {

std::string_view group_of(std::string_view api_version) {
  const std::size_t slash = api_version.find('/');
  return slash == std::string_view::npos ? std::string_view() : api_version.substr(0, slash);
}

}  // namespace

std::optional<client::Resource> resource_of_crd(const value::Value& crd) {
  const value::Value& spec = crd["spec"];
  if (!reconcile::is_condition_true(crd.at("status", "conditions"), "Established")) {
    return std::nullopt;
  }
  for (const value::Value& version : spec["versions"].items()) {
    if (!version["storage"].as_bool()) continue;
    return client::Resource{spec["group"].as_string(), version["name"].as_string(),
                            spec.at("names", "plural").as_string(),
                            spec.at("names", "kind").as_string(),
                            spec["scope"].as_string() != "Cluster"};
  }
  return std::nullopt;
}

KnownResources::KnownResources(std::vector<client::Resource> built_in) {
  for (client::Resource& resource : built_in) {
    if (resource.resource != "events") watched_.push_back(std::move(resource));
  }
}

std::vector<client::Resource> KnownResources::all(const client::View& view) const {
  std::vector<client::Resource> all = watched_;
  for (const client::ObjectPtr& crd : view.list(client::resources::crds)) {
    const auto resource = resource_of_crd(crd->value());
    if (resource && std::find(all.begin(), all.end(), *resource) == all.end()) {
      all.push_back(*resource);
    }
  }
  return all;
}

std::optional<client::Resource> KnownResources::of_kind(const client::View& view,
                                                        std::string_view api_version,
                                                        std::string_view kind) const {
  const std::string_view group = group_of(api_version);
  const auto is_it = [&](const client::Resource& r) { return r.group == group && r.kind == kind; };
  const auto found = std::find_if(watched_.begin(), watched_.end(), is_it);
  if (found != watched_.end()) return *found;
  for (const client::ObjectPtr& crd : view.list(client::resources::crds)) {
    // The name of a CRD ends with its group.
    if (group.empty() || !crd->name().ends_with(group)) continue;
    const auto resource = resource_of_crd(crd->value());
    if (resource && is_it(*resource)) return resource;
  }
  return std::nullopt;
}

std::optional<client::Resource> KnownResources::by_name(const client::View& view,
                                                        std::string_view name) const {
  for (const client::Resource& resource : watched_) {
    if (resource_key(resource) == name) return resource;
  }
  const client::ObjectPtr crd = view.get(client::resources::crds, "", name);
  return crd ? resource_of_crd(crd->value()) : std::nullopt;
}

std::string resource_key(const client::Resource& resource) {
  return resource.resource + "." + resource.group;
}

}  // namespace keelway::controllers
