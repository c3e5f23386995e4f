// Labels of one object, and the requirements of node selectors.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "value/selector.h"
#include "value/value.h"

namespace keelway::placement {

using value::LabelSelector;
using value::Requirement;

// Sorted by key. Copies share what they hold.
class Labels {
 public:
  using Pairs = std::vector<std::pair<std::string, std::string>>;
  Labels() = default;
  explicit Labels(Pairs pairs);
  static Labels read(const value::Value& object);

  const std::string* find(std::string_view key) const;  // null where absent
  std::string_view get(std::string_view key) const;     // empty where absent
  bool contains(std::string_view key) const { return find(key) != nullptr; }
  void set(std::string_view key, std::string_view text);
  const Pairs& pairs() const;
  bool empty() const { return !pairs_; }
  friend bool operator==(const Labels& a, const Labels& b) {
    return a.pairs_ == b.pairs_ || a.pairs() == b.pairs();
  }

 private:
  std::shared_ptr<Pairs> pairs_;  // null: none. Changed only where no copy shares it
};

// A NodeSelectorRequirement: {key, operator, values}. An operator that is unknown makes one that
// matches nothing.
Requirement read_requirement(const value::Value& document);
bool matches(const Requirement& requirement, const Labels& labels);
std::string_view to_text(Requirement::Operator op);  // "In", "NotIn" ...
// A selector that does not parse selects nothing.
LabelSelector read_selector(const value::Value& document);

}  // namespace keelway::placement
