#include "schema/structural_schema.h"

#include <fmt/core.h>

#include <algorithm>
#include <vector>

#include "schema/json_schema.h"
#include "schema/patterns.h"
#include "schema/validate.h"

namespace keelway::schema {
namespace {

using value::Value;

constexpr int kDepthMax = 200;

FieldError printed_invalid(std::string field, std::string printed, std::string detail) {
  FieldError error = invalid_value(std::move(field), nullptr, std::move(detail));
  error.printed = std::move(printed);
  return error;
}

// Checks one openAPIV3Schema for what upstream calls structural.
class StructuralCheck {
 public:
  explicit StructuralCheck(FieldErrors& errors) : errors_(errors) {}

  void root(const Value& schema, const std::string& path) {
    node(schema, path, Place::root, 0);
    const std::string& type = schema["type"].as_string();
    if (!type.empty() && type != "object") {
      errors_.push_back(invalid_value(path + ".type", type, "must be object at the root"));
    }
    metadata(schema, path);
  }

 private:
  enum class Place { root, field, item, logical };

  void node(const Value& schema, const std::string& path, Place place, int depth) {
    if (depth > kDepthMax) return;
    type(schema, path, place);
    unsupported(schema, path);
    if (const Value* pattern = schema.find("pattern"); pattern != nullptr) {
      const std::string why = pattern_error(pattern->as_string());
      if (!why.empty()) {
        errors_.push_back(invalid_value(path + ".pattern", *pattern,
                                        "must be a valid regular expression, but isn't: " + why));
      }
    }
    below(schema, path, place, depth);
    if (place == Place::logical) return;
    list_rules(schema, path);
    standard(schema, path);
    rules(schema, path);
  }

  void type(const Value& schema, const std::string& path, Place place) {
    const std::string& name = schema["type"].as_string();
    const bool open = schema["x-kubernetes-int-or-string"].as_bool() ||
                      schema["x-kubernetes-preserve-unknown-fields"].as_bool();
    if (place == Place::logical) {
      const bool in_int_or_string = name == "integer" || name == "string";
      if (!name.empty() && !in_int_or_string) {
        errors_.push_back(forbidden_field(path + ".type", "must be empty to be structural"));
      }
      return;
    }
    if (name.empty()) {
      if (open) return;
      const std::string_view where = place == Place::root   ? "at the root"
                                     : place == Place::item ? "for specified array items"
                                                            : "for specified object fields";
      errors_.push_back(required(path + ".type", fmt::format("must not be empty {}", where)));
      return;
    }
    static const std::vector<std::string> types{"array",  "boolean", "integer",
                                                "number", "object",  "string"};
    if (std::ranges::find(types, name) == types.end()) {
      errors_.push_back(not_supported(path + ".type", name, types));
    }
    if (name == "array" && !schema["items"].is_object()) {
      errors_.push_back(required(path + ".items", "must be specified"));
    }
  }

  void unsupported(const Value& schema, const std::string& path) {
    for (const char* name :
         {"$ref", "definitions", "dependencies", "patternProperties", "additionalItems", "id"}) {
      if (schema.contains(name)) {
        errors_.push_back(forbidden_field(fmt::format("{}.{}", path, name),
                                          fmt::format("{} is not supported", name)));
      }
    }
    if (schema["uniqueItems"].as_bool()) {
      errors_.push_back(forbidden_field(
          path + ".uniqueItems",
          "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"));
    }
    const Value* others = schema.find("additionalProperties");
    if (others == nullptr) return;
    if (!schema["properties"].empty() && (others->is_object() || others->as_bool())) {
      errors_.push_back(
          forbidden_field(path + ".additionalProperties",
                          "additionalProperties and properties are mutual exclusive"));
    } else if (others->type() == value::Type::boolean && !others->as_bool()) {
      errors_.push_back(forbidden_field(path + ".additionalProperties",
                                        "additionalProperties cannot be set to false"));
    }
  }

  void below(const Value& schema, const std::string& path, Place place, int depth) {
    const bool logical = place == Place::logical;
    for (const value::Member& member : schema["properties"].members()) {
      node(member.second, fmt::format("{}.properties[{}]", path, member.first),
           logical ? Place::logical : Place::field, depth + 1);
    }
    if (const Value& others = schema["additionalProperties"]; others.is_object()) {
      node(others, path + ".additionalProperties", logical ? Place::logical : Place::field,
           depth + 1);
    }
    if (const Value& items = schema["items"]; items.is_object()) {
      node(items, path + ".items", logical ? Place::logical : Place::item, depth + 1);
    }
    for (const char* name : {"allOf", "anyOf", "oneOf"}) {
      std::size_t index = 0;
      for (const Value& part : schema[name].items()) {
        node(part, fmt::format("{}.{}[{}]", path, name, index++), Place::logical, depth + 1);
      }
    }
    if (const Value& unwanted = schema["not"]; unwanted.is_object()) {
      node(unwanted, path + ".not", Place::logical, depth + 1);
    }
  }

  void list_rules(const Value& schema, const std::string& path) {
    const Value* list_type = schema.find("x-kubernetes-list-type");
    const Value& keys = schema["x-kubernetes-list-map-keys"];
    if (list_type == nullptr) {
      if (!keys.empty()) {
        errors_.push_back(required(path + ".x-kubernetes-list-type",
                                   "must be map if x-kubernetes-list-map-keys is non-empty"));
      }
      return;
    }
    const std::string& name = list_type->as_string();
    if (name != "atomic" && name != "set" && name != "map") {
      errors_.push_back(
          not_supported(path + ".x-kubernetes-list-type", *list_type, {"atomic", "map", "set"}));
    }
    if (schema["type"].as_string() != "array") {
      errors_.push_back(invalid_value(path + ".type", schema["type"],
                                      "must be array if x-kubernetes-list-type is specified"));
      return;
    }
    if (name != "map") return;
    if (keys.empty()) {
      errors_.push_back(required(path + ".x-kubernetes-list-map-keys",
                                 "must not be empty if x-kubernetes-list-type is map"));
    }
    const Value& items = schema["items"];
    for (const Value& key : keys.items()) {
      const Value* property = items["properties"].find(key.as_string());
      if (property == nullptr) {
        errors_.push_back(invalid_value(path + ".x-kubernetes-list-map-keys", keys,
                                        "entries must all be names of item properties"));
        continue;
      }
      const value::Array& needed = items["required"].items();
      if (!property->contains("default") && std::ranges::find(needed, key) == needed.end()) {
        errors_.push_back(required(
            fmt::format("{}.items.properties[{}].default", path, key.as_string()),
            "this property is in x-kubernetes-list-map-keys, so it must have a default or be a "
            "required property"));
      }
    }
  }

  void standard(const Value& schema, const std::string& path) {
    const Value* fallback = schema.find("default");
    if (fallback == nullptr) return;
    const std::string field = path + ".default";
    if (has_unknown(schema, *fallback)) {
      errors_.push_back(
          printed_invalid(field, go_syntax(*fallback), "must not have unknown fields"));
      return;
    }
    FieldErrors found;
    check_json_schema(schema, *fallback, nullptr, patterns_, found);
    for (FieldError& error : found) {
      if (error.field == "<nil>") continue;
      error.field = error.field.empty() ? field : field + "." + error.field;
      errors_.push_back(std::move(error));
    }
  }

  static bool has_unknown(const Value& schema, const Value& v, int depth = 0) {
    if (schema["x-kubernetes-preserve-unknown-fields"].as_bool() || depth > kDepthMax) return false;
    if (v.is_array()) {
      return std::ranges::any_of(v.items(), [&](const Value& item) {
        return has_unknown(schema["items"], item, depth + 1);
      });
    }
    if (!v.is_object()) return false;
    const Value& others = schema["additionalProperties"];
    if (others.as_bool()) return false;
    for (const value::Member& member : v.members()) {
      const Value* property = schema["properties"].find(member.first);
      if (property == nullptr && others.is_object()) property = &others;
      if (property == nullptr || has_unknown(*property, member.second, depth + 1)) return true;
    }
    return false;
  }

  void rules(const Value& schema, const std::string& path) {
    std::size_t index = 0;
    for (const Value& rule : schema["x-kubernetes-validations"].items()) {
      const std::string at = fmt::format("{}.x-kubernetes-validations[{}]", path, index++);
      if (rule["rule"].as_string().empty()) {
        errors_.push_back(required(at + ".rule", "rule is not specified"));
      }
      static const std::vector<std::string> reasons{"FieldValueDuplicate", "FieldValueForbidden",
                                                    "FieldValueInvalid", "FieldValueRequired"};
      if (const Value* reason = rule.find("reason");
          reason != nullptr && std::ranges::find(reasons, reason->as_string()) == reasons.end()) {
        errors_.push_back(not_supported(at + ".reason", *reason, reasons));
      }
      std::string_view field = rule["fieldPath"].as_string();
      if (field.empty()) continue;
      field.remove_prefix(field.starts_with('.') ? 1 : 0);
      const std::string_view first = field.substr(0, field.find_first_of(".["));
      const bool known = schema["properties"].contains(first) ||
                         schema["additionalProperties"].is_object() || first.empty();
      if (!known) {
        errors_.push_back(
            invalid_value(at + ".fieldPath", rule["fieldPath"], "fieldPath must be a valid path"));
      }
    }
  }

  void metadata(const Value& schema, const std::string& path) {
    const Value* meta = schema["properties"].find("metadata");
    if (meta == nullptr) return;
    const bool more = std::ranges::any_of(meta->members(), [](const value::Member& member) {
      return member.first != "type" && member.first != "properties" &&
             member.first != "description";
    });
    const bool others =
        std::ranges::any_of((*meta)["properties"].members(), [](const value::Member& member) {
          return member.first != "name" && member.first != "generateName";
        });
    if (more || others) {
      errors_.push_back(forbidden_field(path + ".properties[metadata]",
                                        "must not specify anything other than name and "
                                        "generateName, but metadata is implicitly specified"));
    }
  }

  Patterns patterns_;
  FieldErrors& errors_;
};

}  // namespace

void check_structural(const Value& schema, const std::string& path, FieldErrors& errors) {
  StructuralCheck(errors).root(schema, path);
}

}  // namespace keelway::schema
