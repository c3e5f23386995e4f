#include "schema/typed_walk.h"

#include <fmt/core.h>

#include <cmath>
#include <limits>

#include "base/encoding.h"
#include "base/quantity.h"
#include "base/time.h"
#include "value/json.h"

namespace keelway::schema {
namespace {

using value::Type;
using value::Value;

constexpr std::size_t kUnknownMax = 100;  // upstream stops counting there, too

std::string number_literal(const Value& v) {
  if (v.is_int()) return std::to_string(v.as_int());
  const double number = v.as_double();
  if (std::floor(number) == number && std::fabs(number) < 1e15)
    return fmt::format("{:.1f}", number);
  return value::to_json(v);
}

std::string json_kind(const Value& v) {
  switch (v.type()) {
    case Type::null:
      return "null";
    case Type::boolean:
      return "bool";
    case Type::integer:
    case Type::number:
      return "number";
    case Type::string:
      return "string";
    case Type::array:
      return "array";
    case Type::object:
      return "object";
  }
  return "";
}

// "io.k8s.api.core.v1.PodSpec" -> "PodSpec".
std::string_view short_name(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  return dot == name.npos ? name : name.substr(dot + 1);
}

// -> "v1.PodSpec".
std::string_view go_struct_name(std::string_view name) {
  const std::size_t dot = name.rfind('.');
  if (dot == name.npos || dot == 0) return name;
  const std::size_t before = name.rfind('.', dot - 1);
  return before == name.npos ? name : name.substr(before + 1);
}

std::string go_type(const Shape& shape) {
  switch (shape.type) {
    case FieldType::object:
      return std::string(go_struct_name(shape.object->name));
    case FieldType::array:
      return "[]" + (shape.element ? go_type(*shape.element) : "interface {}");
    case FieldType::map:
      return "map[string]" + (shape.element ? go_type(*shape.element) : "interface {}");
    case FieldType::string:
      return "string";
    case FieldType::integer:
      return shape.format_int32 ? "int32" : "int64";
    case FieldType::number:
      return "float64";
    case FieldType::boolean:
      return "bool";
    case FieldType::bytes:
      return "[]uint8";
    case FieldType::int_or_string:
      return "intstr.IntOrString";
    case FieldType::quantity:
      return "resource.Quantity";
    case FieldType::time:
      return "v1.Time";
    case FieldType::micro_time:
      return "v1.MicroTime";
    case FieldType::duration:
      return "v1.Duration";
    case FieldType::any:
      return "interface {}";
  }
  return "";
}

bool all_digits(std::string_view text) {
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
  }
  return !text.empty();
}

// Go's time.Parse error for the RFC 3339 layouts: names the first piece that does not fit.
std::string time_error(std::string_view text, bool micro) {
  const std::string layout =
      micro ? "2006-01-02T15:04:05.000000Z07:00" : "2006-01-02T15:04:05Z07:00";
  struct Piece {
    std::string_view text;
    std::size_t digits;  // 0: literal
  };
  static constexpr Piece pieces[] = {{"2006", 4}, {"-", 0}, {"01", 2}, {"-", 0},
                                     {"02", 2},   {"T", 0}, {"15", 2}, {":", 0},
                                     {"04", 2},   {":", 0}, {"05", 2}};
  std::string_view rest = text;
  const auto stop = [&](std::string_view piece) {
    return fmt::format("parsing time \"{}\" as \"{}\": cannot parse \"{}\" as \"{}\"", text, layout,
                       rest, piece);
  };
  for (const Piece& piece : pieces) {
    if (piece.digits == 0) {
      if (!rest.starts_with(piece.text)) return stop(piece.text);
      rest.remove_prefix(1);
    } else {
      if (rest.size() < piece.digits || !all_digits(rest.substr(0, piece.digits))) {
        return stop(piece.text);
      }
      rest.remove_prefix(piece.digits);
    }
  }
  if (micro) {
    if (rest.size() < 7 || rest[0] != '.' || !all_digits(rest.substr(1, 6))) return stop(".000000");
    rest.remove_prefix(7);
  }
  return stop("Z07:00");
}

bool has_six_digits(std::string_view text) {
  const std::size_t dot = text.find('.');
  if (dot == text.npos || text.size() < dot + 8) return false;
  return all_digits(text.substr(dot + 1, 6)) && (text[dot + 7] < '0' || text[dot + 7] > '9');
}

// Go's encoding/base64 reports the first byte that it cannot use; line breaks are skipped.
std::string base64_error(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool fits = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                      c == '+' || c == '/' || c == '=' || c == '\n' || c == '\r';
    if (!fits) return fmt::format("illegal base64 data at input byte {}", i);
  }
  return fmt::format("illegal base64 data at input byte {}", text.size() / 4 * 4);
}

std::string without_line_breaks(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c != '\n' && c != '\r') out += c;
  }
  return out;
}

Value go_zero(const Shape& shape) {
  switch (shape.type) {
    case FieldType::object:
      return Value::object();
    case FieldType::string:
      return "";
    case FieldType::integer:
      return 0;
    case FieldType::number:
      return 0;
    case FieldType::boolean:
      return false;
    case FieldType::quantity:
      return "0";
    default:
      return nullptr;
  }
}

// Appends to a path while it lives.
class Appended {
 public:
  Appended(std::string& path, std::string_view piece, bool dotted)
      : path_(path), size_(path.size()) {
    if (dotted && !path.empty()) path += '.';
    path += piece;
  }
  ~Appended() { path_.resize(size_); }
  Appended(const Appended&) = delete;
  Appended& operator=(const Appended&) = delete;

 private:
  std::string& path_;
  std::size_t size_;
};

}  // namespace

bool is_go_zero(const Shape& shape, const Value& v) {
  switch (v.type()) {
    case Type::null:
      return true;
    case Type::boolean:
      return !v.as_bool();
    case Type::integer:
      return v.as_int() == 0 && shape.type != FieldType::int_or_string;
    case Type::number:
      return v.as_double() == 0;
    case Type::string:
      return v.as_string().empty() &&
             (shape.type == FieldType::string || shape.type == FieldType::bytes);
    case Type::array:
      return v.empty() && shape.type == FieldType::array;
    case Type::object:
      return v.empty() && shape.type == FieldType::map;
  }
  return false;
}

void TypedWalk::fail(std::string message) {
  if (!error_) error_ = std::move(message);
}

void TypedWalk::mismatch(const Shape& shape, const Value& v) {
  std::string what = json_kind(v);
  const bool number_type = shape.type == FieldType::integer || shape.type == FieldType::number;
  if (v.is_number() && number_type) what += " " + number_literal(v);
  fail(go_path_.empty()
           ? fmt::format("json: cannot unmarshal {} into Go value of type {}", what, go_type(shape))
           : fmt::format("json: cannot unmarshal {} into Go struct field {}.{} of type {}", what,
                         go_type_, go_path_, go_type(shape)));
}

void TypedWalk::object(const Struct& type, Value& v) {
  Shape shape;
  shape.type = FieldType::object;
  shape.object = &type;
  walk(shape, v);
}

void TypedWalk::walk(const Shape& shape, Value& v) {
  switch (shape.type) {
    case FieldType::object:
      if (!v.is_object()) return mismatch(shape, v);
      return members_of(*shape.object, v);
    case FieldType::array:
      return array(shape, v);
    case FieldType::map:
      return map(shape, v);
    case FieldType::any:
      return;
    default:
      return scalar(shape, v);
  }
}

void TypedWalk::members_of(const Struct& type, Value& v) {
  const std::string_view outer_type = go_type_;
  // In place: most documents lose nothing, and the long texts in them are not moved.
  value::Members& members = v.mutable_members();
  std::size_t kept = 0;
  for (std::size_t i = 0; i < members.size(); ++i) {
    value::Member& member = members[i];
    const Field* field = type.find(member.first);
    const Appended in_path(path_, member.first, true);
    if (field == nullptr) {
      if (unknown_ != nullptr && unknown_->size() < kUnknownMax) unknown_->push_back(path_);
      continue;
    }
    if (member.second.is_null() && !field->shape.nullable && field->shape.type != FieldType::any) {
      continue;
    }
    const Appended in_go_path(go_path_, member.first, true);
    go_type_ = short_name(type.name);
    walk(field->shape, member.second);
    const bool omit = !field->proto.always && field->proto.number != 0 && !field->proto.pointer &&
                      is_go_zero(field->shape, member.second);
    if (omit) continue;
    if (kept != i) members[kept] = std::move(member);
    ++kept;
  }
  go_type_ = outer_type;
  members.resize(kept);
}

void TypedWalk::array(const Shape& shape, Value& v) {
  if (!v.is_array()) return mismatch(shape, v);
  if (shape.element == nullptr) return;
  std::size_t index = 0;
  for (Value& item : v.mutable_items()) {
    const Appended in_path(path_, fmt::format("[{}]", index++), false);
    if (item.is_null() && !shape.element->nullable)
      item = go_zero(*shape.element);
    else
      walk(*shape.element, item);
  }
}

void TypedWalk::map(const Shape& shape, Value& v) {
  if (!v.is_object()) return mismatch(shape, v);
  if (shape.element == nullptr) return;
  for (value::Member& member : v.mutable_members()) {
    const Appended in_path(path_, member.first, true);
    if (member.second.is_null())
      member.second = go_zero(*shape.element);
    else
      walk(*shape.element, member.second);
  }
}

void TypedWalk::integer(const Shape& shape, Value& v) {
  const std::int64_t number = v.as_int();
  if (!v.is_int()) return mismatch(shape, v);
  if (shape.format_int32 && (number > std::numeric_limits<std::int32_t>::max() ||
                             number < std::numeric_limits<std::int32_t>::min())) {
    mismatch(shape, v);
  }
}

void TypedWalk::scalar(const Shape& shape, Value& v) {
  switch (shape.type) {
    case FieldType::string:
      if (!v.is_string()) mismatch(shape, v);
      return;
    case FieldType::boolean:
      if (v.type() != Type::boolean) mismatch(shape, v);
      return;
    case FieldType::integer:
      return integer(shape, v);
    case FieldType::number:
      if (!v.is_number()) mismatch(shape, v);
      return;
    case FieldType::int_or_string: {
      if (v.is_string()) return;
      constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
      if (v.is_int() && v.as_int() <= most && v.as_int() >= -most - 1) return;
      return fail(fmt::format("json: cannot unmarshal {} into Go value of type int32",
                              v.is_number() ? "number " + number_literal(v) : json_kind(v)));
    }
    case FieldType::quantity: {
      auto text = base::canonical_quantity(v.is_string() ? v.as_string() : value::to_json(v));
      if (!text) return fail(text.error().message);
      v = Value(std::move(*text));
      return;
    }
    default:
      return text_leaf(shape, v);
  }
}

void TypedWalk::text_leaf(const Shape& shape, Value& v) {
  if (!v.is_string()) {
    if (shape.type == FieldType::bytes) return mismatch(shape, v);
    return fail(
        fmt::format("json: cannot unmarshal {} into Go value of type string", json_kind(v)));
  }
  const std::string& text = v.as_string();
  if (shape.type == FieldType::bytes) {
    const auto bytes = base::base64_decode(without_line_breaks(text));
    if (!bytes) return fail(base64_error(text));
    v = Value(base::base64_encode(*bytes));
  } else if (shape.type == FieldType::duration) {
    const auto length = base::parse_duration(text);
    if (!length) return fail(fmt::format("time: invalid duration \"{}\"", text));
    v = Value(base::format_duration(*length));
  } else {
    const bool micro = shape.type == FieldType::micro_time;
    const auto at = base::parse_rfc3339(text);
    if (!at || (micro && !has_six_digits(text))) return fail(time_error(text, micro));
    v = Value(micro ? base::format_rfc3339_micro(*at) : base::format_rfc3339(*at));
  }
}

}  // namespace keelway::schema
