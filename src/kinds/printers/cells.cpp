#include "kinds/printers/cells.h"

#include <algorithm>
#include <map>

namespace keelway::kinds::cells {

using value::Value;

std::string since(const Value& timestamp, base::WallTime now) {
  const auto at = base::parse_rfc3339(timestamp.as_string());
  return at ? base::format_age(now - *at) : "<unknown>";
}

std::string age(const Value& object, base::WallTime now) {
  return since(object.at("metadata", "creationTimestamp"), now);
}

const std::string& name(const Value& object) {
  return object.at("metadata", "name").as_string();
}

std::string or_else(const Value& text, std::string_view fallback) {
  return text.as_string().empty() ? std::string(fallback) : text.as_string();
}

std::string join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i != 0) out.append(separator);
    out.append(parts[i]);
  }
  return out;
}

std::string join_members(const Value& items, std::string_view member) {
  std::vector<std::string> parts;
  for (const Value& item : items.items()) parts.push_back(item[member].as_string());
  return join(parts, ",");
}

std::string fraction(std::int64_t of, std::int64_t whole) {
  return std::to_string(of) + "/" + std::to_string(whole);
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string labels(const Value& labels) {
  std::vector<std::string> parts;
  for (const auto& [key, text] : labels.members()) parts.push_back(key + "=" + text.as_string());
  return parts.empty() ? "<none>" : join(parts, ",");
}

std::string selector(const Value& selector) {
  std::multimap<std::string, std::string> parts;  // by key
  for (const auto& [key, text] : selector["matchLabels"].members()) {
    parts.emplace(key, key + "=" + text.as_string());
  }
  for (const Value& rule : selector["matchExpressions"].items()) {
    const std::string& key = rule["key"].as_string();
    const std::string& word = rule["operator"].as_string();
    std::vector<std::string> values;
    for (const Value& item : rule["values"].items()) values.push_back(item.as_string());
    std::ranges::sort(values);
    const std::string among = word == "In" ? " in (" : " notin (";
    parts.emplace(key, word == "Exists"         ? key
                       : word == "DoesNotExist" ? "!" + key
                                                : key + among + join(values, ",") + ")");
  }
  std::string out;
  for (const auto& [key, text] : parts) out += (out.empty() ? "" : ",") + text;
  return out.empty() ? "<none>" : out;
}

bool condition_is_true(const Value& status, std::string_view type) {
  return std::ranges::any_of(status["conditions"].items(), [type](const Value& condition) {
    return condition["type"].as_string() == type && condition["status"].as_string() == "True";
  });
}

}  // namespace keelway::kinds::cells
