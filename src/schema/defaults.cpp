#include "schema/defaults.h"

#include "base/error.h"
#include "value/json.h"

namespace keelway::schema {
namespace {

using value::Value;

// Deep enough for every schema; a recursive one ends where its document ends.
constexpr int kDepthMax = 128;

Value parse_default(std::string_view text) {
  if (text == "{}") return Value::object();
  auto parsed = value::parse_json(text);
  KEELWAY_INVARIANT(parsed.has_value(), "a default that is no JSON: " + std::string(text));
  return std::move(*parsed);
}

void fill(const Shape& shape, Value& v, int depth);

bool has_members(const Value& v) {
  return v.is_object() || v.is_array();
}

void fill_members(const Struct& type, Value& v, int depth) {
  if (!v.is_object() || depth > kDepthMax) return;
  for (const Field& field : type.fields) {
    if (field.shape.default_json.empty()) continue;
    const Value* present = v.find(field.name);
    const bool absent = present == nullptr || (present->is_null() && !field.shape.nullable);
    if (absent) v.set(field.name, parse_default(field.shape.default_json));
  }
  // Documents have few of the members that their types have.
  for (value::Member& member : v.mutable_members()) {
    if (!has_members(member.second)) continue;
    if (const Field* field = type.find(member.first)) fill(field->shape, member.second, depth + 1);
  }
}

bool has_defaults_below(const Shape& element) {
  return element.type == FieldType::object || element.type == FieldType::array ||
         element.type == FieldType::map;
}

void fill(const Shape& shape, Value& v, int depth) {
  if (shape.type == FieldType::object && shape.object != nullptr) {
    fill_members(*shape.object, v, depth);
  } else if (shape.element == nullptr || !has_defaults_below(*shape.element)) {
    return;
  } else if (shape.type == FieldType::array && v.is_array()) {
    for (Value& item : v.mutable_items()) fill(*shape.element, item, depth + 1);
  } else if (shape.type == FieldType::map && v.is_object()) {
    for (value::Member& member : v.mutable_members())
      fill(*shape.element, member.second, depth + 1);
  }
}

}  // namespace

void apply_defaults(const Kind& kind, Value& object) {
  if (kind.root != nullptr) fill_members(*kind.root, object, 0);
  if (kind.hooks != nullptr && kind.hooks->apply_defaults != nullptr) {
    kind.hooks->apply_defaults(kind, object);
  }
}

}  // namespace keelway::schema
