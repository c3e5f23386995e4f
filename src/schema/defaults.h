// Defaults: those of the tables (Shape::default_json), then those that the kind's hook knows.
#pragma once

#include "schema/kind.h"
#include "value/value.h"

namespace keelway::schema {

// Idempotent. Fills absent members of objects that are present; a default that is itself an object
// is filled in turn. Null where null is not allowed gets the default, too. Parts that `object`
// shares with `defaulted`, a document that went through here, are left alone.
void apply_defaults(const Kind& kind, value::Value& object,
                    const value::Value* defaulted = nullptr);

}  // namespace keelway::schema
