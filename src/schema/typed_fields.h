// Structured merge: what the fields of a typed document are, how two documents differ by path, how
// one is merged into the other, and what remains when paths are taken away.
#pragma once

#include <optional>
#include <string>

#include "schema/field_set.h"
#include "schema/kind.h"
#include "value/value.h"

namespace keelway::schema {

// How a value is owned. `leaf` covers scalars and everything atomic.
enum class Ownership { leaf, map, list_set, list_map };
// `shape` null: the type is unknown, objects are maps and the rest leaves.
Ownership ownership_of(const Shape* shape, const value::Value& v);

// The shape of a member; null where unknown. `field` is set if a table names the member.
const Shape* member_shape(const Shape* shape, std::string_view name, const Field** field = nullptr);

// The path element of a list's item, as FieldSet has it; empty if the item has no key.
std::string item_element(const Shape& list, const value::Value& item, Ownership ownership);

// The shape of a whole object. Lives as long as `kind`'s tables.
Shape root_shape(const Kind& kind);

FieldSet to_field_set(const Shape* shape, const value::Value& v);

struct Comparison {
  FieldSet added, modified, removed;
};
// `go`: built-in kinds, whose Go form writes some fields even when nobody set them.
Comparison compare(const Shape* shape, const value::Value& before, const value::Value& after,
                   bool go);
// What compare() finds added or modified, without the fields of `but`, which are not looked at.
FieldSet changed_fields(const Shape* shape, const value::Value& before, const value::Value& after,
                        bool go, const FieldSet& but);

// `config` wins; lists with keys keep the order of `config` with `live`'s own items in between.
value::Value merge_typed(const Shape* shape, const value::Value& live, const value::Value& config);

// Without the paths of `set`; null if nothing remains.
value::Value remove_items(const Shape* shape, const value::Value& v, const FieldSet& set);

// `set` with every struct field on the way to a member as a member itself.
FieldSet with_named_fields(const Shape* shape, const FieldSet& set);

// What keeps a document from being typed, in upstream's words (`.spec.x: field not declared in
// schema`); nullopt if nothing does.
std::optional<std::string> typing_error(const Shape* shape, const value::Value& v);

}  // namespace keelway::schema
