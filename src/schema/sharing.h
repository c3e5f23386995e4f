// Documents share their parts: what a change did not touch is the very same vector as before, and
// need not be looked at again.
#pragma once

#include "value/value.h"

namespace keelway::schema {

// Whether two objects, or two arrays, are one in memory; a quick and certain "equal".
inline bool is_same(const value::Value& a, const value::Value& b) {
  if (a.is_object()) return b.is_object() && &a.members() == &b.members();
  return a.is_array() && b.is_array() && &a.items() == &b.items();
}

// What stands at the same place in `known`; null where there is nothing, or no `known`.
inline const value::Value* known_member(const value::Value* known, std::string_view name) {
  return known != nullptr ? known->find(name) : nullptr;
}
inline const value::Value* known_item(const value::Value* known, std::size_t index) {
  return known != nullptr && index < known->items().size() ? &known->items()[index] : nullptr;
}

}  // namespace keelway::schema
