// Bytes that should be a Kubernetes protobuf message; those that do not start with the magic get
// it. What is read can be written, and what was written reads as what writes the same bytes.
#include "fuzz/input.h"
#include "fuzz/kinds.h"
#include "schema/decode.h"
#include "schema/protobuf.h"
#include "value/json.h"

namespace {

namespace fuzz = keelway::fuzz;
namespace schema = keelway::schema;
namespace value = keelway::value;

constexpr std::string_view magic("k8s\0", 4);

}  // namespace

KEELWAY_FUZZ_TARGET(data, size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  if (!bytes.starts_with(magic)) bytes.insert(0, magic);
  const auto read = schema::from_protobuf(*fuzz::built_in(), bytes);
  if (!read) return 0;
  const schema::Kind* kind = fuzz::kind_of(*fuzz::built_in(), *read);
  if (kind == nullptr) return 0;
  const std::string written = schema::to_protobuf(*kind, *read);
  if (written.empty()) return 0;
  const auto again = schema::from_protobuf(*fuzz::built_in(), written);
  KEELWAY_INVARIANT(again.has_value(), "our own protobuf is refused: " + value::to_json(*read));
  // Go never leaves out what is no pointer, so the first writing may add empty messages.
  KEELWAY_INVARIANT(schema::to_protobuf(*kind, *again) == written,
                    "the document changed: " + value::to_json(*read) + value::to_json(*again));
  static_cast<void>(schema::protobuf_watch_frame("ADDED", written));
  if (kind->root == nullptr) return 0;
  std::vector<std::string> warnings;
  static_cast<void>(schema::decode_value(*kind, *read, schema::FieldValidation::strict, warnings));
  return 0;
}
