#include "apiserver/discovery/documents.h"

#include <algorithm>

#include "apiserver/strategy/subresources.h"
#include "schema/crd.h"

namespace keelway::apiserver {
namespace {

using value::Array;
using value::Value;

std::string group_version(std::string_view group, std::string_view version) {
  return group.empty() ? std::string(version) : std::string(group) + "/" + std::string(version);
}

Value words(std::span<const std::string_view> texts) {
  std::vector<std::string> sorted(texts.begin(), texts.end());
  return Value(Array(sorted.begin(), sorted.end()));
}

Value version_entry(std::string_view group, std::string_view version) {
  return Value::object(
      {{"groupVersion", group_version(group, version)}, {"version", std::string(version)}});
}

// Kinds served at one group and version, by resource.
std::vector<const schema::Kind*> kinds_at(const schema::KindSet& kinds, std::string_view group,
                                          std::string_view version) {
  std::vector<const schema::Kind*> found;
  for (const schema::Kind* kind : kinds.all()) {
    if (kind->group == group && kind->version == version && !kind->verbs.empty() &&
        !kind->resource.empty()) {
      found.push_back(kind);
    }
  }
  std::sort(found.begin(), found.end(),
            [](const schema::Kind* a, const schema::Kind* b) { return a->resource < b->resource; });
  return found;
}

Value resource_entry(const schema::Kind& kind) {
  Value entry = Value::object({{"name", std::string(kind.resource)},
                               {"singularName", std::string(kind.singular)},
                               {"namespaced", kind.namespaced},
                               {"kind", std::string(kind.kind)},
                               {"verbs", words(kind.verbs)}});
  if (!kind.short_names.empty()) entry.set("shortNames", words(kind.short_names));
  if (!kind.categories.empty()) entry.set("categories", words(kind.categories));
  return entry;
}

Value subresource_entry(const schema::Kind& kind, const SubresourceFacts& facts) {
  Value entry = Value::object({{"name", std::string(kind.resource) + "/" + std::string(facts.name)},
                               {"singularName", ""},
                               {"namespaced", kind.namespaced},
                               {"kind", std::string(facts.kind.empty() ? kind.kind : facts.kind)},
                               {"verbs", words(facts.verbs)}});
  if (!facts.kind.empty() && (facts.group != kind.group || facts.version != kind.version)) {
    if (!facts.group.empty()) entry.set("group", std::string(facts.group));
    entry.set("version", std::string(facts.version));
  }
  return entry;
}

Value response_kind(std::string_view group, std::string_view version, std::string_view kind) {
  return Value::object({{"group", std::string(group)},
                        {"version", std::string(version)},
                        {"kind", std::string(kind)}});
}

Value aggregated_subresource(const schema::Kind& kind, const SubresourceFacts& facts) {
  const bool own = facts.kind.empty();
  return Value::object(
      {{"subresource", std::string(facts.name)},
       {"responseKind", own ? response_kind(kind.group, kind.version, kind.kind)
                            : response_kind(facts.group, facts.version, facts.kind)},
       {"verbs", words(facts.verbs)}});
}

Value aggregated_resource(const schema::Kind& kind) {
  Value entry = Value::object({{"resource", std::string(kind.resource)},
                               {"responseKind", response_kind(kind.group, kind.version, kind.kind)},
                               {"scope", kind.namespaced ? "Namespaced" : "Cluster"},
                               {"singularResource", std::string(kind.singular)},
                               {"verbs", words(kind.verbs)}});
  if (!kind.short_names.empty()) entry.set("shortNames", words(kind.short_names));
  if (!kind.categories.empty()) entry.set("categories", words(kind.categories));
  for (const std::string_view name : kind.subresources) {
    if (const SubresourceFacts* facts = subresource_facts(name)) {
      entry.mutate("subresources").push(aggregated_subresource(kind, *facts));
    }
  }
  return entry;
}

}  // namespace

std::vector<GroupVersions> served_groups(const schema::KindSet& kinds) {
  std::vector<GroupVersions> groups;
  for (const schema::Kind* kind : kinds.all()) {
    if (kind->verbs.empty() || kind->resource.empty()) continue;
    auto found = std::find_if(groups.begin(), groups.end(),
                              [&](const GroupVersions& g) { return g.group == kind->group; });
    if (found == groups.end()) {
      groups.push_back({std::string(kind->group), {}});
      found = groups.end() - 1;
    }
    auto& versions = found->versions;
    if (std::find(versions.begin(), versions.end(), kind->version) == versions.end()) {
      versions.emplace_back(kind->version);
    }
  }
  for (GroupVersions& group : groups) {
    std::stable_sort(group.versions.begin(), group.versions.end(),
                     [](const std::string& a, const std::string& b) {
                       return schema::version_comes_first(a, b);
                     });
  }
  return groups;
}

Value api_versions(const std::string& server_address) {
  const Value address =
      Value::object({{"clientCIDR", "0.0.0.0/0"}, {"serverAddress", server_address}});
  return Value::object({{"kind", "APIVersions"},
                        {"versions", Value::array({Value("v1")})},
                        {"serverAddressByClientCIDRs", Value::array({address})}});
}

Value api_group(const GroupVersions& group) {
  Value entry = Value::object({{"kind", "APIGroup"}, {"apiVersion", "v1"}, {"name", group.group}});
  for (const std::string& version : group.versions) {
    entry.mutate("versions").push(version_entry(group.group, version));
  }
  entry.set("preferredVersion", version_entry(group.group, group.versions.front()));
  return entry;
}

Value api_group_list(const schema::KindSet& kinds) {
  Value list = Value::object({{"kind", "APIGroupList"}, {"apiVersion", "v1"}});
  list.set("groups", Value::array());
  for (const GroupVersions& group : served_groups(kinds)) {
    if (group.group.empty()) continue;
    Value entry = api_group(group);
    entry.erase("kind");
    entry.erase("apiVersion");
    list.mutate("groups").push(std::move(entry));
  }
  return list;
}

Value api_resource_list(const schema::KindSet& kinds, std::string_view group,
                        std::string_view version) {
  Array resources;
  for (const schema::Kind* kind : kinds_at(kinds, group, version)) {
    resources.push_back(resource_entry(*kind));
    for (const std::string_view name : kind->subresources) {
      if (const SubresourceFacts* facts = subresource_facts(name)) {
        resources.push_back(subresource_entry(*kind, *facts));
      }
    }
  }
  if (resources.empty()) return {};
  return Value::object({{"kind", "APIResourceList"},
                        {"apiVersion", "v1"},
                        {"groupVersion", group_version(group, version)},
                        {"resources", Value(std::move(resources))}});
}

Value aggregated_discovery(const schema::KindSet& kinds, bool core, std::string_view version) {
  Value list = Value::object({{"kind", "APIGroupDiscoveryList"},
                              {"apiVersion", "apidiscovery.k8s.io/" + std::string(version)},
                              {"metadata", Value::object()},
                              {"items", Value::array()}});
  for (const GroupVersions& group : served_groups(kinds)) {
    if (group.group.empty() != core) continue;
    Value entry = Value::object({{"metadata", Value::object({{"creationTimestamp", nullptr}})}});
    if (!core) entry.mutate("metadata").set("name", group.group);
    for (const std::string& served : group.versions) {
      Value one = Value::object({{"version", served}, {"freshness", "Current"}});
      for (const schema::Kind* kind : kinds_at(kinds, group.group, served)) {
        one.mutate("resources").push(aggregated_resource(*kind));
      }
      entry.mutate("versions").push(std::move(one));
    }
    list.mutate("items").push(std::move(entry));
  }
  return list;
}

}  // namespace keelway::apiserver
