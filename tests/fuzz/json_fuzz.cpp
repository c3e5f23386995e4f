// JSON text: what is read and written again is the same document, in every form of writing.
#include "fuzz/input.h"
#include "value/json.h"
#include "value/json_scan.h"
#include "value/pointer.h"

namespace {

using keelway::value::Value;
namespace value = keelway::value;

// Doubles that JSON does not have become null when they are written.
void check_round_trip(const Value& document) {
  const std::string text = value::to_json(document);
  const auto again = value::parse_json(text);
  KEELWAY_INVARIANT(again.has_value(), "our own JSON does not parse: " + text);
  KEELWAY_INVARIANT(*again == document, "the document changed on the way: " + text);
  KEELWAY_INVARIANT(value::to_json(*again) == text, "equal documents, other bytes: " + text);
  const auto pretty = value::parse_json(value::to_pretty_json(document));
  KEELWAY_INVARIANT(pretty.has_value() && *pretty == document, "pretty JSON means other: " + text);
}

void check_scan(const Value& document) {
  const std::string text = value::to_json(document);
  for (const auto& [key, member] : document.members()) {
    if (key.empty() || key.find('.') != std::string::npos) continue;
    const auto found = value::find_json_member(text, key);
    if (!found) continue;  // keys with escapes are not looked for
    KEELWAY_INVARIANT(*found == value::to_json(member), "another member of " + text);
  }
  const auto place = value::json_member_place(text, "m");
  KEELWAY_INVARIANT(!place || *place < text.size(), "a place outside of " + text);
}

}  // namespace

KEELWAY_FUZZ_TARGET(data, size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<std::string> duplicates;
  const auto document = value::parse_json(text, {.depth_max = 100}, &duplicates);
  static_cast<void>(value::find_json_member(text, "spec.nodeName"));
  static_cast<void>(value::json_member_place(text, "resourceVersion"));
  if (!document) return 0;
  check_round_trip(*document);
  check_scan(*document);
  const auto plain = value::parse_json(text, {.depth_max = 100});
  KEELWAY_INVARIANT(plain.has_value() && *plain == *document, "duplicates change the document");
  return 0;
}
