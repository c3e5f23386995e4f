#include <bit>

#include "base/encoding.h"
#include "base/time.h"
#include "schema/protobuf.h"
#include "schema/protobuf_wire.h"
#include "value/json.h"

namespace keelway::schema {
namespace {

using proto::put_bytes;
using proto::put_integer;
using proto::WireType;
using value::Value;

void put_struct(std::string& out, const Struct& table, const Value& object);

// The union as its protobuf form has it.
Value open_union(const Struct& table, const Value& v) {
  Value out = Value::object();
  for (const Field& field : table.fields) {
    const bool schema = field.name == "schema";
    if (schema == v.is_object()) out.set(field.name, v);
    if (!schema && v.is_object() && field.shape.type == FieldType::boolean) {
      out.set(field.name, true);  // a schema allows
    }
  }
  return out;
}

void put_timestamp(std::string& out, const Value& text, bool micro) {
  const auto at = base::parse_rfc3339(text.as_string());
  if (!at) return;  // a zero time is an empty message
  const std::int64_t fraction = ((at->microseconds % 1'000'000) + 1'000'000) % 1'000'000;
  put_integer(out, 1, (at->microseconds - fraction) / 1'000'000);
  put_integer(out, 2, micro ? fraction * 1000 : 0);
}

void put_int_or_string(std::string& out, const Value& object) {
  put_integer(out, 1, object.is_string() ? 1 : 0);
  put_integer(out, 2, object.as_int());
  put_bytes(out, 3, object.as_string());
}

// The content of a message that stands for one value.
std::string message_of(const Shape& shape, const Value& object) {
  std::string out;
  switch (shape.type) {
    case FieldType::object:
      put_struct(out, *shape.object, object);
      break;
    case FieldType::time:
      put_timestamp(out, object, false);
      break;
    case FieldType::micro_time:
      put_timestamp(out, object, true);
      break;
    case FieldType::int_or_string:
      put_int_or_string(out, object);
      break;
    case FieldType::quantity:
      put_bytes(out, 1,
                object.is_string()   ? object.as_string()
                : object.is_number() ? value::to_json(object)
                                     : std::string("0"));
      break;
    case FieldType::duration:
      put_integer(out, 1,
                  base::parse_duration(object.as_string()).value_or(base::Duration(0)).count());
      break;
    case FieldType::any:
      if (shape.object != nullptr) {
        put_struct(out, *shape.object, open_union(*shape.object, object));
        break;
      }
      if (!object.is_null()) put_bytes(out, 1, value::to_json(object));
      break;
    case FieldType::array:  // a list inside a map is a message of its own, as ExtraValue
      for (const Value& item : object.items()) put_bytes(out, 1, item.as_string());
      break;
    default:
      break;
  }
  return out;
}

// One value under a field number, zero or not.
void put_value(std::string& out, unsigned number, const Shape& shape, const Value& object) {
  switch (shape.type) {
    case FieldType::string:
      put_bytes(out, number, object.as_string());
      break;
    case FieldType::bytes:
      put_bytes(out, number, base::base64_decode(object.as_string()).value_or(""));
      break;
    case FieldType::boolean:
      put_integer(out, number, object.as_bool() ? 1 : 0);
      break;
    case FieldType::integer:
      put_integer(out, number, object.as_int());
      break;
    case FieldType::number: {
      proto::put_tag(out, number, WireType::fixed64);
      const auto bits = std::bit_cast<std::uint64_t>(object.as_double());
      for (int i = 0; i < 8; ++i) out.push_back(static_cast<char>(bits >> (8 * i)));
      break;
    }
    default:
      put_bytes(out, number, message_of(shape, object));
      break;
  }
}

void put_map(std::string& out, unsigned number, const Shape& element, const Value& object) {
  for (const auto& [key, item] : object.members()) {
    std::string entry;
    put_bytes(entry, 1, key);
    put_value(entry, 2, element, item);
    put_bytes(out, number, entry);
  }
}

void put_field(std::string& out, const Field& field, const Value& object) {
  const unsigned number = field.proto.number;
  const Shape& shape = field.shape;
  if (shape.type == FieldType::map) return put_map(out, number, *shape.element, object);
  if (shape.type == FieldType::array) {
    for (const Value& item : object.items()) put_value(out, number, *shape.element, item);
    return;
  }
  // Go's nil: a pointer, or a slice of bytes.
  const bool may_be_nil = field.proto.pointer || shape.type == FieldType::bytes;
  if (object.is_null() && may_be_nil) return;
  put_value(out, number, shape, object);
}

void put_struct(std::string& out, const Struct& table, const Value& object) {
  const auto& order = table.proto_order;
  const auto field_at = [&](std::size_t i) -> const Field& { return table.fields[order[i]]; };
  for (std::size_t i = 0; i < order.size();) {
    const unsigned outer = field_at(i).proto.outer;
    if (outer == 0) {
      put_field(out, field_at(i), object[field_at(i).name]);
      ++i;
      continue;
    }
    std::string inner;
    for (; i < order.size() && field_at(i).proto.outer == outer; ++i) {
      put_field(inner, field_at(i), object[field_at(i).name]);
    }
    put_bytes(out, outer, inner);
  }
}

std::string list_message(const Kind& kind, const Value& list) {
  std::string metadata;
  const Value& from = list["metadata"];
  put_bytes(metadata, 1, from["selfLink"].as_string());
  put_bytes(metadata, 2, from["resourceVersion"].as_string());
  put_bytes(metadata, 3, from["continue"].as_string());
  if (const Value* remaining = from.find("remainingItemCount")) {
    put_integer(metadata, 4, remaining->as_int());
  }
  std::string out;
  put_bytes(out, 1, metadata);
  for (const Value& item : list["items"].items()) {
    std::string one;
    put_struct(one, *kind.root, item);
    put_bytes(out, 2, one);
  }
  return out;
}

}  // namespace

std::string to_protobuf(const Kind& kind, const Value& object) {
  if (kind.proto_message.empty()) return {};
  const bool list = !kind.list_kind.empty() && object["kind"].as_string() == kind.list_kind;
  std::string type;
  put_bytes(type, 1, object["apiVersion"].string_or(kind.api_version()));
  put_bytes(type, 2, object["kind"].string_or(kind.kind));
  std::string raw;
  if (list) {
    raw = list_message(kind, object);
  } else {
    put_struct(raw, *kind.root, object);
  }
  std::string out(proto::envelope_prefix);
  out.reserve(raw.size() + type.size() + 32);
  put_bytes(out, 1, type);
  put_bytes(out, 2, raw);
  put_bytes(out, 3, "");
  put_bytes(out, 4, "");
  return out;
}

std::string protobuf_watch_frame(std::string_view type, std::string_view object) {
  std::string extension;
  put_bytes(extension, 1, object);
  std::string event;
  put_bytes(event, 1, type);
  put_bytes(event, 2, extension);
  std::string frame;
  frame.reserve(event.size() + 4);
  for (int shift = 24; shift >= 0; shift -= 8) {
    frame.push_back(static_cast<char>(event.size() >> shift));
  }
  return frame.append(event);
}

}  // namespace keelway::schema
