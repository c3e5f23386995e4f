#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "schema/crd.h"
#include "schema/formats.h"
#include "schema/structural_schema.h"
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
        check_structural(
            schema, one_schema ? "spec.validation.openAPIV3Schema" : at + ".schema.openAPIV3Schema",
            errors);
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

namespace {

bool is_within(std::string_view group, std::string_view domain) {
  return group == domain ||
         (group.ends_with(domain) && group[group.size() - domain.size() - 1] == '.');
}

constexpr std::string_view approval = "api-approved.kubernetes.io";

// Names that others own: this server keeps records of its own under keelway.dev, and what
// Kubernetes itself may one day serve wants a word of approval, as upstream asks (KEP 1111).
void check_owner_of_group(const Value& crd, const Value* old, const std::string& group,
                          FieldErrors& errors) {
  if (is_within(group, "keelway.dev")) {
    errors.push_back(forbidden_field("spec.group", "keelway.dev is kept for the server's own"));
  }
  if (!is_within(group, "k8s.io") && !is_within(group, "kubernetes.io")) return;
  const auto approved = [](const Value& one) {
    return !one.at("metadata", "annotations", approval).string_or("").empty();
  };
  if (approved(crd) || (old != nullptr && !approved(*old))) return;
  errors.push_back(
      required("metadata.annotations[api-approved.kubernetes.io]",
               "protected groups must have approval annotation \"api-approved.kubernetes.io\", see "
               "https://github.com/kubernetes/enhancements/pull/1111"));
}

}  // namespace

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
  check_owner_of_group(crd, old, group, errors);
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
