// The Swagger 2.0 document of all served kinds, as JSON and as gnostic's protobuf, which is the
// only form that kubectl 1.27 and 1.28 accept.
#pragma once

#include <string>

#include "schema/kind.h"
#include "value/value.h"

namespace keelway::schema {

value::Value openapi_v2(const KindSet& kinds);
// openapi.v2.Document of gnostic; vendor extensions as YAML texts.
std::string openapi_v2_protobuf(const value::Value& swagger);

}  // namespace keelway::schema
