// Strategic merge patch and server-side apply of one pair of documents: a live object, a cut, the
// patch or applied configuration; and FieldsV1 texts.
#include "fuzz/input.h"
#include "fuzz/kinds.h"
#include "schema/decode.h"
#include "schema/field_set.h"
#include "schema/managed_fields.h"
#include "schema/strategic_merge.h"
#include "value/json.h"

namespace {

using keelway::value::Value;
namespace fuzz = keelway::fuzz;
namespace schema = keelway::schema;
namespace value = keelway::value;

void check_fields(const Value& text) {
  const auto set = schema::FieldSet::from_fields_v1(text);
  const Value written = set.to_fields_v1();
  const auto again = schema::FieldSet::from_fields_v1(written);
  KEELWAY_INVARIANT(again == set, "FieldsV1 is not what it was: " + value::to_json(written));
  KEELWAY_INVARIANT(again.contains(set) && set.intersect(again) == set, "a set against itself");
  auto rest = set;
  rest.subtract(again);
  KEELWAY_INVARIANT(rest.paths().empty(), "a set less itself");
  static_cast<void>(set.paths());
}

void check_apply(const schema::Kind& kind, const Value& live, const Value& config) {
  const schema::ManagerContext other{"other", "", fuzz::now}, mine{"mine", "", fuzz::now};
  const Value tracked = schema::track_update(kind, nullptr, live, other);
  for (const bool force : {false, true}) {
    const auto applied = schema::apply(kind, &tracked, config, mine, force);
    if (!applied) {
      KEELWAY_INVARIANT(!force || applied.error().code != 409, "a conflict in spite of force");
      continue;
    }
    // To apply the same again changes nothing.
    const auto again = schema::apply(kind, &*applied, config, mine, false);
    KEELWAY_INVARIANT(again.has_value(), "applying twice fails: " + again.error().message);
    KEELWAY_INVARIANT(*again == *applied, "applying twice changes: " + value::to_json(*applied) +
                                              value::to_json(*again));
    static_cast<void>(schema::keep_times_if_unchanged(tracked, *applied));
  }
}

}  // namespace

KEELWAY_FUZZ_TARGET(data, size) {
  fuzz::Input input(data, size);
  const auto document = value::parse_json(input.part(), {.depth_max = 40});
  const auto patch = value::parse_json(input.part(), {.depth_max = 40});
  if (!document) return 0;
  check_fields(*document);
  const schema::Kind* kind = fuzz::kind_of(*fuzz::built_in(), *document);
  if (kind == nullptr || kind->root == nullptr || !patch || !patch->is_object()) return 0;
  std::vector<std::string> warnings;
  const auto live =
      schema::decode_value(*kind, *document, schema::FieldValidation::ignore, warnings);
  if (!live) return 0;
  const std::string before = value::to_json(*live);
  static_cast<void>(schema::strategic_merge(*kind, *live, *patch));
  check_apply(*kind, *live, *patch);
  KEELWAY_INVARIANT(value::to_json(*live) == before, "a patch wrote to its input");
  return 0;
}
