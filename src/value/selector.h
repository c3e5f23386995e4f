// Label and field selectors: the text forms, the LabelSelector object, matching.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "value/value.h"

namespace keelway::value {

using Labels = std::vector<std::pair<std::string, std::string>>;
using LabelViews = std::vector<std::pair<std::string_view, std::string_view>>;

struct Requirement {
  enum class Operator { in, not_in, exists, does_not_exist, greater_than, less_than };
  std::string key;
  Operator op = Operator::exists;
  std::vector<std::string> values;  // sorted, unique
  // Prints as key=value or key!=value rather than as a set. No meaning for matching.
  bool equality = false;

  // `text`: the label's value, or null if the object does not have the label.
  bool matches(const std::string_view* text) const;
};

// Requirements that must all hold; without any, everything matches.
class LabelSelector {
 public:
  static LabelSelector everything() { return {}; }
  static LabelSelector nothing();
  // "a=b,c in (x,y),!d,e". The message is upstream's ("unable to parse requirement: ...").
  static base::Result<LabelSelector> parse(std::string_view text);
  // {matchLabels, matchExpressions}. Null selects nothing, an empty object everything, as
  // metav1.LabelSelectorAsSelector has it.
  static base::Result<LabelSelector> from_value(const Value& v);
  // A plain map of labels (spec.selector of Services). Null selects nothing, {} everything.
  static LabelSelector from_map(const Value& v);

  bool matches(const Labels& labels) const;
  bool matches(const LabelViews& labels) const;
  bool matches(const Value& labels) const;  // an object of strings, or null
  bool is_everything() const { return !nothing_ && requirements_.empty(); }
  bool is_nothing() const { return nothing_; }
  const std::vector<Requirement>& requirements() const { return requirements_; }
  void add(Requirement requirement);
  std::string to_string() const;

 private:
  template <class Find>
  bool matches_with(const Find& find) const;
  std::vector<Requirement> requirements_;  // sorted by key
  bool nothing_ = false;
};

// "metadata.name=a,status.phase!=Running".
class FieldSelector {
 public:
  struct Term {
    std::string field, value;
    bool equal = true;
  };
  static base::Result<FieldSelector> parse(std::string_view text);
  void add(std::string field, std::string value, bool equal = true);

  // `read` gives the text of a field, empty where absent.
  bool matches(const std::function<std::string(std::string_view)>& read) const;
  // Reads each field by its dotted path in the object (see field_text).
  bool matches(const Value& object) const;
  bool empty() const { return terms_.empty(); }
  const std::vector<Term>& terms() const { return terms_; }
  // The value that the field must equal, if any term says so.
  std::optional<std::string> exact(std::string_view field) const;
  std::string to_string() const;

 private:
  std::vector<Term> terms_;
};

// The text of `object`'s field at a dotted path; empty where absent. Scalars print as in JSON,
// strings without quotes.
std::string field_text(const Value& object, std::string_view dotted_path);

// Empty, or what is wrong with a label key or value in upstream's words ("; " between).
std::string label_key_error(std::string_view key);
std::string label_value_error(std::string_view text);

}  // namespace keelway::value
