#include "kinds/hooks/internal.h"

#include <fmt/core.h>

#include <algorithm>

namespace keelway::kinds {

bool is_set(const Value& v, std::string_view key) {
  const Value* present = v.find(key);
  return present != nullptr && !present->is_null() &&
         !(present->is_string() && present->as_string().empty());
}

void fill(Value& v, std::string_view key, Value standard) {
  if (!is_set(v, key)) v.set(key, std::move(standard));
}

void add(FieldErrors& errors, const std::string& field, const Value& bad,
         const schema::Complaints& complaints) {
  for (const std::string& what : complaints) {
    errors.push_back(schema::invalid_value(field, bad, what));
  }
}

void add_printed(FieldErrors& errors, std::string field, std::string printed, std::string detail) {
  errors.push_back(schema::invalid_value(std::move(field), nullptr, std::move(detail)));
  errors.back().printed = std::move(printed);
}

void check_not_negative(const Value& v, const std::string& field, FieldErrors& errors) {
  if (v.as_int() < 0) {
    errors.push_back(schema::invalid_value(field, v, "must be greater than or equal to 0"));
  }
}

void check_choice(const Value& v, const std::string& field,
                  std::initializer_list<std::string_view> choices, FieldErrors& errors) {
  if (v.is_null() || std::ranges::find(choices, std::string_view(v.as_string())) != choices.end()) {
    return;
  }
  errors.push_back(schema::not_supported(field, v, {choices.begin(), choices.end()}));
}

namespace {

// -1: no percentage.
int percent_of(const Value& v) {
  const std::string& text = v.as_string();
  if (text.size() < 2 || text.size() > 9 || text.back() != '%') return -1;
  int amount = 0;
  for (const char c : std::string_view(text).substr(0, text.size() - 1)) {
    if (c < '0' || c > '9') return -1;
    amount = amount * 10 + (c - '0');
  }
  return amount;
}

}  // namespace

void check_int_or_percent(const Value& v, const std::string& field, FieldErrors& errors) {
  if (v.is_string() && percent_of(v) < 0) {
    add_printed(errors, field, go_int_or_string(v),
                "a valid percent string must be a numeric string followed by an ending '%' (e.g. "
                "'1%',  or '93%', regex used for validation is '[0-9]+%')");
  }
  if (v.is_int()) check_not_negative(v, field, errors);
}

void check_at_most_100_percent(const Value& v, const std::string& field, FieldErrors& errors) {
  if (v.is_string() && percent_of(v) > 100) {
    add_printed(errors, field, go_int_or_string(v), "must not be greater than 100%");
  }
}

std::string go_strings(const Value& list) {
  std::string text = "[]string{";
  for (const Value& item : list.items()) {
    if (&item != &list.items().front()) text += ", ";
    text += fmt::format("\"{}\"", item.as_string());
  }
  return text + "}";
}

std::string go_string_map(const Value& map) {
  if (!map.is_object()) return "map[string]string(nil)";
  std::string text = "map[string]string{";
  for (const value::Member& member : map.members()) {
    if (&member != &map.members().front()) text += ", ";
    text += fmt::format("\"{}\":\"{}\"", member.first, member.second.as_string());
  }
  return text + "}";
}

std::string go_selector(const Value& selector) {
  std::string expressions = "[]v1.LabelSelectorRequirement(nil)";
  const value::Array& items = selector["matchExpressions"].items();
  if (!items.empty()) {
    expressions = "[]v1.LabelSelectorRequirement{";
    for (const Value& item : items) {
      if (&item != &items.front()) expressions += ", ";
      expressions +=
          fmt::format("v1.LabelSelectorRequirement{{Key:\"{}\", Operator:\"{}\", Values:{}}}",
                      item["key"].as_string(), item["operator"].as_string(),
                      item["values"].is_array() ? go_strings(item["values"]) : "[]string(nil)");
    }
    expressions += "}";
  }
  return fmt::format("v1.LabelSelector{{MatchLabels:{}, MatchExpressions:{}}}",
                     go_string_map(selector["matchLabels"]), expressions);
}

std::string go_int_or_string(const Value& v) {
  return v.is_string()
             ? fmt::format("intstr.IntOrString{{Type:1, IntVal:0, StrVal:\"{}\"}}", v.as_string())
             : fmt::format("intstr.IntOrString{{Type:0, IntVal:{}, StrVal:\"\"}}", v.as_int());
}

std::string go_pointer(std::string_view type, const Value& v) {
  return fmt::format("(*{})({})", type, v.is_null() ? "nil" : "0xc000000000");
}

void prepare_status(const Kind&, Value& object, const Value* old) {
  if (old == nullptr) {
    object.set("status", Value::object());
  } else if (const Value* status = old->find("status"); status != nullptr) {
    object.set("status", *status);
  } else {
    object.erase("status");
  }
}

}  // namespace keelway::kinds
