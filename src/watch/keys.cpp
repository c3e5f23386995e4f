#include "watch/keys.h"

namespace keelway::watch {
namespace {

// The position after the n-th slash, or npos.
std::size_t after_slash(std::string_view key, int n) {
  std::size_t at = 0;
  for (int i = 0; i < n; ++i) {
    at = key.find('/', at);
    if (at == std::string_view::npos) return at;
    ++at;
  }
  return at;
}

}  // namespace

std::string resource_prefix(std::string_view group, std::string_view resource) {
  if (group.empty()) group = "core";
  std::string prefix;
  prefix.reserve(group.size() + resource.size() + 3);
  return prefix.append("/").append(group).append("/").append(resource).append("/");
}

std::string namespace_prefix(std::string_view group, std::string_view resource,
                             std::string_view name_space) {
  return resource_prefix(group, resource).append(name_space).append("/");
}

std::string store_key(std::string_view group, std::string_view resource,
                      std::string_view name_space, std::string_view name) {
  return namespace_prefix(group, resource, name_space).append(name);
}

KeyParts split_key(std::string_view key) {
  KeyParts parts;
  std::string_view* const fields[] = {&parts.group, &parts.resource, &parts.name_space};
  if (!key.starts_with('/')) return parts;
  key.remove_prefix(1);
  for (std::string_view* field : fields) {
    const std::size_t slash = key.find('/');
    *field = key.substr(0, slash);
    if (slash == std::string_view::npos)
      key = {};
    else
      key.remove_prefix(slash + 1);
  }
  parts.name = key;
  if (parts.group == "core") parts.group = {};
  return parts;
}

std::string_view resource_prefix_of(std::string_view key) {
  return key.substr(0, after_slash(key, 3));
}

std::string_view namespace_prefix_of(std::string_view key) {
  return key.substr(0, after_slash(key, 4));
}

}  // namespace keelway::watch
