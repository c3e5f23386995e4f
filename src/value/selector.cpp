#include "value/selector.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "value/json.h"
#include "value/path.h"

namespace keelway::value {
namespace {

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// ([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]
bool is_name(std::string_view text) {
  if (text.empty() || !is_alphanumeric(text.front()) || !is_alphanumeric(text.back())) return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return is_alphanumeric(c) || c == '-' || c == '_' || c == '.'; });
}

bool is_dns_subdomain(std::string_view text) {
  bool label_start = true;
  char previous = '.';
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (c == '.') {
      if (label_start || previous == '-') return false;
      label_start = true;
    } else if (plain || (c == '-' && !label_start)) {
      label_start = false;
    } else {
      return false;
    }
    previous = c;
  }
  return !label_start && previous != '-';
}

constexpr std::string_view kNameRule =
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

std::optional<std::int64_t> to_integer(std::string_view text) {
  std::int64_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return n;
}

}  // namespace

std::string label_key_error(std::string_view key) {
  std::vector<std::string> errors;
  std::string_view name = key;
  if (const auto slash = key.find('/'); slash != key.npos) {
    if (key.find('/', slash + 1) != key.npos) {
      return fmt::format(
          "a qualified name {} with an optional DNS subdomain prefix and '/' (e.g. "
          "'example.com/MyName')",
          kNameRule);
    }
    const std::string_view prefix = key.substr(0, slash);
    name = key.substr(slash + 1);
    if (prefix.empty()) {
      errors.emplace_back("prefix part must be non-empty");
    } else if (prefix.size() > 253) {
      errors.emplace_back("prefix part must be no more than 253 characters");
    } else if (!is_dns_subdomain(prefix)) {
      errors.emplace_back(
          "prefix part a lowercase RFC 1123 subdomain must consist of lower case alphanumeric "
          "characters, '-' or '.', and must start and end with an alphanumeric character (e.g. "
          "'example.com', regex used for validation is "
          "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')");
    }
  }
  if (name.empty())
    errors.emplace_back("name part must be non-empty");
  else if (name.size() > 63)
    errors.emplace_back("name part must be no more than 63 characters");
  if (!is_name(name)) errors.push_back(fmt::format("name part {}", kNameRule));
  std::string text;
  for (const std::string& error : errors) text += (text.empty() ? "" : "; ") + error;
  return text;
}

std::string label_value_error(std::string_view value) {
  std::string text;
  if (value.size() > 63) text = "must be no more than 63 characters";
  if (!value.empty() && !is_name(value)) {
    if (!text.empty()) text += "; ";
    text +=
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
        "'.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or "
        "'my_value',  or '12345', regex used for validation is "
        "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
  }
  return text;
}

bool Requirement::matches(const std::string_view* text) const {
  const auto listed = [&] {
    return std::find(values.begin(), values.end(), *text) != values.end();
  };
  switch (op) {
    case Operator::in:
      return text != nullptr && listed();
    case Operator::not_in:
      return text == nullptr || !listed();
    case Operator::exists:
      return text != nullptr;
    case Operator::does_not_exist:
      return text == nullptr;
    case Operator::greater_than:
    case Operator::less_than: {
      if (text == nullptr || values.size() != 1) return false;
      const auto left = to_integer(*text), right = to_integer(values[0]);
      if (!left || !right) return false;
      return op == Operator::greater_than ? *left > *right : *left < *right;
    }
  }
  return false;
}

LabelSelector LabelSelector::nothing() {
  LabelSelector selector;
  selector.nothing_ = true;
  return selector;
}

void LabelSelector::add(Requirement requirement) {
  std::sort(requirement.values.begin(), requirement.values.end());
  requirement.values.erase(std::unique(requirement.values.begin(), requirement.values.end()),
                           requirement.values.end());
  const auto place =
      std::upper_bound(requirements_.begin(), requirements_.end(), requirement.key,
                       [](const std::string& key, const Requirement& r) { return key < r.key; });
  requirements_.insert(place, std::move(requirement));
}

template <class Find>
bool LabelSelector::matches_with(const Find& find) const {
  if (nothing_) return false;
  return std::all_of(requirements_.begin(), requirements_.end(), [&](const Requirement& r) {
    const std::optional<std::string_view> text = find(r.key);
    return r.matches(text ? &*text : nullptr);
  });
}

bool LabelSelector::matches(const Labels& labels) const {
  return matches_with([&](const std::string& key) -> std::optional<std::string_view> {
    for (const auto& [name, text] : labels) {
      if (name == key) return text;
    }
    return std::nullopt;
  });
}

bool LabelSelector::matches(const LabelViews& labels) const {
  return matches_with([&](std::string_view key) -> std::optional<std::string_view> {
    for (const auto& [name, text] : labels) {
      if (name == key) return text;
    }
    return std::nullopt;
  });
}

bool LabelSelector::matches(const Value& labels) const {
  return matches_with([&](const std::string& key) -> std::optional<std::string_view> {
    const Value* found = labels.find(key);
    if (found == nullptr) return std::nullopt;
    return found->as_string();
  });
}

LabelSelector LabelSelector::from_map(const Value& v) {
  if (!v.is_object()) return nothing();
  LabelSelector selector;
  for (const auto& [key, text] : v.members()) {
    selector.add({key, Requirement::Operator::in, {text.as_string()}, true});
  }
  return selector;
}

base::Result<LabelSelector> LabelSelector::from_value(const Value& v) {
  if (v.is_null()) return nothing();
  LabelSelector selector = v["matchLabels"].is_object() ? from_map(v["matchLabels"]) : everything();
  for (const Value& item : v["matchExpressions"].items()) {
    Requirement r{item["key"].as_string(), Requirement::Operator::exists, {}, false};
    const std::string& op = item["operator"].as_string();
    if (op == "In")
      r.op = Requirement::Operator::in;
    else if (op == "NotIn")
      r.op = Requirement::Operator::not_in;
    else if (op == "Exists")
      r.op = Requirement::Operator::exists;
    else if (op == "DoesNotExist")
      r.op = Requirement::Operator::does_not_exist;
    else {
      return base::fail(base::ErrorCode::invalid,
                        fmt::format("\"{}\" is not a valid label selector operator", op));
    }
    for (const Value& text : item["values"].items()) r.values.push_back(text.as_string());
    selector.add(std::move(r));
  }
  return selector;
}

std::string LabelSelector::to_string() const {
  std::string out;
  for (const Requirement& r : requirements_) {
    if (!out.empty()) out += ',';
    std::string list;
    for (const std::string& text : r.values) list += (list.empty() ? "" : ",") + text;
    using enum Requirement::Operator;
    switch (r.op) {
      case in:
        out += r.equality ? r.key + "=" + list : r.key + " in (" + list + ")";
        break;
      case not_in:
        out += r.equality ? r.key + "!=" + list : r.key + " notin (" + list + ")";
        break;
      case exists:
        out += r.key;
        break;
      case does_not_exist:
        out += "!" + r.key;
        break;
      case greater_than:
        out += r.key + ">" + list;
        break;
      case less_than:
        out += r.key + "<" + list;
        break;
    }
  }
  return out;
}

}  // namespace keelway::value
