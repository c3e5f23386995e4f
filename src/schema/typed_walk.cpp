#include "schema/typed_walk.h"

#include <fmt/core.h>

#include <cmath>
#include <limits>

#include "base/encoding.h"
#include "base/quantity.h"
#include "base/time.h"
#include "schema/sharing.h"
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

std::optional<Value> unless_equal(const Value& v, std::string text) {
  if (v.is_string() && v.as_string() == text) return std::nullopt;
  return Value(std::move(text));
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

void TypedWalk::object(const Struct& type, Value& v, const Value* known) {
  Shape shape;
  shape.type = FieldType::object;
  shape.object = &type;
  if (Changed changed = walk(shape, v, known)) v = std::move(*changed);
}

TypedWalk::Changed TypedWalk::walk(const Shape& shape, const Value& v, const Value* known) {
  if (known != nullptr && is_same(v, *known)) return std::nullopt;
  switch (shape.type) {
    case FieldType::object:
      if (v.is_object()) return members_of(*shape.object, v, known);
      mismatch(shape, v);
      return std::nullopt;
    case FieldType::array:
      return array(shape, v, known);
    case FieldType::map:
      return map(shape, v, known);
    case FieldType::any:
      return std::nullopt;
    default:
      return scalar(shape, v);
  }
}

TypedWalk::Changed TypedWalk::members_of(const Struct& type, const Value& v, const Value* known) {
  const std::string_view outer_type = go_type_;
  const value::Members& members = v.members();
  std::optional<value::Members> changed;
  for (std::size_t i = 0; i < members.size(); ++i) {
    const value::Member& member = members[i];
    const Field* field = type.find(member.first);
    const Appended in_path(path_, member.first, true);
    if (field == nullptr && unknown_ != nullptr && unknown_->size() < kUnknownMax) {
      unknown_->push_back(path_);
    }
    bool keep = field != nullptr && (!member.second.is_null() || field->shape.nullable ||
                                     field->shape.type == FieldType::any);
    Changed now;
    if (keep) {
      const Appended in_go_path(go_path_, member.first, true);
      go_type_ = short_name(type.name);
      now = walk(field->shape, member.second, known_member(known, member.first));
      keep = field->proto.always || field->proto.number == 0 || field->proto.pointer ||
             !is_go_zero(field->shape, now ? *now : member.second);
    }
    if (keep && !now && !changed) continue;
    if (!changed)
      changed.emplace(members.begin(), members.begin() + static_cast<std::ptrdiff_t>(i));
    if (keep) changed->emplace_back(member.first, now ? std::move(*now) : member.second);
  }
  go_type_ = outer_type;
  if (!changed) return std::nullopt;
  return Value::object_of(std::move(*changed));
}

TypedWalk::Changed TypedWalk::array(const Shape& shape, const Value& v, const Value* known) {
  if (!v.is_array()) {
    mismatch(shape, v);
    return std::nullopt;
  }
  if (shape.element == nullptr) return std::nullopt;
  std::optional<value::Array> changed;
  for (std::size_t i = 0; i < v.items().size(); ++i) {
    const Value& item = v.items()[i];
    const Appended in_path(path_, fmt::format("[{}]", i), false);
    Changed now;
    if (item.is_null() && !shape.element->nullable)
      now = go_zero(*shape.element);
    else
      now = walk(*shape.element, item, known_item(known, i));
    if (!now) continue;
    if (!changed) changed.emplace(v.items());
    (*changed)[i] = std::move(*now);
  }
  if (!changed) return std::nullopt;
  return Value(std::move(*changed));
}

TypedWalk::Changed TypedWalk::map(const Shape& shape, const Value& v, const Value* known) {
  if (!v.is_object()) {
    mismatch(shape, v);
    return std::nullopt;
  }
  if (shape.element == nullptr) return std::nullopt;
  Changed changed;
  for (std::size_t i = 0; i < v.members().size(); ++i) {
    const value::Member& member = v.members()[i];
    const Appended in_path(path_, member.first, true);
    Changed now;
    if (member.second.is_null())
      now = go_zero(*shape.element);
    else
      now = walk(*shape.element, member.second, known_member(known, member.first));
    if (!now) continue;
    if (!changed) changed = v;
    changed->mutable_members()[i].second = std::move(*now);
  }
  return changed;
}

void TypedWalk::integer(const Shape& shape, const Value& v) {
  const std::int64_t number = v.as_int();
  if (!v.is_int()) return mismatch(shape, v);
  if (shape.format_int32 && (number > std::numeric_limits<std::int32_t>::max() ||
                             number < std::numeric_limits<std::int32_t>::min())) {
    mismatch(shape, v);
  }
}

TypedWalk::Changed TypedWalk::scalar(const Shape& shape, const Value& v) {
  switch (shape.type) {
    case FieldType::string:
      if (!v.is_string()) mismatch(shape, v);
      return std::nullopt;
    case FieldType::boolean:
      if (v.type() != Type::boolean) mismatch(shape, v);
      return std::nullopt;
    case FieldType::integer:
      integer(shape, v);
      return std::nullopt;
    case FieldType::number:
      if (!v.is_number()) mismatch(shape, v);
      return std::nullopt;
    case FieldType::int_or_string: {
      if (v.is_string()) return std::nullopt;
      constexpr std::int64_t most = std::numeric_limits<std::int32_t>::max();
      if (v.is_int() && v.as_int() <= most && v.as_int() >= -most - 1) return std::nullopt;
      fail(fmt::format("json: cannot unmarshal {} into Go value of type int32",
                       v.is_number() ? "number " + number_literal(v) : json_kind(v)));
      return std::nullopt;
    }
    case FieldType::quantity: {
      auto text = base::canonical_quantity(v.is_string() ? v.as_string() : value::to_json(v));
      if (text) return unless_equal(v, std::move(*text));
      fail(text.error().message);
      return std::nullopt;
    }
    default:
      return text_leaf(shape, v);
  }
}

TypedWalk::Changed TypedWalk::text_leaf(const Shape& shape, const Value& v) {
  if (!v.is_string()) {
    if (shape.type == FieldType::bytes)
      mismatch(shape, v);
    else
      fail(fmt::format("json: cannot unmarshal {} into Go value of type string", json_kind(v)));
    return std::nullopt;
  }
  const std::string& text = v.as_string();
  if (shape.type == FieldType::bytes) {
    const auto bytes = base::base64_decode(without_line_breaks(text));
    if (bytes) return unless_equal(v, base::base64_encode(*bytes));
    fail(base64_error(text));
  } else if (shape.type == FieldType::duration) {
    const auto length = base::parse_duration(text);
    if (length) return unless_equal(v, base::format_duration(*length));
    fail(fmt::format("time: invalid duration \"{}\"", text));
  } else {
    const bool micro = shape.type == FieldType::micro_time;
    const auto at = base::parse_rfc3339(text);
    if (at && (!micro || has_six_digits(text))) {
      return unless_equal(v, micro ? base::format_rfc3339_micro(*at) : base::format_rfc3339(*at));
    }
    fail(time_error(text, micro));
  }
  return std::nullopt;
}

}  // namespace keelway::schema
