// The built-in kinds for targets: found by the apiVersion and kind that a document says.
#pragma once

#include <string_view>

#include "kinds/catalog.h"
#include "schema/kind.h"
#include "value/value.h"

namespace keelway::fuzz {

inline const schema::KindSetPtr& built_in() {
  static const schema::KindSetPtr kinds = kinds::catalog(kinds::minor_last);
  return kinds;
}

// Null where the document is of no kind that the set has.
inline const schema::Kind* kind_of(const schema::KindSet& kinds, const value::Value& document) {
  const std::string_view api_version = document["apiVersion"].as_string();
  const auto slash = api_version.find('/');
  const bool core = slash == std::string_view::npos;
  return kinds.by_kind(core ? std::string_view() : api_version.substr(0, slash),
                       core ? api_version : api_version.substr(slash + 1),
                       document["kind"].as_string());
}

inline constexpr base::WallTime now{1'767'323'045'000'000};

}  // namespace keelway::fuzz
