#include "placement/labels.h"

#include <algorithm>

namespace keelway::placement {
namespace {

bool key_less(const std::pair<std::string, std::string>& a,
              const std::pair<std::string, std::string>& b) {
  return a.first < b.first;
}

}  // namespace

Labels::Labels(Pairs pairs) {
  if (pairs.empty()) return;
  if (!std::is_sorted(pairs.begin(), pairs.end(), key_less)) {
    std::sort(pairs.begin(), pairs.end(), key_less);
  }
  pairs_ = std::make_shared<Pairs>(std::move(pairs));
}

const Labels::Pairs& Labels::pairs() const {
  static const Pairs none;
  return pairs_ ? *pairs_ : none;
}

Labels Labels::read(const value::Value& object) {
  Pairs pairs;
  pairs.reserve(object.members().size());
  for (const auto& [key, text] : object.members()) pairs.emplace_back(key, text.as_string());
  return Labels(std::move(pairs));
}

const std::string* Labels::find(std::string_view key) const {
  const Pairs& own = pairs();
  const auto at = std::lower_bound(own.begin(), own.end(), key,
                                   [](const std::pair<std::string, std::string>& pair,
                                      std::string_view k) { return pair.first < k; });
  return at != own.end() && at->first == key ? &at->second : nullptr;
}

std::string_view Labels::get(std::string_view key) const {
  const std::string* found = find(key);
  return found != nullptr ? std::string_view(*found) : std::string_view();
}

void Labels::set(std::string_view key, std::string_view text) {
  if (!pairs_ || pairs_.use_count() > 1) pairs_ = std::make_shared<Pairs>(pairs());
  const auto at = std::lower_bound(pairs_->begin(), pairs_->end(), key,
                                   [](const std::pair<std::string, std::string>& pair,
                                      std::string_view k) { return pair.first < k; });
  if (at != pairs_->end() && at->first == key) {
    at->second = text;
  } else {
    pairs_->emplace(at, std::string(key), std::string(text));
  }
}

Requirement read_requirement(const value::Value& document) {
  using Operator = Requirement::Operator;
  Requirement requirement;
  requirement.key = document["key"].as_string();
  const std::string& op = document["operator"].as_string();
  for (const value::Value& item : document["values"].items()) {
    requirement.values.push_back(item.as_string());
  }
  std::sort(requirement.values.begin(), requirement.values.end());
  requirement.values.erase(std::unique(requirement.values.begin(), requirement.values.end()),
                           requirement.values.end());
  if (op == "In")
    requirement.op = Operator::in;
  else if (op == "NotIn")
    requirement.op = Operator::not_in;
  else if (op == "Exists")
    requirement.op = Operator::exists;
  else if (op == "DoesNotExist")
    requirement.op = Operator::does_not_exist;
  else if (op == "Gt")
    requirement.op = Operator::greater_than;
  else if (op == "Lt")
    requirement.op = Operator::less_than;
  else {
    requirement.op = Operator::in;
    requirement.values.clear();
  }
  return requirement;
}

bool matches(const Requirement& requirement, const Labels& labels) {
  const std::string* found = labels.find(requirement.key);
  if (found == nullptr) return requirement.matches(nullptr);
  const std::string_view text = *found;
  return requirement.matches(&text);
}

std::string_view to_text(Requirement::Operator op) {
  using Operator = Requirement::Operator;
  switch (op) {
    case Operator::in:
      return "In";
    case Operator::not_in:
      return "NotIn";
    case Operator::exists:
      return "Exists";
    case Operator::does_not_exist:
      return "DoesNotExist";
    case Operator::greater_than:
      return "Gt";
    case Operator::less_than:
      return "Lt";
  }
  return "In";
}

LabelSelector read_selector(const value::Value& document) {
  return LabelSelector::from_value(document).value_or(LabelSelector::nothing());
}

}  // namespace keelway::placement
