#include "schema/json_schema.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "schema/formats.h"
#include "schema/patterns.h"
#include "schema/validate.h"
#include "value/json.h"

namespace keelway::schema {
namespace {

using value::Type;
using value::Value;

constexpr int kDepthMax = 200;
constexpr std::size_t kErrorsMax = 500;

bool is_whole(const Value& v) {
  return v.is_int() || (v.is_number() && std::floor(v.as_double()) == v.as_double());
}

std::string type_name(const Value& v) {
  switch (v.type()) {
    case Type::null:
      return "null";
    case Type::boolean:
      return "boolean";
    case Type::integer:
      return "integer";
    case Type::number:
      return is_whole(v) ? "integer" : "number";
    case Type::string:
      return "string";
    case Type::array:
      return "array";
    case Type::object:
      return "object";
  }
  return "";
}

std::size_t code_points(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) ++count;
  }
  return count;
}

std::string number_text(const Value& v) {
  return v.is_int() ? std::to_string(v.as_int()) : value::to_json(v);
}

std::string joined(const std::string& path, std::string_view name) {
  return path.empty() ? std::string(name) : fmt::format("{}.{}", path, name);
}

// The message of a composite rule quotes the path.
FieldError composite(const std::string& path, std::string_view what) {
  return invalid_value(path.empty() ? "<nil>" : path, "",
                       fmt::format("\"{}\" must {}", path, what));
}

class Check {
 public:
  Check(Patterns& patterns, FieldErrors& errors) : patterns_(patterns), errors_(errors) {}

  void node(const Value& schema, const Value& v, const Value* old, const std::string& path,
            int depth) {
    if (depth > kDepthMax || errors_.size() >= kErrorsMax) return;
    if (old != nullptr && *old == v) return;
    if (v.is_null() && schema["nullable"].as_bool()) return;
    type_of(schema, v, path);
    combined(schema, v, path, depth);
    if (v.is_string()) text(schema, v, path);
    if (v.is_number()) number(schema, v, path);
    if (v.is_array()) items(schema, v, old, path, depth);
    enumeration(schema, v, path);
    if (v.is_object()) members(schema, v, old, path, depth);
  }

 private:
  void type_of(const Value& schema, const Value& v, const std::string& path) {
    const std::string& wanted = schema["type"].as_string();
    const std::string actual = type_name(v);
    const bool either = schema["x-kubernetes-int-or-string"].as_bool();
    if (either) {
      if (actual == "integer" || actual == "string") return;
    } else if (wanted.empty() || wanted == actual || (wanted == "number" && actual == "integer")) {
      return;
    }
    FieldError error = invalid_value(path, actual,
                                     fmt::format("{} in body must be of type {}: \"{}\"", path,
                                                 either ? "integer,string" : wanted, actual));
    error.type = FieldError::Type::type_invalid;
    errors_.push_back(std::move(error));
  }

  bool holds(const Value& schema, const Value& v, const std::string& path, int depth,
             FieldErrors* found = nullptr) const {
    FieldErrors errors;
    Check(patterns_, errors).node(schema, v, nullptr, path, depth + 1);
    if (found != nullptr) *found = errors;
    return errors.empty();
  }

  void combined(const Value& schema, const Value& v, const std::string& path, int depth) {
    if (const Value* any = schema.find("anyOf"); any != nullptr && !any->empty()) {
      FieldErrors best;
      bool found = false;
      for (const Value& choice : any->items()) {
        FieldErrors errors;
        if (holds(choice, v, path, depth, &errors)) {
          found = true;
          break;
        }
        if (best.empty() || errors.size() < best.size()) best = std::move(errors);
      }
      if (!found) {
        errors_.push_back(composite(path, "validate at least one schema (anyOf)"));
        errors_.insert(errors_.end(), best.begin(), best.end());
      }
    }
    if (const Value* one = schema.find("oneOf"); one != nullptr && !one->empty()) {
      FieldErrors best;
      int valid = 0;
      for (const Value& choice : one->items()) {
        FieldErrors errors;
        if (holds(choice, v, path, depth, &errors))
          ++valid;
        else if (best.empty() || errors.size() < best.size())
          best = std::move(errors);
      }
      if (valid != 1) {
        errors_.push_back(composite(
            path, valid == 0 ? std::string("validate one and only one schema (oneOf). Found none "
                                           "valid")
                             : fmt::format("validate one and only one schema (oneOf). Found {} "
                                           "valid alternatives",
                                           valid)));
        if (valid == 0) errors_.insert(errors_.end(), best.begin(), best.end());
      }
    }
    if (const Value* all = schema.find("allOf"); all != nullptr && !all->empty()) {
      FieldErrors nested;
      for (const Value& part : all->items()) {
        FieldErrors errors;
        if (!holds(part, v, path, depth, &errors)) {
          nested.insert(nested.end(), errors.begin(), errors.end());
        }
      }
      if (!nested.empty()) {
        errors_.push_back(composite(path, "validate all the schemas (allOf)"));
        errors_.insert(errors_.end(), nested.begin(), nested.end());
      }
    }
    if (const Value* unwanted = schema.find("not"); unwanted != nullptr) {
      if (holds(*unwanted, v, path, depth)) {
        errors_.push_back(composite(path, "not validate the schema (not)"));
      }
    }
  }

  void text(const Value& schema, const Value& v, const std::string& path) {
    const std::string& content = v.as_string();
    const auto length = static_cast<std::int64_t>(code_points(content));
    if (const Value* most = schema.find("maxLength"); most && length > most->as_int()) {
      errors_.push_back(too_long(path, static_cast<std::size_t>(most->as_int())));
    }
    if (const Value* least = schema.find("minLength"); least && length < least->as_int()) {
      errors_.push_back(invalid_value(
          path, v,
          fmt::format("{} in body should be at least {} chars long", path, least->as_int())));
    }
    if (const Value* pattern = schema.find("pattern"); pattern && !pattern->as_string().empty()) {
      if (!patterns_.match(pattern->as_string(), content).value_or(true)) {
        errors_.push_back(invalid_value(
            path, v, fmt::format("{} in body should match '{}'", path, pattern->as_string())));
      }
    }
    if (const Value* format = schema.find("format"); format != nullptr) {
      if (!matches_format(format->as_string(), content).value_or(true)) {
        errors_.push_back(invalid_value(path, v,
                                        fmt::format("{} in body must be of type {}: \"{}\"", path,
                                                    format->as_string(), content)));
      }
    }
  }

  void number(const Value& schema, const Value& v, const std::string& path) {
    const double amount = v.as_double();
    const auto complain = [&](std::string_view what, const Value& bound) {
      errors_.push_back(invalid_value(
          path, v, fmt::format("{} in body should be {} {}", path, what, number_text(bound))));
    };
    if (const Value* step = schema.find("multipleOf"); step && step->as_double() != 0) {
      const double ratio = amount / step->as_double();
      if (std::floor(ratio) != ratio) complain("a multiple of", *step);
    }
    if (const Value* most = schema.find("maximum"); most != nullptr) {
      const bool open = schema["exclusiveMaximum"].as_bool();
      if (open && amount >= most->as_double()) complain("less than", *most);
      if (!open && amount > most->as_double()) complain("less than or equal to", *most);
    }
    if (const Value* least = schema.find("minimum"); least != nullptr) {
      const bool open = schema["exclusiveMinimum"].as_bool();
      if (open && amount <= least->as_double()) complain("greater than", *least);
      if (!open && amount < least->as_double()) complain("greater than or equal to", *least);
    }
  }

  static std::string keys_of(const Value& schema, const Value& item) {
    std::string text;
    for (const Value& key : schema["x-kubernetes-list-map-keys"].items()) {
      text += value::to_json(item[key.as_string()]) + ',';
    }
    return text;
  }

  using ByKeys = std::map<std::string, const Value*>;
  // The items of the old list by their keys; only list-type map can be followed.
  static ByKeys counterparts(const Value& schema, const Value* old) {
    ByKeys found;
    if (old == nullptr || schema["x-kubernetes-list-type"].as_string() != "map") return found;
    for (const Value& item : old->items()) found.try_emplace(keys_of(schema, item), &item);
    return found;
  }

  void each_item(const Value& schema, const Value& v, const Value* old, const std::string& path,
                 int depth) {
    const ByKeys before = counterparts(schema, old);
    std::size_t index = 0;
    for (const Value& item : v.items()) {
      const auto same = before.empty() ? before.end() : before.find(keys_of(schema, item));
      node(schema["items"], item, same == before.end() ? nullptr : same->second,
           fmt::format("{}[{}]", path, index++), depth + 1);
    }
  }

  void items(const Value& schema, const Value& v, const Value* old, const std::string& path,
             int depth) {
    const auto count = static_cast<std::int64_t>(v.size());
    const Value* limit = schema.find("maxItems");
    // Too long a list is not read to its end.
    const bool fits = limit == nullptr || count <= limit->as_int();
    if (fits && schema["items"].is_object()) each_item(schema, v, old, path, depth);
    if (const Value* least = schema.find("minItems"); least && count < least->as_int()) {
      errors_.push_back(invalid_value(
          path, count,
          fmt::format("{} in body should have at least {} items", path, least->as_int())));
    }
    if (!fits) {
      errors_.push_back(too_many(path, v.size(), static_cast<std::size_t>(limit->as_int())));
    }
    if (schema["uniqueItems"].as_bool()) {
      std::set<std::string> seen;
      for (const Value& item : v.items()) {
        if (!seen.insert(value::to_json(item)).second) {
          errors_.push_back(
              invalid_value(path, v, fmt::format("{} in body shouldn't contain duplicates", path)));
          break;
        }
      }
    }
  }

  void enumeration(const Value& schema, const Value& v, const std::string& path) {
    const Value* choices = schema.find("enum");
    if (choices == nullptr || choices->empty()) return;
    std::vector<std::string> names;
    for (const Value& choice : choices->items()) {
      if (choice == v) return;
      names.push_back(choice.is_string() ? choice.as_string() : value::to_json(choice));
    }
    errors_.push_back(not_supported(path, v, std::move(names)));
  }

  void members(const Value& schema, const Value& v, const Value* old, const std::string& path,
               int depth) {
    const auto count = static_cast<std::int64_t>(v.size());
    if (const Value* most = schema.find("maxProperties"); most && count > most->as_int()) {
      errors_.push_back(too_many(path, v.size(), static_cast<std::size_t>(most->as_int())));
    }
    if (const Value* least = schema.find("minProperties"); least && count < least->as_int()) {
      errors_.push_back(invalid_value(
          path, count,
          fmt::format("{} in body should have at least {} properties", path, least->as_int())));
    }
    for (const Value& name : schema["required"].items()) {
      if (!v.contains(name.as_string()))
        errors_.push_back(required(joined(path, name.as_string())));
    }
    if (schema["x-kubernetes-embedded-resource"].as_bool()) identity(v, path);
    const Value& properties = schema["properties"];
    const Value& others = schema["additionalProperties"];
    for (const value::Member& member : v.members()) {
      const Value* below = properties.find(member.first);
      if (below == nullptr && others.is_object()) below = &others;
      if (below == nullptr) continue;
      node(*below, member.second, old != nullptr ? old->find(member.first) : nullptr,
           joined(path, member.first), depth + 1);
    }
  }

  void identity(const Value& v, const std::string& path) {
    for (const char* name : {"apiVersion", "kind"}) {
      if (v[name].as_string().empty()) {
        errors_.push_back(required(joined(path, name), "must not be empty"));
      }
    }
  }

  Patterns& patterns_;
  FieldErrors& errors_;
};

// x-kubernetes-list-type set and map hold each item, or key, once.
class ListCheck {
 public:
  explicit ListCheck(FieldErrors& errors) : errors_(errors) {}

  void node(const Value& schema, const Value& v, const Value* old, const std::string& path,
            int depth) {
    if (depth > kDepthMax || (old != nullptr && *old == v)) return;
    if (v.is_array()) {
      duplicates(schema, v, path);
      std::size_t index = 0;
      for (const Value& item : v.items()) {
        node(schema["items"], item, nullptr, fmt::format("{}[{}]", path, index++), depth + 1);
      }
    } else if (v.is_object()) {
      for (const value::Member& member : v.members()) {
        const Value* below = schema["properties"].find(member.first);
        if (below == nullptr) below = &schema["additionalProperties"];
        if (!below->is_object()) continue;
        node(*below, member.second, old != nullptr ? old->find(member.first) : nullptr,
             joined(path, member.first), depth + 1);
      }
    }
  }

 private:
  void duplicates(const Value& schema, const Value& v, const std::string& path) {
    const std::string& type = schema["x-kubernetes-list-type"].as_string();
    if (type != "set" && type != "map") return;
    std::set<std::string> seen;
    std::size_t index = 0;
    for (const Value& item : v.items()) {
      Value identity = item;
      if (type == "map") {
        identity = Value::object();
        for (const Value& key : schema["x-kubernetes-list-map-keys"].items()) {
          if (const Value* part = item.find(key.as_string())) identity.set(key.as_string(), *part);
        }
      }
      if (!seen.insert(value::to_json(identity)).second) {
        FieldError error = duplicate_value(fmt::format("{}[{}]", path, index), identity);
        if (!identity.is_string()) error.printed = go_syntax(identity);
        errors_.push_back(std::move(error));
      }
      ++index;
    }
  }

  FieldErrors& errors_;
};

bool has_rules(const Value& schema, int depth = 0) {
  if (depth > kDepthMax) return false;
  if (!schema["x-kubernetes-validations"].empty()) return true;
  for (const value::Member& member : schema["properties"].members()) {
    if (has_rules(member.second, depth + 1)) return true;
  }
  for (const char* below : {"items", "additionalProperties"}) {
    if (schema[below].is_object() && has_rules(schema[below], depth + 1)) return true;
  }
  return false;
}

bool hides_rules(const FieldError& error) {
  using enum FieldError::Type;
  return error.type == not_supported || error.type == required || error.type == too_long ||
         error.type == too_many || error.type == type_invalid;
}

}  // namespace

void check_json_schema(const Value& schema, const Value& object, const Value* old,
                       Patterns& patterns, FieldErrors& errors) {
  FieldErrors found;
  Check(patterns, found).node(schema, object, old, "", 0);
  ListCheck(found).node(schema, object, old, "", 0);
  const bool hidden = std::ranges::any_of(found, hides_rules);
  errors.insert(errors.end(), found.begin(), found.end());
  if (hidden && has_rules(schema)) {
    errors.push_back(invalid_value("<nil>", nullptr,
                                   "some validation rules were not checked because the object was "
                                   "invalid; correct the existing errors to complete validation"));
  }
}

std::string go_syntax(const Value& v) {
  switch (v.type()) {
    case Type::null:
      return "interface {}(nil)";
    case Type::array: {
      std::string text = "[]interface {}{";
      for (const Value& item : v.items()) {
        if (&item != &v.items().front()) text += ", ";
        text += go_syntax(item);
      }
      return text + "}";
    }
    case Type::object: {
      std::string text = "map[string]interface {}{";
      for (const value::Member& member : v.members()) {
        if (&member != &v.members().front()) text += ", ";
        text += fmt::format("\"{}\":{}", member.first, go_syntax(member.second));
      }
      return text + "}";
    }
    default:
      return value::to_json(v);
  }
}

}  // namespace keelway::schema
