// Is an openAPIV3Schema of a CustomResourceDefinition one that pruning, defaults and list types can
// rely on? Upstream calls such a schema structural.
#pragma once

#include <string>

#include "schema/status.h"
#include "value/value.h"

namespace keelway::schema {

// `path`: where the schema stands ("spec.validation.openAPIV3Schema").
void check_structural(const value::Value& schema, const std::string& path, FieldErrors& errors);

}  // namespace keelway::schema
