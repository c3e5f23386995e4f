#include "schema/kind.h"

#include <algorithm>

namespace keelway::schema {

const Field* Struct::find(std::string_view field_name) const {
  const auto at = std::ranges::lower_bound(fields, field_name, {}, &Field::name);
  return at != fields.end() && at->name == field_name ? &*at : nullptr;
}

std::string Kind::api_version() const {
  std::string text;
  text.reserve(group.size() + version.size() + 1);
  if (!group.empty()) text.append(group).append("/");
  return text.append(version);
}

}  // namespace keelway::schema
