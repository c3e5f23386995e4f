#include "watch/keys.h"

#include <initializer_list>

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

std::string_view group_part(std::string_view group) {
  return group.empty() ? "core" : group;
}

// A slash before each part.
std::string joined(std::initializer_list<std::string_view> parts) {
  std::size_t size = parts.size();
  for (const std::string_view part : parts) size += part.size();
  std::string key;
  key.reserve(size);
  for (const std::string_view part : parts) key.append(1, '/').append(part);
  return key;
}

}  // namespace

std::string resource_prefix(std::string_view group, std::string_view resource) {
  return joined({group_part(group), resource, ""});
}

std::string namespace_prefix(std::string_view group, std::string_view resource,
                             std::string_view name_space) {
  return joined({group_part(group), resource, name_space, ""});
}

std::string store_key(std::string_view group, std::string_view resource,
                      std::string_view name_space, std::string_view name) {
  return joined({group_part(group), resource, name_space, name});
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
