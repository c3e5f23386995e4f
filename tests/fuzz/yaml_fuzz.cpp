// YAML: what is written reads as the same document, and JSON reads as YAML with the same meaning.
#include "fuzz/input.h"
#include "value/json.h"
#include "value/yaml.h"

namespace {

using keelway::value::Value;
namespace value = keelway::value;

constexpr value::YamlLimits limits{.bytes_max = 1u << 16, .depth_max = 60, .nodes_max = 2000};

void check_round_trip(const Value& document) {
  const std::string text = value::to_yaml(document);
  const auto again = value::parse_yaml(text);
  KEELWAY_INVARIANT(again.has_value(), "our own YAML does not parse:\n" + text);
  KEELWAY_INVARIANT(value::to_json(*again) == value::to_json(document),
                    "the document changed on the way:\n" + text + value::to_json(document));
}

}  // namespace

KEELWAY_FUZZ_TARGET(data, size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<std::string> duplicates;
  const auto document = value::parse_yaml(text, limits, &duplicates);
  if (document) check_round_trip(*document);
  std::size_t bytes = 0;
  for (const std::string_view one : value::split_yaml_documents(text)) {
    KEELWAY_INVARIANT(one.data() >= text.data() && one.data() + one.size() <= text.data() + size,
                      "a document outside of the stream");
    bytes += one.size();
  }
  KEELWAY_INVARIANT(bytes <= size, "documents overlap");
  static_cast<void>(value::parse_yaml_stream(text, limits));
  return 0;
}
