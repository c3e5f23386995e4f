#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "schema/crd.h"
#include "schema/formats.h"
#include "schema/json_schema.h"
#include "schema/validate.h"
#include "value/json.h"

namespace keelway::schema {
namespace {

using value::Value;

constexpr int kDepthMax = 200;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string joined(const Complaints& complaints) {
  std::string text;
  for (const std::string& what : complaints) {
    if (!text.empty()) text += ",";
    text += what;
  }
  return text;
}

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
    check_json_schema(schema, *fallback, nullptr, found);
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

  FieldErrors& errors_;
};

void check_names(const Value& names, FieldErrors& errors) {
  const auto label = [&](const std::string& field, const std::string& text, bool mixed) {
    if (text.empty()) {
      errors.push_back(required(field));
      return;
    }
    const Complaints complaints = check_dns1035_label(mixed ? lower(text) : text);
    if (complaints.empty()) return;
    errors.push_back(invalid_value(
        field, text,
        (mixed ? "may have mixed case, but should otherwise match: " : "") + joined(complaints)));
  };
  label("spec.names.plural", names["plural"].as_string(), false);
  label("spec.names.singular", names["singular"].as_string(), false);
  label("spec.names.kind", names["kind"].as_string(), true);
  std::size_t index = 0;
  for (const Value& name : names["shortNames"].items()) {
    label(fmt::format("spec.names.shortNames[{}]", index++), name.as_string(), false);
  }
  label("spec.names.listKind", names["listKind"].as_string(), true);
  if (!names["kind"].as_string().empty() && names["kind"] == names["listKind"]) {
    errors.push_back(invalid_value("spec.names.listKind", names["listKind"],
                                   "kind and listKind may not be the same"));
  }
  index = 0;
  for (const Value& name : names["categories"].items()) {
    label(fmt::format("spec.names.categories[{}]", index++), name.as_string(), false);
  }
}

bool is_simple_path(std::string_view path) {
  if (!path.starts_with('.') || path.size() < 2) return false;
  return std::ranges::none_of(path, [](char c) { return c == '[' || c == '*' || c == '?'; });
}

void check_scale_path(const std::string& field, const std::string& path, bool needed,
                      std::initializer_list<std::string_view> roots, std::string_view sentence,
                      FieldErrors& errors) {
  if (path.empty()) {
    if (needed) errors.push_back(required(field));
    return;
  }
  if (!is_simple_path(path)) {
    errors.push_back(invalid_value(field, path, "must be a simple json path starting with ."));
    return;
  }
  const bool below = std::ranges::any_of(roots, [&](std::string_view root) {
    return path.starts_with(root) && path.size() > root.size();
  });
  if (!below) errors.push_back(invalid_value(field, path, std::string(sentence)));
}

void check_subresources(const Value& wanted, const std::string& path, FieldErrors& errors) {
  const Value* scale = wanted.find("scale");
  if (scale == nullptr || !scale->is_object()) return;
  check_scale_path(path + ".scale.specReplicasPath", (*scale)["specReplicasPath"].as_string(), true,
                   {".spec."}, "should be a json path under .spec", errors);
  check_scale_path(path + ".scale.statusReplicasPath", (*scale)["statusReplicasPath"].as_string(),
                   true, {".status."}, "should be a json path under .status", errors);
  check_scale_path(path + ".scale.labelSelectorPath", (*scale)["labelSelectorPath"].as_string(),
                   false, {".spec.", ".status."}, "should be a json path under .spec or .status",
                   errors);
}

void check_columns(const Value& columns, const std::string& path, FieldErrors& errors) {
  static const std::vector<std::string> types{"boolean", "date", "integer", "number", "string"};
  std::size_t index = 0;
  for (const Value& column : columns.items()) {
    const std::string at = fmt::format("{}[{}]", path, index++);
    if (column["name"].as_string().empty()) errors.push_back(required(at + ".name"));
    const std::string& type = column["type"].as_string();
    if (type.empty()) {
      errors.push_back(required(at + ".type", "must be one of boolean,date,integer,number,string"));
    } else if (std::ranges::find(types, type) == types.end()) {
      errors.push_back(
          invalid_value(at + ".type", type, "must be one of boolean,date,integer,number,string"));
    }
    const std::string& json_path = column["jsonPath"].as_string();
    if (json_path.empty())
      errors.push_back(required(at + ".JSONPath"));
    else if (!json_path.starts_with('.') && !json_path.starts_with('{')) {
      errors.push_back(
          invalid_value(at + ".JSONPath", json_path, "must be a simple json path starting with ."));
    }
  }
}

// Upstream's internal form keeps what all versions share at the top of the spec.
bool all_share(const Value& versions, std::string_view name) {
  const value::Array& items = versions.items();
  return std::ranges::all_of(
      items, [&](const Value& version) { return version[name] == items.front()[name]; });
}

void check_version_bodies(const Value& versions, FieldErrors& errors) {
  if (versions.empty()) return;
  const bool one_schema = all_share(versions, "schema");
  const bool one_subresources = all_share(versions, "subresources");
  const bool one_columns = all_share(versions, "additionalPrinterColumns");
  std::size_t index = 0;
  for (const Value& version : versions.items()) {
    const std::string at = fmt::format("spec.versions[{}]", index);
    const bool first = index++ == 0;
    const Value& schema = version.at("schema", "openAPIV3Schema");
    if (first || !one_schema) {
      if (!schema.is_object()) {
        errors.push_back(required(at + ".schema.openAPIV3Schema", "schemas are required"));
      } else {
        StructuralCheck(errors).root(schema, one_schema ? "spec.validation.openAPIV3Schema"
                                                        : at + ".schema.openAPIV3Schema");
      }
    }
    if (first || !one_subresources) {
      check_subresources(version["subresources"],
                         one_subresources ? "spec.subresources" : at + ".subresources", errors);
    }
    if (first || !one_columns) {
      check_columns(
          version["additionalPrinterColumns"],
          one_columns ? "spec.additionalPrinterColumns" : at + ".additionalPrinterColumns", errors);
    }
  }
}

std::string bool_text(const Value& v) {
  return v.as_bool() ? "true" : "false";
}

std::string print_versions(const Value& versions) {
  if (versions.empty()) return "[]apiextensions.CustomResourceDefinitionVersion(nil)";
  std::string text = "[]apiextensions.CustomResourceDefinitionVersion{";
  for (const Value& version : versions.items()) {
    if (&version != &versions.items().front()) text += ", ";
    text += fmt::format(
        "apiextensions.CustomResourceDefinitionVersion{{Name:\"{}\", Served:{}, Storage:{}, "
        "Deprecated:{}, DeprecationWarning:(*string)(nil), "
        "Schema:(*apiextensions.CustomResourceValidation)(nil), "
        "Subresources:(*apiextensions.CustomResourceSubresources)(nil), "
        "AdditionalPrinterColumns:[]apiextensions.CustomResourceColumnDefinition(nil), "
        "SelectableFields:[]apiextensions.SelectableField(nil)}}",
        version["name"].as_string(), bool_text(version["served"]), bool_text(version["storage"]),
        bool_text(version["deprecated"]));
  }
  return text + "}";
}

void check_versions(const Value& versions, FieldErrors& errors) {
  std::set<std::string> names;
  std::size_t index = 0;
  int storages = 0;
  bool unique = true;
  for (const Value& version : versions.items()) {
    const std::string at = fmt::format("spec.versions[{}]", index++);
    const std::string& name = version["name"].as_string();
    const Complaints complaints = check_dns1035_label(name);
    if (!complaints.empty()) {
      errors.push_back(invalid_value(at + ".name", name, joined(complaints)));
    }
    unique = names.insert(name).second && unique;
    if (version["storage"].as_bool()) ++storages;
    if (version.contains("deprecationWarning") && !version["deprecated"].as_bool()) {
      errors.push_back(invalid_value(at + ".deprecationWarning", version["deprecationWarning"],
                                     "can only be set for deprecated versions"));
    }
  }
  if (!unique) {
    errors.push_back(printed_invalid("spec.versions", print_versions(versions),
                                     "must contain unique version names"));
  }
  if (storages != 1) {
    errors.push_back(printed_invalid("spec.versions", print_versions(versions),
                                     "must have exactly one version marked as storage version"));
  }
  const std::string& first = versions[0]["name"].as_string();
  const Complaints complaints = check_dns1035_label(first);
  if (!first.empty() && !complaints.empty()) {
    errors.push_back(invalid_value("spec.version", first, joined(complaints)));
  }
}

void check_conversion(const Value& conversion, FieldErrors& errors) {
  const std::string& strategy = conversion["strategy"].as_string();
  if (strategy.empty() || strategy == "None") {
    if (conversion["webhook"].is_object()) {
      errors.push_back(forbidden_field("spec.conversion.webhookClientConfig",
                                       "should not be set when strategy is not set to Webhook"));
    }
    return;
  }
  if (strategy != "Webhook") {
    errors.push_back(not_supported("spec.conversion.strategy", strategy, {"None", "Webhook"}));
  } else if (!conversion.at("webhook", "clientConfig").is_object()) {
    errors.push_back(required("spec.conversion.webhookClientConfig",
                              "required when strategy is set to Webhook"));
  }
}

void check_stored(const Value& crd, FieldErrors& errors) {
  const Value& stored = crd.at("status", "storedVersions");
  const Value& versions = crd.at("spec", "versions");
  if (stored.empty()) {
    errors.push_back(printed_invalid("status.storedVersions", "[]string(nil)",
                                     "must have at least one stored version"));
    return;
  }
  std::size_t index = 0;
  for (const Value& name : stored.items()) {
    const std::string at = fmt::format("status.storedVersions[{}]", index++);
    const bool known = std::ranges::any_of(
        versions.items(), [&](const Value& version) { return version["name"] == name; });
    if (known) continue;
    errors.push_back(invalid_value(
        at, name,
        fmt::format("missing from spec.versions; {0} was previously a storage version, and must "
                    "remain in spec.versions until a storage migration ensures no data remains "
                    "persisted in {0} and removes {0} from status.storedVersions",
                    name.as_string())));
  }
}

bool is_established(const Value& crd) {
  return std::ranges::any_of(crd.at("status", "conditions").items(), [](const Value& condition) {
    return condition["type"].as_string() == "Established" &&
           condition["status"].as_string() == "True";
  });
}

bool uses_rules(const Value& schema, int depth = 0) {
  if (depth > kDepthMax) return false;
  if (!schema["x-kubernetes-validations"].empty()) return true;
  for (const value::Member& member : schema["properties"].members()) {
    if (uses_rules(member.second, depth + 1)) return true;
  }
  return (schema["items"].is_object() && uses_rules(schema["items"], depth + 1)) ||
         (schema["additionalProperties"].is_object() &&
          uses_rules(schema["additionalProperties"], depth + 1));
}

}  // namespace

void default_crd(Value& crd) {
  Value& spec = crd.mutate("spec");
  const std::string kind = spec.at("names", "kind").as_string();
  if (!kind.empty()) {
    if (spec.at("names", "singular").as_string().empty()) {
      spec.mutate("names").set("singular", lower(kind));
    }
    if (spec.at("names", "listKind").as_string().empty()) {
      spec.mutate("names").set("listKind", kind + "List");
    }
  }
  if (spec.at("conversion", "strategy").as_string().empty()) {
    spec.mutate("conversion").set("strategy", "None");
  }
  if (spec.at("conversion", "webhook", "clientConfig", "service").is_object()) {
    Value& service = spec.mutate("conversion", "webhook", "clientConfig", "service");
    if (!service.contains("port")) service.set("port", 443);
  }
}

void validate_crd(const Value& crd, const Value* old, FieldErrors& errors) {
  const Value& spec = crd["spec"];
  const std::string& group = spec["group"].as_string();
  const std::string& name = crd.at("metadata", "name").as_string();
  if (name != fmt::format("{}.{}", spec.at("names", "plural").as_string(), group)) {
    errors.push_back(
        invalid_value("metadata.name", name, "must be spec.names.plural+\".\"+spec.group"));
  }
  const Complaints complaints = check_dns1123_subdomain(group);
  if (group.empty())
    errors.push_back(required("spec.group"));
  else if (!complaints.empty()) {
    errors.push_back(invalid_value("spec.group", group, joined(complaints)));
  } else if (group.find('.') == std::string::npos) {
    errors.push_back(
        invalid_value("spec.group", group, "should be a domain with at least one dot"));
  }
  const std::string& scope = spec["scope"].as_string();
  if (scope.empty())
    errors.push_back(required("spec.scope"));
  else if (scope != "Cluster" && scope != "Namespaced") {
    errors.push_back(not_supported("spec.scope", scope, {"Cluster", "Namespaced"}));
  }
  check_versions(spec["versions"], errors);
  check_names(spec["names"], errors);
  check_version_bodies(spec["versions"], errors);
  check_conversion(spec["conversion"], errors);
  check_stored(crd, errors);
  if (old == nullptr || !is_established(*old)) return;
  validate_immutable(spec["scope"], old->at("spec", "scope"), "spec.scope", errors);
  validate_immutable(spec.at("names", "kind"), old->at("spec", "names", "kind"), "spec.names.kind",
                     errors);
}

std::vector<std::string> crd_warnings(const Value& crd) {
  std::vector<std::string> warnings;
  for (const Value& version : crd.at("spec", "versions").items()) {
    if (!uses_rules(version.at("schema", "openAPIV3Schema"))) continue;
    warnings.push_back(
        fmt::format("x-kubernetes-validations of version \"{}\" are kept and published, but this "
                    "server does not evaluate them",
                    version["name"].as_string()));
  }
  return warnings;
}

}  // namespace keelway::schema
