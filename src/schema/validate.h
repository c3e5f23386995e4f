// Is this object valid, alone and as a successor of `old`? Errors come in upstream's order where
// that is cheap: metadata, then fields in the order of the tables, then the kind's hook.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "schema/kind.h"
#include "schema/status.h"
#include "value/value.h"

namespace keelway::schema {

// `old`: the stored object on an update, null on a create. The name of a create that has only
// generateName must be generated before. Empty: valid.
FieldErrors validate(const Kind& kind, const value::Value& object, const value::Value* old);

// Only metadata (what every kind shares).
void validate_metadata(const Kind& kind, const value::Value& metadata, const value::Value* old,
                       FieldErrors& errors);

// Builders for hooks.
FieldError required(std::string field, std::string detail = "");
FieldError invalid_value(std::string field, value::Value bad, std::string detail);
FieldError forbidden_field(std::string field, std::string detail);
FieldError duplicate_value(std::string field, value::Value bad);
FieldError not_supported(std::string field, value::Value bad, std::vector<std::string> supported);
FieldError too_long(std::string field, std::size_t length_max);
FieldError too_many(std::string field, std::size_t count, std::size_t count_max);

// Pieces that hooks of many kinds need. `field` is the path of what is checked.
void validate_labels(const value::Value& labels, const std::string& field, FieldErrors& errors);
void validate_label_selector(const value::Value& selector, const std::string& field,
                             FieldErrors& errors);
// "field is immutable" unless equal.
void validate_immutable(const value::Value& now, const value::Value& before,
                        const std::string& field, FieldErrors& errors);

}  // namespace keelway::schema
