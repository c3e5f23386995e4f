// How objects are named in the store: "/<group>/<resource>/<namespace>/<name>".
#pragma once

#include <string>
#include <string_view>

namespace keelway::watch {

// The core group is written "core". Cluster-scoped objects have an empty namespace part, so a
// resource's keys sort by "<namespace>/<name>" in byte order, as upstream's do.
std::string store_key(std::string_view group, std::string_view resource,
                      std::string_view name_space, std::string_view name);
// "/core/pods/": every object of the resource.
std::string resource_prefix(std::string_view group, std::string_view resource);
// "/core/pods/default/": those of one namespace.
std::string namespace_prefix(std::string_view group, std::string_view resource,
                             std::string_view name_space);

// Views into `key`; parts that are not there are empty. The core group reads as "".
struct KeyParts {
  std::string_view group, resource, name_space, name;
};
KeyParts split_key(std::string_view key);
// The leading "/<group>/<resource>/" of a key, or all of it where it has fewer parts.
std::string_view resource_prefix_of(std::string_view key);
// The leading "/<group>/<resource>/<namespace>/" of a key, or all of it.
std::string_view namespace_prefix_of(std::string_view key);

}  // namespace keelway::watch
