#include <bit>

#include "base/encoding.h"
#include "base/time.h"
#include "schema/protobuf.h"
#include "schema/protobuf_wire.h"
#include "value/json.h"
#include "value/utf8.h"

namespace keelway::schema {
namespace {

using proto::Item;
using proto::Reader;
using proto::WireType;
using value::Value;

constexpr int depth_max = 100;  // of nested messages; JSON schemas are the deepest

Answer<Value> decode(const KindSet& kinds, std::string_view bytes, int depth);

bool is_zero(const Value& v) {
  switch (v.type()) {
    case value::Type::null:
      return true;
    case value::Type::boolean:
      return !v.as_bool();
    case value::Type::integer:
      return v.as_int() == 0;
    case value::Type::number:
      return v.as_double() == 0;
    case value::Type::string:
      return v.as_string().empty();
    default:
      return false;
  }
}

// Decodes messages; after a fault every answer is meaningless and error() says why.
class Decoder {
 public:
  Decoder(const KindSet& kinds, int depth) : kinds_(kinds), depth_(depth) {}
  const std::string& error() const { return error_; }

  void read_struct(const Struct& table, std::string_view bytes, unsigned outer, Value& into) {
    if (++depth_ > depth_max) return fail("too deeply nested");
    Reader reader(bytes);
    while (error_.empty()) {
      const auto item = reader.next();
      if (!item) break;
      read_item(table, *item, outer, into);
    }
    if (reader.broken()) fail("a message is cut off or malformed");
    --depth_;
  }

  Value read_list(const Kind& kind, std::string_view bytes) {
    Value list = Value::object();
    Value items = Value::array();
    Reader reader(bytes);
    while (error_.empty()) {
      const auto item = reader.next();
      if (!item) break;
      if (item->number == 1) list.set("metadata", read_list_metadata(item->bytes));
      if (item->number != 2) continue;
      Value one = Value::object();
      read_struct(*kind.root, item->bytes, 0, one);
      items.push(std::move(one));
    }
    if (reader.broken()) fail("a list is cut off or malformed");
    return list.set("items", std::move(items));
  }

 private:
  void fail(std::string why) {
    if (error_.empty()) error_ = std::move(why);
  }

  void read_item(const Struct& table, const Item& item, unsigned outer, Value& into) {
    for (const Field& field : table.fields) {
      if (field.proto.number == 0) continue;
      if (field.proto.outer == outer && field.proto.number == item.number) {
        return read_field(field, item, into);
      }
      if (outer == 0 && field.proto.outer == item.number && item.number != 0) {
        return read_struct(table, item.bytes, item.number, into);
      }
    }  // unknown fields are dropped
  }

  void read_field(const Field& field, const Item& item, Value& into) {
    const Shape& shape = field.shape;
    if (shape.type == FieldType::map) {
      read_entry(*shape.element, item.bytes, into.mutate(field.name));
      return;
    }
    if (shape.type == FieldType::array) {
      into.mutate(field.name).push(read_value(*shape.element, item));
      return;
    }
    Value v = read_value(shape, item);
    const bool message = field.proto.wire == ProtoField::Wire::message;
    if (v.is_null()) return;
    if (is_zero(v) && !message && !field.proto.pointer && !field.proto.always) return;
    into.set(field.name, std::move(v));
  }

  void read_entry(const Shape& element, std::string_view bytes, Value& map) {
    std::string key;
    Item last;
    last.type = wire_of(element);
    Reader reader(bytes);
    while (const auto item = reader.next()) {
      if (item->number == 1) key = read_text(item->bytes);
      if (item->number == 2) last = *item;
    }
    if (reader.broken()) return fail("a map is cut off or malformed");
    map.set(key, read_value(element, last));
  }

  static WireType wire_of(const Shape& shape) {
    switch (shape.type) {
      case FieldType::boolean:
      case FieldType::integer:
        return WireType::varint;
      case FieldType::number:
        return WireType::fixed64;
      default:
        return WireType::bytes;
    }
  }

  std::string read_text(std::string_view bytes) {
    if (!value::is_utf8(bytes)) fail("a string is not UTF-8");
    return std::string(bytes);
  }

  Value read_value(const Shape& shape, const Item& item) {
    if (item.type != wire_of(shape)) {
      fail("field number " + std::to_string(item.number) + " has the wrong wire type");
      return {};
    }
    switch (shape.type) {
      case FieldType::boolean:
        return item.scalar != 0;
      case FieldType::integer:
        return shape.format_int32
                   ? static_cast<std::int64_t>(static_cast<std::int32_t>(item.scalar))
                   : static_cast<std::int64_t>(item.scalar);
      case FieldType::number:
        return std::bit_cast<double>(item.scalar);
      case FieldType::string:
        return read_text(item.bytes);
      case FieldType::bytes:
        return base::base64_encode(item.bytes);
      case FieldType::object: {
        Value object = Value::object();
        read_struct(*shape.object, item.bytes, 0, object);
        return object;
      }
      case FieldType::time:
        return read_timestamp(item.bytes, false);
      case FieldType::micro_time:
        return read_timestamp(item.bytes, true);
      case FieldType::int_or_string:
        return read_int_or_string(item.bytes);
      case FieldType::quantity:
        return read_text(member(item.bytes, 1).bytes);
      case FieldType::duration:
        return base::format_duration(
            base::Duration(static_cast<std::int64_t>(member(item.bytes, 1).scalar)));
      case FieldType::any:
        if (shape.object != nullptr) return read_union(*shape.object, item.bytes);
        return read_any(member(item.bytes, 1).bytes);
      case FieldType::array:
        return read_strings(item.bytes);
      case FieldType::map:
        break;  // no map stands inside another without a message
    }
    return {};
  }

  // The last field of that number, or an empty one.
  Item member(std::string_view bytes, unsigned number) {
    Item found;
    Reader reader(bytes);
    while (const auto item = reader.next()) {
      if (item->number == number) found = *item;
    }
    if (reader.broken()) fail("a message is cut off or malformed");
    return found;
  }

  Value read_timestamp(std::string_view bytes, bool micro) {
    if (bytes.empty()) return {};
    const auto seconds = static_cast<std::int64_t>(member(bytes, 1).scalar);
    const auto nanoseconds = static_cast<std::int32_t>(member(bytes, 2).scalar);
    // Years 1 to 9999, what RFC 3339 can say.
    if (seconds < -62'135'596'800 || seconds > 253'402'300'799) {
      fail("a time is out of range");
      return {};
    }
    const base::WallTime at{seconds * 1'000'000 + nanoseconds / 1000};
    return micro ? base::format_rfc3339_micro(at) : base::format_rfc3339(at);
  }

  Value read_int_or_string(std::string_view bytes) {
    if (member(bytes, 1).scalar == 1) return read_text(member(bytes, 3).bytes);
    return static_cast<std::int64_t>(static_cast<std::int32_t>(member(bytes, 2).scalar));
  }

  Value read_union(const Struct& table, std::string_view bytes) {
    Value members = Value::object();
    read_struct(table, bytes, 0, members);
    if (members.contains("schema")) return members["schema"];
    return members.empty() ? Value() : members.members().front().second;
  }

  Value read_any(std::string_view raw) {
    if (raw.empty()) return {};
    if (raw.starts_with(proto::envelope_prefix)) {
      auto nested = decode(kinds_, raw, depth_ + 1);
      if (!nested) fail(nested.error().message);
      return nested ? std::move(*nested) : Value();
    }
    auto parsed = value::parse_json(raw);
    if (!parsed) fail(parsed.error().message);
    return parsed ? std::move(*parsed) : Value();
  }

  Value read_strings(std::string_view bytes) {
    Value out = Value::array();
    Reader reader(bytes);
    while (const auto item = reader.next()) {
      if (item->number == 1) out.push(read_text(item->bytes));
    }
    if (reader.broken()) fail("a list is cut off or malformed");
    return out;
  }

  Value read_list_metadata(std::string_view bytes) {
    Value out = Value::object();
    Reader reader(bytes);
    while (const auto item = reader.next()) {
      constexpr const char* names[] = {"", "selfLink", "resourceVersion", "continue"};
      if (item->number == 4) {
        out.set("remainingItemCount", static_cast<std::int64_t>(item->scalar));
      } else if (item->number < 4 && !item->bytes.empty()) {
        out.set(names[item->number], read_text(item->bytes));
      }
    }
    if (reader.broken()) fail("a list is cut off or malformed");
    return out;
  }

  const KindSet& kinds_;
  std::string error_;
  int depth_;
};

struct Envelope {
  std::string api_version, kind;
  std::string_view raw, content_type;
};

std::optional<Envelope> read_envelope(std::string_view bytes) {
  Envelope out;
  Reader reader(bytes);
  while (const auto item = reader.next()) {
    if (item->number == 2) out.raw = item->bytes;
    if (item->number == 4) out.content_type = item->bytes;
    if (item->number != 1) continue;
    Reader type(item->bytes);
    while (const auto part = type.next()) {
      if (part->number == 1) out.api_version = part->bytes;
      if (part->number == 2) out.kind = part->bytes;
    }
    if (type.broken()) return std::nullopt;
  }
  if (reader.broken() || !value::is_utf8(out.api_version) || !value::is_utf8(out.kind))
    return std::nullopt;
  return out;
}

std::unexpected<Status> refuse(const std::string& why) {
  return std::unexpected(bad_request("the protobuf body cannot be read: " + why));
}

// The kind, or the kind whose list this is.
const Kind* kind_of(const KindSet& kinds, const Envelope& envelope, bool& list) {
  const std::string_view api_version = envelope.api_version;
  const std::size_t slash = api_version.find('/');
  const std::string_view group =
      slash == std::string_view::npos ? "" : api_version.substr(0, slash);
  const std::string_view version =
      slash == std::string_view::npos ? api_version : api_version.substr(slash + 1);
  std::string_view name = envelope.kind;
  if (const Kind* found = kinds.by_kind(group, version, name)) return found;
  if (!name.ends_with("List")) return nullptr;
  name.remove_suffix(4);
  list = true;
  const Kind* item = kinds.by_kind(group, version, name);
  return item != nullptr && item->list_kind == envelope.kind ? item : nullptr;
}

Answer<Value> decode(const KindSet& kinds, std::string_view bytes, int depth) {
  if (depth > depth_max) return refuse("too deeply nested");
  if (!bytes.starts_with(proto::envelope_prefix)) {
    return refuse("it does not begin with the bytes 6b 38 73 00");
  }
  const auto envelope = read_envelope(bytes.substr(proto::envelope_prefix.size()));
  if (!envelope) return refuse("the envelope is malformed");
  if (envelope->content_type == "application/json") {
    auto parsed = value::parse_json(envelope->raw);
    if (!parsed) return refuse(parsed.error().message);
    return std::move(*parsed);
  }
  bool list = false;
  const Kind* kind = kind_of(kinds, *envelope, list);
  if (kind == nullptr || kind->proto_message.empty()) {
    return std::unexpected(bad_request("no kind \"" + envelope->kind +
                                       "\" is registered for version \"" + envelope->api_version +
                                       "\" in its protobuf form"));
  }
  Decoder decoder(kinds, depth);
  Value object = Value::object();
  if (list) {
    object = decoder.read_list(*kind, envelope->raw);
  } else {
    decoder.read_struct(*kind->root, envelope->raw, 0, object);
  }
  if (!decoder.error().empty()) return refuse(decoder.error());
  object.set("apiVersion", envelope->api_version);
  object.set("kind", envelope->kind);
  return object;
}

}  // namespace

Answer<Value> from_protobuf(const KindSet& kinds, std::string_view bytes) {
  return decode(kinds, bytes, 0);
}

}  // namespace keelway::schema
