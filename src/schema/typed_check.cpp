// Why an applied document cannot be typed.
#include <fmt/core.h>

#include <set>

#include "schema/go_print.h"
#include "schema/typed_fields.h"
#include "value/json.h"

namespace keelway::schema {
namespace {

using value::Value;

constexpr std::size_t kErrorsMax = 20;

class Checker {
 public:
  void walk(const Shape* shape, const Value& v) {
    if (shape == nullptr || v.is_null() || errors_.size() >= kErrorsMax) return;
    switch (shape->type) {
      case FieldType::any:
        return;
      case FieldType::object:
      case FieldType::map:
        if (!v.is_object()) return fail(fmt::format("expected map, got &{{{}}}", go_print(v)));
        return members(*shape, v);
      case FieldType::array:
        if (!v.is_array()) return fail(fmt::format("expected list, got &{{{}}}", go_print(v)));
        return items(*shape, v);
      case FieldType::integer:
      case FieldType::number:
        if (v.is_number()) return;
        return fail(fmt::format("expected numeric (int or float), got {}", go_type(v)));
      case FieldType::boolean:
        if (v.is_bool()) return;
        return fail(fmt::format("expected boolean, got &{{{}}}", go_print(v)));
      case FieldType::int_or_string:
      case FieldType::quantity:
        if (!v.is_object() && !v.is_array()) return;
        return fail(fmt::format("expected any scalar, got &{{{}}}", go_print(v)));
      default:
        if (v.is_string()) return;
        return fail(
            fmt::format("expected string, got &value.valueUnstructured{{Value:{}}}", go_print(v)));
    }
  }

  std::optional<std::string> result() const {
    if (errors_.empty()) return std::nullopt;
    if (errors_.size() == 1) return errors_[0];
    std::string text = "errors:";
    for (const std::string& error : errors_) text += "\n  " + error;
    return text;
  }

 private:
  static std::string_view go_type(const Value& v) {
    if (v.is_string()) return "string";
    if (v.is_bool()) return "bool";
    return v.is_array() ? "[]interface {}" : "map[string]interface {}";
  }

  void fail(std::string message) {
    errors_.push_back(path_.empty() ? std::move(message) : path_ + ": " + message);
  }

  void members(const Shape& shape, const Value& v) {
    for (const auto& [name, member] : v.members()) {
      const std::size_t mark = path_.size();
      path_ += "." + name;
      const Field* field = nullptr;
      const Shape* inner = member_shape(&shape, name, &field);
      const bool declared = field != nullptr || shape.type == FieldType::map ||
                            shape.preserve_unknown || shape.element != nullptr;
      if (!declared)
        fail("field not declared in schema");
      else
        walk(inner, member);
      path_.resize(mark);
    }
  }

  void items(const Shape& shape, const Value& v) {
    const Ownership ownership = ownership_of(&shape, v);
    std::set<std::string> seen;
    std::size_t position = 0;
    for (const Value& item : v.items()) {
      const std::size_t mark = path_.size();
      if (ownership == Ownership::leaf) {
        path_ += fmt::format("[{}]", position++);
      } else {
        const std::string element = keyed_element(shape, item, ownership, position++);
        if (element.empty()) continue;
        if (!seen.insert(element).second) {
          fail(fmt::format("duplicate entries for key {}", element_text(element)));
          continue;
        }
        path_ += element_text(element);
      }
      walk(shape.element, item);
      path_.resize(mark);
    }
  }

  // Empty, with the reason noted, if the item cannot be named.
  std::string keyed_element(const Shape& shape, const Value& item, Ownership ownership,
                            std::size_t position) {
    std::string why;
    std::string element;
    if (ownership == Ownership::list_set) {
      if (item.is_null())
        why = "associative list without keys has an element that's null";
      else if (item.is_object())
        why = "associative list without keys has an element that's a map type";
      else if (item.is_array())
        why = "not supporting list of lists";
      else
        return item_element(shape, item, ownership);
    } else if (item.is_null()) {
      why = "associative list with keys may not have a null element";
    } else if (!item.is_object()) {
      why = "associative list with keys may not have non-map elements";
    } else {
      element = item_element(shape, item, ownership);
      if (!element.empty()) return element;
      std::string keys;
      for (const std::string_view key : shape.list_keys) {
        keys += (keys.empty() ? "\"" : " \"") + std::string(key) + "\"";
      }
      why = fmt::format(
          "associative list with keys has an element that omits all key fields [{}] "
          "(and doesn't have default values for any key fields)",
          keys);
    }
    fail(fmt::format("element {}: {}", position, why));
    return "";
  }

  std::string path_;
  std::vector<std::string> errors_;
};

}  // namespace

std::optional<std::string> typing_error(const Shape* shape, const Value& v) {
  Checker checker;
  checker.walk(shape, v);
  return checker.result();
}

}  // namespace keelway::schema
