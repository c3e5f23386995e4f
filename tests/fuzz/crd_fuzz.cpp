// A CustomResourceDefinition, then objects of it, cut from each other: the definition is judged as
// the API server would, and what passes serves the objects and gives OpenAPI documents.
#include <array>

#include "fuzz/input.h"
#include "fuzz/kinds.h"
#include "schema/crd.h"
#include "schema/decode.h"
#include "schema/defaults.h"
#include "schema/managed_fields.h"
#include "schema/openapi_v3.h"
#include "schema/prune.h"
#include "schema/table.h"
#include "schema/validate.h"
#include "value/json.h"

namespace {

using keelway::value::Value;
namespace fuzz = keelway::fuzz;
namespace schema = keelway::schema;
namespace value = keelway::value;

const schema::Kind& crd_kind() {
  return *fuzz::built_in()->by_kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
}

// The definition as it would be stored, or null.
Value accepted(std::string_view text) {
  auto decoded = schema::decode(crd_kind(), *fuzz::built_in(), text, schema::BodyFormat::json,
                                schema::FieldValidation::ignore);
  if (!decoded) return {};
  Value crd = std::move(decoded->object);
  schema::apply_defaults(crd_kind(), crd);
  static_cast<void>(schema::crd_warnings(crd));
  if (!schema::validate(crd_kind(), crd, nullptr).empty()) return {};
  return crd;
}

void check_object(const schema::Kind& kind, const schema::KindSet& kinds, std::string_view text) {
  auto decoded =
      schema::decode(kind, kinds, text, schema::BodyFormat::json, schema::FieldValidation::strict);
  decoded =
      schema::decode(kind, kinds, text, schema::BodyFormat::json, schema::FieldValidation::ignore);
  if (!decoded) return;
  Value object = std::move(decoded->object);
  Value pruned = object;
  schema::prune(kind, pruned);
  KEELWAY_INVARIANT(pruned == object, "decoding left what pruning drops");
  schema::apply_defaults(kind, object);
  Value twice = object;
  schema::apply_defaults(kind, twice);
  KEELWAY_INVARIANT(twice == object, "defaults are not idempotent");
  const auto errors = schema::validate(kind, object, nullptr);
  static_cast<void>(schema::invalid(kind.group, kind.kind, "n", errors).to_value());
  const schema::ManagerContext manager{"fuzz", "", fuzz::now};
  if (errors.empty()) static_cast<void>(schema::apply(kind, nullptr, object, manager, true));
  schema::TableOptions options;
  options.now = fuzz::now;
  const std::array objects{object};
  static_cast<void>(schema::to_table(kind, objects, options));
}

}  // namespace

KEELWAY_FUZZ_TARGET(data, size) {
  fuzz::Input input(data, size);
  const Value crd = accepted(input.part());
  if (crd.is_null()) return 0;
  auto built = schema::build_custom_kinds(crd);
  if (!built) return 0;
  std::vector<schema::CustomKindPtr> custom;
  for (auto& one : *built) custom.push_back(std::move(one));
  const schema::DynamicKindSet kinds(fuzz::built_in(), custom);
  for (const std::string_view text : {input.part(), input.part()}) {
    for (const auto& one : custom) check_object(one->kind(), kinds, text);
  }
  for (const auto& one : custom) {
    const schema::Kind& kind = one->kind();
    const std::string document = schema::openapi_v3(kinds, kind.group, kind.version);
    KEELWAY_INVARIANT(value::parse_json(document).has_value(), "the OpenAPI document is no JSON");
  }
  return 0;
}
