// Validation of custom resources by their OpenAPI schema, in upstream's words.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "schema/status.h"
#include "value/value.h"

namespace keelway::schema {

// Appends what is wrong with `object`. What equals its counterpart in `old` (null on a create) is
// not judged again, so a schema may become stricter than the objects that exist.
// x-kubernetes-validations are not evaluated.
void check_json_schema(const value::Value& schema, const value::Value& object,
                       const value::Value* old, FieldErrors& errors);

// Does `text` hold the regular expression (unanchored)? nullopt: the expression is malformed or
// beyond RE2.
std::optional<bool> matches_pattern(const std::string& pattern, std::string_view text);

// What RE2 finds wrong with an expression, in Go's words as far as they agree; empty: fine.
std::string pattern_error(const std::string& pattern);

// A JSON value as Go's %#v prints a decoded one: map[string]interface {}{"a":1}.
std::string go_syntax(const value::Value& v);

}  // namespace keelway::schema
