#include "kinds/filter.h"

#include <algorithm>

#include "kinds/tables.h"

namespace keelway::kinds {
namespace {

bool all_served(int minor) {
  for (const tables::File* file : tables::files()) {
    for (const schema::Struct* one : file->structs) {
      const bool whole = std::ranges::all_of(one->fields, [minor](const schema::Field& field) {
        return served(minor, field.since, field.until);
      });
      if (!whole) return false;
    }
  }
  return true;
}

}  // namespace

const schema::Struct* FilteredStructs::of(const schema::Struct* original) {
  if (original == nullptr) return nullptr;
  if (made_.empty() && structs_.empty() && all_served(minor_)) return original;
  const auto known = made_.find(original);
  if (known != made_.end()) return known->second;
  // Entered before its fields are copied: schemas may name themselves.
  schema::Struct& made = structs_.emplace_back(*original);
  made_[original] = &made;
  std::vector<schema::Field>& fields = fields_.emplace_back();
  std::vector<std::uint16_t> place_of;  // in `fields`, by place in the original
  for (const schema::Field& field : original->fields) {
    place_of.push_back(static_cast<std::uint16_t>(fields.size()));
    if (!served(minor_, field.since, field.until)) continue;
    schema::Field one = field;
    one.shape = copy(field.shape);
    fields.push_back(one);
  }
  made.fields = fields;
  std::vector<std::uint16_t>& order = orders_.emplace_back();
  for (const std::uint16_t place : original->proto_order) {
    const schema::Field& field = original->fields[place];
    if (served(minor_, field.since, field.until)) order.push_back(place_of[place]);
  }
  made.proto_order = order;
  return &made;
}

schema::Shape FilteredStructs::copy(const schema::Shape& original) {
  schema::Shape made = original;
  made.object = of(original.object);
  if (original.element != nullptr) {
    made.element = &shapes_.emplace_back(copy(*original.element));
  }
  return made;
}

}  // namespace keelway::kinds
