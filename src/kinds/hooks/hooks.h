// What the YAML of a built-in kind cannot say: defaults that depend on other fields, what the
// server sets on a write, and rules across fields. Null where a kind needs none.
#pragma once

#include <string_view>

#include "schema/kind.h"

namespace keelway::kinds {

using ApplyDefaults = void (*)(const schema::Kind&, value::Value& object);
using Prepare = void (*)(const schema::Kind&, value::Value& object, const value::Value* old);
using Validate = void (*)(const schema::Kind&, const value::Value& object, const value::Value* old,
                          schema::FieldErrors& errors);

// `api_version`: "v1", "apps/v1".
ApplyDefaults apply_defaults_of(std::string_view api_version, std::string_view kind);
Prepare prepare_of(std::string_view api_version, std::string_view kind);
Validate validate_of(std::string_view api_version, std::string_view kind);

}  // namespace keelway::kinds
