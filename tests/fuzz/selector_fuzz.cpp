// Label and field selectors: a selector, a cut, the labels as JSON. Parsing agrees with printing,
// and matching with an evaluator that is written down as upstream's documentation says it.
#include <algorithm>
#include <charconv>
#include <optional>

#include "fuzz/input.h"
#include "value/json.h"
#include "value/selector.h"

namespace {

using keelway::value::LabelSelector;
using keelway::value::Requirement;
using keelway::value::Value;
namespace value = keelway::value;

std::optional<std::int64_t> integer_of(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

bool holds(const Requirement& requirement, const Value* label) {
  using Operator = Requirement::Operator;
  const auto& values = requirement.values;
  const bool listed = label != nullptr &&
                      std::find(values.begin(), values.end(), label->as_string()) != values.end();
  switch (requirement.op) {
    case Operator::in:
      return listed;
    case Operator::not_in:
      return !listed;
    case Operator::exists:
      return label != nullptr;
    case Operator::does_not_exist:
      return label == nullptr;
    case Operator::greater_than:
    case Operator::less_than:
      break;
  }
  if (label == nullptr || values.size() != 1) return false;
  const auto have = integer_of(label->as_string());
  const auto bound = integer_of(values[0]);
  if (!have || !bound) return false;
  return requirement.op == Operator::greater_than ? *have > *bound : *have < *bound;
}

bool holds(const LabelSelector& selector, const Value& labels) {
  return std::all_of(selector.requirements().begin(), selector.requirements().end(),
                     [&](const Requirement& one) { return holds(one, labels.find(one.key)); });
}

Value strings_of(const Value& document) {
  Value labels = Value::object();
  for (const auto& [key, member] : document.members()) {
    if (member.is_string()) labels.set(key, member);
  }
  return labels;
}

void check_labels(const LabelSelector& selector, const Value& labels) {
  const bool matched = selector.matches(labels);
  KEELWAY_INVARIANT(selector.is_nothing() || matched == holds(selector, labels),
                    "matching differs for " + selector.to_string());
  value::Labels pairs;
  for (const auto& [key, member] : labels.members()) pairs.emplace_back(key, member.as_string());
  KEELWAY_INVARIANT(selector.matches(pairs) == matched, "pairs and object differ");
}

void check_text(std::string_view text, const Value& labels) {
  const auto selector = LabelSelector::parse(text);
  if (!selector) return;
  check_labels(*selector, labels);
  const auto again = LabelSelector::parse(selector->to_string());
  // "x in (,)" is one empty value, which prints as "x in ()", as upstream's does.
  const bool lost = selector->to_string().find("()") != std::string::npos;
  if (!again && lost) return;
  KEELWAY_INVARIANT(again.has_value(), "our own text does not parse: " + selector->to_string());
  KEELWAY_INVARIANT(again->to_string() == selector->to_string(), "another text for the same");
  KEELWAY_INVARIANT(again->matches(labels) == selector->matches(labels), "printing changes it");
}

void check_fields(std::string_view text, const Value& object) {
  const auto selector = value::FieldSelector::parse(text);
  if (!selector) return;
  const auto again = value::FieldSelector::parse(selector->to_string());
  KEELWAY_INVARIANT(again.has_value(), "our own text does not parse: " + selector->to_string());
  KEELWAY_INVARIANT(again->to_string() == selector->to_string(), "another text for the same");
  const bool naive =
      std::all_of(selector->terms().begin(), selector->terms().end(), [&](const auto& term) {
        return (value::field_text(object, term.field) == term.value) == term.equal;
      });
  KEELWAY_INVARIANT(selector->matches(object) == naive,
                    "matching differs for " + std::string(text));
}

}  // namespace

KEELWAY_FUZZ_TARGET(data, size) {
  keelway::fuzz::Input input(data, size);
  const std::string_view text = input.part();
  const Value document = value::parse_json(input.part(), {.depth_max = 40}).value_or(Value());
  const Value labels = strings_of(document);
  check_text(text, labels);
  check_fields(text, document);
  if (const auto selector = LabelSelector::from_value(document["selector"])) {
    check_labels(*selector, labels);
  }
  static_cast<void>(LabelSelector::from_map(document["selector"]).matches(labels));
  static_cast<void>(value::label_key_error(text));
  static_cast<void>(value::label_value_error(text));
  return 0;
}
