// JSONPath of printer columns and JSON pointers: a path, a cut, a document.
#include "fuzz/input.h"
#include "value/json.h"
#include "value/path.h"
#include "value/pointer.h"

namespace {

using keelway::value::Value;
namespace value = keelway::value;

void check_path(const value::Path& path, const Value& document) {
  const auto found = path.find_all(document);
  const Value* first = path.find(document);
  KEELWAY_INVARIANT(first == (found.empty() ? nullptr : found.front()), "find is not the first");
  if (!path.is_plain() || path.members().empty() || !document.is_object()) return;
  Value changed = document;
  if (!path.set(changed, Value("set"))) return;
  const Value* now = path.find(changed);
  KEELWAY_INVARIANT(now != nullptr && now->as_string() == "set", "what was set is not found");
}

void check_pointer(std::string_view text, const Value& document) {
  const auto tokens = value::parse_pointer(text);
  if (!tokens) return;
  const auto again = value::parse_pointer(value::to_pointer(*tokens));
  KEELWAY_INVARIANT(again == tokens, "our own pointer means another place");
  KEELWAY_INVARIANT(value::find_pointer(document, text) == value::find_pointer(document, *tokens),
                    "text and tokens find different places");
}

}  // namespace

KEELWAY_FUZZ_TARGET(data, size) {
  keelway::fuzz::Input input(data, size);
  const std::string_view text = input.part();
  const Value document = value::parse_json(input.part(), {.depth_max = 40}).value_or(Value());
  if (const auto path = value::Path::parse(text)) check_path(*path, document);
  check_pointer(text, document);
  static_cast<void>(value::find_path(document, text));
  return 0;
}
