// JSON patch and merge patch: a document, a cut, a patch.
#include "fuzz/input.h"
#include "value/json.h"
#include "value/json_patch.h"
#include "value/merge_patch.h"

namespace {

using keelway::value::Value;
namespace value = keelway::value;

bool has_null(const Value& v) {
  if (v.is_null()) return true;
  for (const Value& item : v.items()) {
    if (has_null(item)) return true;
  }
  for (const auto& [key, member] : v.members()) {
    if (has_null(member)) return true;
  }
  return false;
}

// RFC 7386 section 2, word for word.
Value merge_by_the_book(const Value& target, const Value& patch) {
  if (!patch.is_object()) return patch;
  Value result = target.is_object() ? target : Value::object();
  for (const auto& [name, member] : patch.members()) {
    if (member.is_null()) {
      result.erase(name);
    } else {
      result.set(name, merge_by_the_book(result[name], member));
    }
  }
  return result;
}

}  // namespace

KEELWAY_FUZZ_TARGET(data, size) {
  keelway::fuzz::Input input(data, size);
  const auto document = value::parse_json(input.part(), {.depth_max = 60});
  const auto patch = value::parse_json(input.part(), {.depth_max = 60});
  if (!document || !patch) return 0;
  const std::string before = value::to_json(*document);

  const value::JsonPatchLimits limits{.operations_max = 50, .copied_bytes_max = 1u << 16};
  const auto patched = value::apply_json_patch(*document, *patch, limits);
  if (patched) {
    const auto again = value::parse_json(value::to_json(*patched));
    KEELWAY_INVARIANT(!again || *again == *patched, "the patched document does not print");
  }
  KEELWAY_INVARIANT(value::to_json(*document) == before, "a JSON patch wrote to its input");

  const Value merged = value::apply_merge_patch(*document, *patch);
  KEELWAY_INVARIANT(merged == merge_by_the_book(*document, *patch), "not as RFC 7386 says");
  KEELWAY_INVARIANT(value::to_json(*document) == before, "a merge patch wrote to its input");
  if (document->is_object() && patch->is_object() && !has_null(*patch)) {
    const Value difference = value::diff_merge_patch(*document, *patch);
    KEELWAY_INVARIANT(value::apply_merge_patch(*document, difference) == *patch,
                      "the difference does not lead there: " + value::to_json(difference));
  }
  return 0;
}
