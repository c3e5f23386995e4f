// Validation of custom resources by their OpenAPI schema, in upstream's words.
#pragma once

#include <string>

#include "schema/patterns.h"
#include "schema/status.h"
#include "value/value.h"

namespace keelway::schema {

// Appends what is wrong with `object`. What equals its counterpart in `old` (null on a create) is
// not judged again, so a schema may become stricter than the objects that exist.
// x-kubernetes-validations are not evaluated.
void check_json_schema(const value::Value& schema, const value::Value& object,
                       const value::Value* old, Patterns& patterns, FieldErrors& errors);

// A JSON value as Go's %#v prints a decoded one: map[string]interface {}{"a":1}.
std::string go_syntax(const value::Value& v);

}  // namespace keelway::schema
