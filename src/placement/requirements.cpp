#include "placement/requirements.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace keelway::placement {
namespace {

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

template <class Pick>
std::optional<std::int64_t> combine(const std::optional<std::int64_t>& a,
                                    const std::optional<std::int64_t>& b, Pick pick) {
  if (!a) return b;
  if (!b) return a;
  return pick(*a, *b);
}

std::int64_t least(std::int64_t a, std::int64_t b) {
  return std::min(a, b);
}
std::int64_t most(std::int64_t a, std::int64_t b) {
  return std::max(a, b);
}

}  // namespace

ValueSet ValueSet::none() {
  return only({});
}

ValueSet ValueSet::only(std::vector<std::string> values) {
  ValueSet set;
  set.complement_ = false;
  for (std::string& text : values) set.values_.insert(std::move(text));
  return set;
}

ValueSet ValueSet::of(const Requirement& requirement) {
  using Operator = Requirement::Operator;
  ValueSet set;
  switch (requirement.op) {
    case Operator::in:
      return only(requirement.values);
    case Operator::does_not_exist:
      return none();
    case Operator::exists:
      return set;
    case Operator::not_in:
      set.values_.insert(requirement.values.begin(), requirement.values.end());
      return set;
    case Operator::greater_than:
    case Operator::less_than: {
      const std::optional<std::int64_t> bound =
          requirement.values.empty() ? std::nullopt : parse_integer(requirement.values[0]);
      if (!bound) return none();
      (requirement.op == Operator::greater_than ? set.greater_than_ : set.less_than_) = bound;
      return set;
    }
  }
  return none();
}

bool ValueSet::within_bounds(std::string_view text) const {
  if (!greater_than_ && !less_than_) return true;
  const std::optional<std::int64_t> number = parse_integer(text);
  if (!number) return false;
  return (!greater_than_ || *number > *greater_than_) && (!less_than_ || *number < *less_than_);
}

bool ValueSet::has(std::string_view text) const {
  return values_.contains(text) != complement_ && within_bounds(text);
}

bool ValueSet::is_empty() const {
  if (complement_) return greater_than_ && less_than_ && *greater_than_ + 1 >= *less_than_;
  return std::none_of(values_.begin(), values_.end(),
                      [&](const std::string& text) { return within_bounds(text); });
}

std::vector<std::string> ValueSet::values() const {
  std::vector<std::string> values;
  if (complement_) return values;
  for (const std::string& text : values_) {
    if (within_bounds(text)) values.push_back(text);
  }
  return values;
}

std::int64_t ValueSet::size() const {
  if (complement_) return std::numeric_limits<std::int64_t>::max();
  return static_cast<std::int64_t>(values().size());
}

void ValueSet::intersect(const ValueSet& other) {
  greater_than_ = combine(greater_than_, other.greater_than_, most);
  less_than_ = combine(less_than_, other.less_than_, least);
  min_values = combine(min_values, other.min_values, most);
  if (complement_ && other.complement_) {
    values_.insert(other.values_.begin(), other.values_.end());
    if (is_empty()) *this = none();
    return;
  }
  std::set<std::string, std::less<>> kept;
  const ValueSet& finite = complement_ ? other : *this;
  const ValueSet& filter = complement_ ? *this : other;
  for (const std::string& text : finite.values_) {
    if (filter.values_.contains(text) != filter.complement_ && within_bounds(text)) {
      kept.insert(text);
    }
  }
  values_ = std::move(kept);
  complement_ = false;
  // The values left stand within the bounds; the bounds say nothing more.
  greater_than_.reset();
  less_than_.reset();
}

bool ValueSet::intersects(const ValueSet& other) const {
  if (!complement_) {
    return std::any_of(values_.begin(), values_.end(), [&](const std::string& text) {
      return within_bounds(text) && other.has(text);
    });
  }
  if (!other.complement_) return other.intersects(*this);
  const auto above = combine(greater_than_, other.greater_than_, most);
  const auto below = combine(less_than_, other.less_than_, least);
  return !(above && below && *above + 1 >= *below);
}

bool ValueSet::allows_absence() const {
  // NotIn, or DoesNotExist.
  if (complement_) return !values_.empty() && !greater_than_ && !less_than_;
  return values_.empty();
}

std::string ValueSet::any_value() const {
  if (!complement_) {
    const std::vector<std::string> left = values();
    return left.empty() ? "" : left.front();
  }
  if (!greater_than_ && !less_than_) return "";
  for (std::int64_t number = greater_than_ ? *greater_than_ + 1 : *less_than_ - 1;;
       number += greater_than_ ? 1 : -1) {
    const std::string text = std::to_string(number);
    if (!within_bounds(text)) return "";
    if (!values_.contains(text)) return text;
  }
}

std::vector<Requirement> ValueSet::to_expressions(const std::string& key) const {
  using Operator = Requirement::Operator;
  if (!complement_) {
    std::vector<std::string> left = values();
    if (left.empty()) return {{key, Operator::does_not_exist, {}, false}};
    return {{key, Operator::in, std::move(left), false}};
  }
  std::vector<Requirement> expressions;
  if (!values_.empty()) {
    expressions.push_back({key, Operator::not_in, {values_.begin(), values_.end()}, false});
  }
  if (greater_than_) {
    expressions.push_back({key, Operator::greater_than, {std::to_string(*greater_than_)}, false});
  }
  if (less_than_) {
    expressions.push_back({key, Operator::less_than, {std::to_string(*less_than_)}, false});
  }
  if (expressions.empty()) expressions.push_back({key, Operator::exists, {}, false});
  return expressions;
}

Requirements Requirements::read(const value::Value& array) {
  Requirements requirements;
  for (const value::Value& item : array.items()) {
    ValueSet set = ValueSet::of(read_requirement(item));
    if (item["minValues"].is_int()) set.min_values = item["minValues"].as_int();
    requirements.add(item["key"].as_string(), set);
  }
  return requirements;
}

Requirements Requirements::of_labels(const Labels& labels) {
  Requirements requirements;
  for (const auto& [key, text] : labels.pairs()) requirements.add(key, ValueSet::only({text}));
  return requirements;
}

Requirements Requirements::of_expressions(const std::vector<Requirement>& expressions) {
  Requirements requirements;
  for (const Requirement& expression : expressions) {
    requirements.add(expression.key, ValueSet::of(expression));
  }
  return requirements;
}

Requirements Requirements::of_pod(const NodeAffinity& affinity, std::size_t term) {
  Requirements requirements = of_labels(affinity.node_selector);
  if (term < affinity.required.size()) {
    requirements.add(of_expressions(affinity.required[term].expressions));
  }
  return requirements;
}

void Requirements::add(const std::string& key, const ValueSet& set) {
  const auto [at, added] = sets_.emplace(key, set);
  if (!added) at->second.intersect(set);
}

void Requirements::add(const Requirements& other) {
  for (const auto& [key, set] : other.sets_) add(key, set);
}

bool Requirements::has(std::string_view key) const {
  return sets_.find(key) != sets_.end();
}

const ValueSet& Requirements::get(std::string_view key) const {
  static const ValueSet anything;
  const auto found = sets_.find(key);
  return found != sets_.end() ? found->second : anything;
}

bool Requirements::erase(std::string_view key) {
  const auto found = sets_.find(key);
  if (found == sets_.end()) return false;
  sets_.erase(found);
  return true;
}

bool Requirements::intersects(const Requirements& other) const {
  for (const auto& [key, wanted] : other.sets_) {
    const auto found = sets_.find(key);
    if (found == sets_.end() || found->second.intersects(wanted)) continue;
    // Two sides that both can do without the label agree on its absence.
    if (!found->second.allows_absence() || !wanted.allows_absence()) return false;
  }
  return true;
}

std::string Requirements::incompatibility(
    const Requirements& wanted, const std::set<std::string, std::less<>>& well_known) const {
  for (const auto& [key, set] : wanted.sets_) {
    const auto found = sets_.find(key);
    if (found == sets_.end()) {
      if (well_known.contains(key) || set.allows_absence()) continue;
      return "label \"" + key + "\" does not have known values";
    }
    if (found->second.intersects(set)) continue;
    if (found->second.allows_absence() && set.allows_absence()) continue;
    return "incompatible requirements, key " + key;
  }
  return "";
}

bool Requirements::compatible(const Requirements& wanted,
                              const std::set<std::string, std::less<>>& well_known) const {
  return incompatibility(wanted, well_known).empty();
}

bool Requirements::allows(const Labels& labels) const {
  for (const auto& [key, set] : sets_) {
    const std::string* text = labels.find(key);
    if (text == nullptr ? !set.allows_absence() : !set.has(*text)) return false;
  }
  return true;
}

Labels Requirements::fixed_labels() const {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const auto& [key, set] : sets_) {
    if (set.size() == 1) pairs.emplace_back(key, set.values().front());
  }
  return Labels(std::move(pairs));
}

bool Requirements::is_contradiction() const {
  // An empty finite set is DoesNotExist when it was asked for; as the result of two sets that
  // exclude each other it is the same set, and no node can have the label.
  return std::any_of(sets_.begin(), sets_.end(),
                     [](const auto& entry) { return entry.second.is_empty(); });
}

value::Value Requirements::to_value() const {
  value::Value array = value::Value::array();
  for (const auto& [key, set] : sets_) {
    for (const Requirement& expression : set.to_expressions(key)) {
      value::Value item =
          value::Value::object({{"key", key}, {"operator", to_text(expression.op)}});
      if (!expression.values.empty()) {
        value::Array values(expression.values.begin(), expression.values.end());
        item.set("values", std::move(values));
      }
      if (set.min_values) item.set("minValues", *set.min_values);
      array.push(std::move(item));
    }
  }
  return array;
}

}  // namespace keelway::placement
