#include "schema/defaults.h"

#include "base/error.h"
#include "schema/sharing.h"
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

bool is_absent(const Field& field, const Value* present) {
  return present == nullptr || (present->is_null() && !field.shape.nullable);
}

void fill(const Shape& shape, Value& v, int depth);
bool lacks(const Shape& shape, const Value& v, const Value* known, int depth);

bool has_members(const Value& v) {
  return v.is_object() || v.is_array();
}

void fill_members(const Struct& type, Value& v, int depth) {
  if (!v.is_object() || depth > kDepthMax) return;
  for (const Field& field : type.fields) {
    if (field.shape.default_json.empty()) continue;
    if (is_absent(field, v.find(field.name))) {
      v.set(field.name, parse_default(field.shape.default_json));
    }
  }
  // Documents have few of the members that their types have.
  for (std::size_t i = 0; i < v.members().size(); ++i) {
    const value::Member& member = v.members()[i];
    if (!has_members(member.second)) continue;
    const Field* field = type.find(member.first);
    if (field == nullptr || !lacks(field->shape, member.second, nullptr, depth + 1)) continue;
    fill(field->shape, v.mutable_members()[i].second, depth + 1);
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

bool lacks_members(const Struct& type, const Value& v, const Value* known, int depth) {
  if (!v.is_object() || depth > kDepthMax) return false;
  for (const Field& field : type.fields) {
    if (!field.shape.default_json.empty() && is_absent(field, v.find(field.name))) return true;
  }
  for (const value::Member& member : v.members()) {
    if (!has_members(member.second)) continue;
    const Field* field = type.find(member.first);
    if (field == nullptr) continue;
    if (lacks(field->shape, member.second, known_member(known, member.first), depth + 1)) {
      return true;
    }
  }
  return false;
}

// Whether fill() would find something to do. To fill is to copy what is shared, needed or not.
bool lacks(const Shape& shape, const Value& v, const Value* known, int depth) {
  if (known != nullptr && is_same(v, *known)) return false;
  if (shape.type == FieldType::object && shape.object != nullptr) {
    return lacks_members(*shape.object, v, known, depth);
  }
  if (shape.element == nullptr || !has_defaults_below(*shape.element)) return false;
  if (shape.type == FieldType::array && v.is_array()) {
    for (std::size_t i = 0; i < v.items().size(); ++i) {
      if (lacks(*shape.element, v.items()[i], known_item(known, i), depth + 1)) return true;
    }
  } else if (shape.type == FieldType::map && v.is_object()) {
    for (const value::Member& member : v.members()) {
      const Value* before = known_member(known, member.first);
      if (lacks(*shape.element, member.second, before, depth + 1)) return true;
    }
  }
  return false;
}

// Hooks look at everything but metadata.
bool is_known(const Value& object, const Value* defaulted) {
  if (defaulted == nullptr || object.size() != defaulted->size()) return false;
  for (const value::Member& member : object.members()) {
    const Value* before = defaulted->find(member.first);
    if (before == nullptr) return false;
    if (member.first == "metadata") continue;
    if (has_members(member.second) ? !is_same(member.second, *before)
                                   : !(member.second == *before)) {
      return false;
    }
  }
  return true;
}

}  // namespace

void apply_defaults(const Kind& kind, Value& object, const Value* defaulted) {
  if (kind.root != nullptr && lacks_members(*kind.root, object, defaulted, 0)) {
    fill_members(*kind.root, object, 0);
  }
  if (is_known(object, defaulted)) return;
  if (kind.hooks != nullptr && kind.hooks->apply_defaults != nullptr) {
    kind.hooks->apply_defaults(kind, object);
  }
}

}  // namespace keelway::schema
