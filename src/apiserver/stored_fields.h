// Reading single fields out of compact JSON without parsing the rest: what selectors and indexes
// do for every object that goes by. The bytes are those that this program stored.
#pragma once

#include <string>
#include <string_view>

#include "schema/object.h"

namespace keelway::apiserver {

// The text of the member at a dotted path of members ("spec.nodeName"): strings without quotes and
// escapes, scalars as they stand, empty where absent or no scalar.
std::string read_field(const schema::Object& object, std::string_view dotted_path);

// The document with resourceVersion, parsed for this call alone: nothing stays with the object.
value::Value transient_value(const schema::Object& object);

}  // namespace keelway::apiserver
