// An object of a built-in kind as a client sends it: decoded, defaulted, validated, printed, and
// through the protobuf form and back.
#include <array>

#include "fuzz/input.h"
#include "fuzz/kinds.h"
#include "schema/decode.h"
#include "schema/defaults.h"
#include "schema/object.h"
#include "schema/protobuf.h"
#include "schema/prune.h"
#include "schema/table.h"
#include "schema/validate.h"
#include "value/json.h"
#include "value/yaml.h"

namespace {

using keelway::schema::Kind;
using keelway::value::Value;
namespace fuzz = keelway::fuzz;
namespace schema = keelway::schema;
namespace value = keelway::value;

void check_decoded(const Kind& kind, const Value& object) {
  std::vector<std::string> warnings;
  const auto again = schema::decode_value(kind, object, schema::FieldValidation::strict, warnings);
  KEELWAY_INVARIANT(again.has_value(), "what was decoded is refused: " + again.error().message +
                                           value::to_json(object));
  KEELWAY_INVARIANT(*again == object,
                    "decoding twice differs: " + value::to_json(object) + value::to_json(*again));
  Value pruned = object;
  schema::prune(kind, pruned);
  KEELWAY_INVARIANT(pruned == object, "decoding left what pruning drops");
}

// The two wire forms agree: the protobuf form of an object, read, has that form again.
void check_protobuf(const Kind& kind, const Value& object) {
  const std::string bytes = schema::to_protobuf(kind, object);
  if (bytes.empty()) return;
  const auto read = schema::from_protobuf(*fuzz::built_in(), bytes);
  KEELWAY_INVARIANT(read.has_value(), "our own protobuf is refused: " + value::to_json(object));
  KEELWAY_INVARIANT(schema::to_protobuf(kind, *read) == bytes,
                    "the forms differ: " + value::to_json(object) + value::to_json(*read));
}

void check_stored(const Kind& kind, const Value& object) {
  const auto stored =
      schema::Object::parse(std::make_shared<const std::string>(value::to_json(object)), 7);
  const auto read = value::parse_json(stored->json());
  KEELWAY_INVARIANT(read.has_value() && *read == stored->value(), "the revision breaks the object");
  schema::TableOptions options;
  options.now = fuzz::now;
  const std::array objects{object};
  static_cast<void>(schema::to_table(kind, objects, options));
  static_cast<void>(schema::partial_metadata(object));
}

void check_defaults(const Kind& kind, Value object) {
  schema::apply_defaults(kind, object);
  Value twice = object;
  schema::apply_defaults(kind, twice);
  KEELWAY_INVARIANT(twice == object, "defaults are not idempotent: " + value::to_json(object) +
                                         value::to_json(twice));
  const auto errors = schema::validate(kind, object, nullptr);
  static_cast<void>(schema::invalid(kind.group, kind.kind, "n", errors).to_value());
  static_cast<void>(schema::validate(kind, object, &object));
  if (errors.empty()) check_decoded(kind, object);
  check_stored(kind, object);
  check_protobuf(kind, object);
}

}  // namespace

KEELWAY_FUZZ_TARGET(data, size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const bool json = text.starts_with('{');
  const auto format = json ? schema::BodyFormat::json : schema::BodyFormat::yaml;
  const value::YamlLimits limits{.bytes_max = 1u << 16, .depth_max = 60, .nodes_max = 2000};
  const auto document =
      json ? value::parse_json(text, {.depth_max = 60}) : value::parse_yaml(text, limits);
  if (!document) return 0;
  const Kind* kind = fuzz::kind_of(*fuzz::built_in(), *document);
  if (kind == nullptr || kind->root == nullptr) return 0;
  const auto strict =
      schema::decode(*kind, *fuzz::built_in(), text, format, schema::FieldValidation::strict);
  const auto decoded =
      schema::decode(*kind, *fuzz::built_in(), text, format, schema::FieldValidation::ignore);
  KEELWAY_INVARIANT(decoded || !strict, "strict takes what is else refused");
  if (!decoded) return 0;
  KEELWAY_INVARIANT(!strict || strict->object == decoded->object, "strictness changes the object");
  check_decoded(*kind, decoded->object);
  check_defaults(*kind, decoded->object);
  return 0;
}
