#include "schema/openapi_schemas.h"

#include <algorithm>
#include <array>
#include <set>

#include "value/json.h"

namespace keelway::schema {
namespace {

using value::Array;
using value::Value;

constexpr std::string_view kMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.";
constexpr std::string_view kQuantity = "io.k8s.apimachinery.pkg.api.resource.Quantity";
constexpr std::string_view kIntOrString = "io.k8s.apimachinery.pkg.util.intstr.IntOrString";
// Kinds that every group and version understands.
constexpr std::string_view kOptions = "DeleteOptions";

Value typed(std::string_view type, std::string_view format = {}) {
  Value schema = Value::object({{"type", type}});
  if (!format.empty()) schema.set("format", format);
  return schema;
}

Value names(std::span<const std::string_view> words) {
  Array items;
  for (const std::string_view word : words) items.emplace_back(word);
  return Value(std::move(items));
}

Value kind_entry(std::string_view group, std::string_view version, std::string_view kind) {
  return Value::object({{"group", group}, {"version", version}, {"kind", kind}});
}

// "io.k8s.api.apps.v1.Deployment" -> "io.k8s.api.apps.v1.".
std::string package_of(std::string_view definition) {
  return std::string(definition.substr(0, definition.rfind('.') + 1));
}

// Swagger 2.0 knows less than a structural schema: what it cannot say is left open.
Value without_v3_features(const Value& schema) {
  if (!schema.is_object()) return schema;
  Value result = Value::object();
  const bool open = schema["x-kubernetes-preserve-unknown-fields"].as_bool() ||
                    schema["x-kubernetes-int-or-string"].as_bool() || schema["nullable"].as_bool();
  constexpr std::array<std::string_view, 9> gone{
      "allOf",   "anyOf",       "oneOf", "not", "nullable", "default", "x-kubernetes-validations",
      "example", "externalDocs"};
  for (const auto& [key, member] : schema.members()) {
    if (std::find(gone.begin(), gone.end(), key) != gone.end()) continue;
    const bool structure = key == "type" || key == "properties" || key == "items" ||
                           key == "additionalProperties" || key == "required" || key == "format" ||
                           key == "enum";
    if (open && structure) continue;
    if (key == "properties") {
      Value properties = Value::object();
      for (const auto& [name, property] : member.members()) {
        properties.set(name, without_v3_features(property));
      }
      result.set(key, std::move(properties));
    } else if (key == "items" || key == "additionalProperties") {
      result.set(key, without_v3_features(member));
    } else {
      result.set(key, member);
    }
  }
  return result;
}

}  // namespace

OpenApiSchemas::OpenApiSchemas(OpenApiForm form, const KindSet& kinds)
    : form_(form), kinds_(kinds) {
  std::set<std::pair<std::string_view, std::string_view>> versions;
  for (const Kind* kind : kinds.all()) {
    if (kind->root == nullptr) continue;
    versions.emplace(kind->group, kind->version);
    if (kind->custom) continue;
    kinds_of_struct_[std::string(kind->root->name)].push_back(
        kind_entry(kind->group, kind->version, kind->kind));
  }
  for (const auto& [group, version] : versions) {
    kinds_of_struct_[std::string(kMeta) + std::string(kOptions)].push_back(
        kind_entry(group, version, kOptions));
  }
  kinds_of_struct_[std::string(kMeta) + "Status"].push_back(kind_entry("", "v1", "Status"));
}

Value OpenApiSchemas::ref(std::string_view name) const {
  const std::string prefix = form_ == OpenApiForm::v2 ? "#/definitions/" : "#/components/schemas/";
  return Value::object({{"$ref", prefix + std::string(name)}});
}

Value OpenApiSchemas::embedded(std::string_view name) const {
  if (form_ == OpenApiForm::v2) return ref(name);
  return Value::object({{"allOf", Value::array({ref(name)})}, {"default", Value::object()}});
}

Value OpenApiSchemas::take() {
  value::Members members;
  for (auto& [name, schema] : schemas_) members.emplace_back(name, std::move(schema));
  schemas_.clear();
  return Value::object_of(std::move(members));
}

std::string OpenApiSchemas::add_leaf(std::string_view name, Value schema) {
  schemas_.try_emplace(std::string(name), std::move(schema));
  return std::string(name);
}

std::string OpenApiSchemas::add_patch() {
  return add_leaf(std::string(kMeta) + "Patch", typed("object"));
}

std::string OpenApiSchemas::add_by_kind(std::string_view group, std::string_view version,
                                        std::string_view name) {
  const Kind* kind = kinds_.by_kind(group, version, name);
  if (kind == nullptr) kind = kinds_.by_kind("", "v1", name);
  if (kind != nullptr && kind->root != nullptr) {
    const std::string definition = add_kind(*kind);
    Value& schema = schemas_[definition];
    if (!schema.contains("x-kubernetes-group-version-kind")) {
      schema.set("x-kubernetes-group-version-kind",
                 Value::array({kind_entry(kind->group, kind->version, kind->kind)}));
    }
    return definition;
  }
  return add_leaf(std::string(kMeta) + std::string(name), typed("object"));
}

std::string OpenApiSchemas::custom_name(const Kind& kind) const {
  std::string name;  // "example.com" -> "com.example."
  std::string_view rest = kind.group;
  while (!rest.empty()) {
    const std::size_t dot = rest.rfind('.');
    name += std::string(dot == rest.npos ? rest : rest.substr(dot + 1)) + ".";
    rest = dot == rest.npos ? std::string_view() : rest.substr(0, dot);
  }
  return name + std::string(kind.version) + "." + std::string(kind.kind);
}

std::string OpenApiSchemas::add_kind(const Kind& kind) {
  if (!kind.custom) return kind.root != nullptr ? add_struct(*kind.root) : "";
  const std::string name = custom_name(kind);
  if (!schemas_.contains(name)) schemas_[name] = custom_schema(kind);
  return name;
}

std::string OpenApiSchemas::add_list(const Kind& kind) {
  const std::string item = add_kind(kind);
  if (item.empty()) return item;
  const std::string name = package_of(item) + std::string(kind.list_kind);
  if (schemas_.contains(name)) return name;
  std::string meta = std::string(kMeta) + "ListMeta";
  if (const Kind* status = kinds_.by_kind("", "v1", "Status"); status && status->root) {
    const Field* field = status->root->find("metadata");
    if (field != nullptr && field->shape.object != nullptr) meta = add_struct(*field->shape.object);
  }
  if (!schemas_.contains(meta)) add_leaf(meta, typed("object"));
  Value schema = typed("object");
  schema.set("required", names(std::array<std::string_view, 1>{"items"}));
  schema.mutate("properties") = Value::object({
      {"apiVersion", typed("string")},
      {"kind", typed("string")},
      {"metadata", embedded(meta)},
      {"items", Value::object({{"type", "array"}, {"items", embedded(item)}})},
  });
  schema.set("x-kubernetes-group-version-kind",
             Value::array({kind_entry(kind.group, kind.version, kind.list_kind)}));
  schemas_[name] = std::move(schema);
  return name;
}

std::string OpenApiSchemas::add_struct(const Struct& type) {
  std::string name(type.name);
  if (schemas_.contains(name)) return name;
  schemas_[name] = Value();  // taken: a struct may hold itself
  Value schema = struct_schema(type);
  schemas_[name] = std::move(schema);
  return name;
}

Value OpenApiSchemas::group_version_kinds(std::string_view definition) const {
  const auto found = kinds_of_struct_.find(definition);
  return found != kinds_of_struct_.end() ? Value(found->second) : Value();
}

Value OpenApiSchemas::struct_schema(const Struct& type) {
  Value schema = typed("object");
  value::Members properties;
  Array required;
  for (const Field& field : type.fields) {
    properties.emplace_back(std::string(field.name), field_schema(field));
    if (field.required) required.emplace_back(field.name);
  }
  if (!properties.empty()) schema.set("properties", Value::object_of(std::move(properties)));
  if (!required.empty()) schema.set("required", Value(std::move(required)));
  if (Value kinds = group_version_kinds(type.name); !kinds.is_null()) {
    schema.set("x-kubernetes-group-version-kind", std::move(kinds));
  }
  return schema;
}

Value OpenApiSchemas::field_schema(const Field& field) {
  Value schema = shape_schema(field.shape);
  const PatchStrategy& patch = field.patch;
  std::string strategy = patch.merge ? "merge" : patch.replace ? "replace" : "";
  if (patch.retain_keys) strategy += strategy.empty() ? "retainKeys" : ",retainKeys";
  if (!strategy.empty()) schema.set("x-kubernetes-patch-strategy", strategy);
  if (!patch.merge_key.empty()) schema.set("x-kubernetes-patch-merge-key", patch.merge_key);
  return schema;
}

// With what stands beside a reference: v3 wraps it, v2 has no room for it.
Value OpenApiSchemas::shape_schema(const Shape& shape) {
  Value schema = plain_schema(shape);
  if (form_ == OpenApiForm::v3) {
    const auto fallback = value::parse_json(shape.default_json);
    const bool plain_struct = shape.type == FieldType::object && shape.default_json == "{}";
    if (schema.contains("$ref")) schema = Value::object({{"allOf", Value::array({schema})}});
    if (!shape.default_json.empty() && fallback) schema.set("default", *fallback);
    if (plain_struct) schema.set("default", Value::object());
    if (shape.rules != nullptr && !shape.rules->enumeration.empty()) {
      schema.set("enum", names(shape.rules->enumeration));
    }
  }
  const bool map = shape.type == FieldType::map || shape.type == FieldType::object;
  if (map && shape.atomic_map) schema.set("x-kubernetes-map-type", "atomic");
  return schema;
}

Value OpenApiSchemas::plain_schema(const Shape& shape) {
  const bool v3 = form_ == OpenApiForm::v3;
  switch (shape.type) {
    case FieldType::object:
      return shape.object != nullptr ? ref(add_struct(*shape.object)) : typed("object");
    case FieldType::array: {
      Value schema = typed("array");
      schema.set("items",
                 shape.element != nullptr ? shape_schema(*shape.element) : Value::object());
      constexpr std::string_view words[] = {"atomic", "set", "map"};
      schema.set("x-kubernetes-list-type", words[static_cast<int>(shape.list_type)]);
      if (!shape.list_keys.empty())
        schema.set("x-kubernetes-list-map-keys", names(shape.list_keys));
      return schema;
    }
    case FieldType::map: {
      Value schema = typed("object");
      if (shape.element != nullptr)
        schema.set("additionalProperties", shape_schema(*shape.element));
      return schema;
    }
    case FieldType::string:
      return typed("string");
    case FieldType::integer:
      return typed("integer", shape.format_int32 ? "int32" : "int64");
    case FieldType::number:
      return typed("number", "double");
    case FieldType::boolean:
      return typed("boolean");
    case FieldType::bytes:
      return typed("string", "byte");
    case FieldType::time:
      return ref(add_leaf(std::string(kMeta) + "Time", typed("string", "date-time")));
    case FieldType::micro_time:
      return ref(add_leaf(std::string(kMeta) + "MicroTime", typed("string", "date-time")));
    case FieldType::duration:
      return ref(add_leaf(std::string(kMeta) + "Duration", typed("string")));
    case FieldType::quantity: {
      Value either = Value::object({{"oneOf", Value::array({typed("string"), typed("number")})}});
      return ref(add_leaf(kQuantity, v3 ? std::move(either) : typed("string")));
    }
    case FieldType::int_or_string: {
      Value either = Value::object({{"oneOf", Value::array({typed("integer"), typed("string")})},
                                    {"format", "int-or-string"}});
      return ref(add_leaf(kIntOrString, v3 ? std::move(either) : typed("string", "int-or-string")));
    }
    case FieldType::any:
      break;
  }
  // Without a type, clients take anything.
  Value schema = Value::object();
  if (v3) schema.set("x-kubernetes-preserve-unknown-fields", true);
  return schema;
}

Value OpenApiSchemas::custom_schema(const Kind& kind) {
  Value schema = kind.json_schema != nullptr && kind.json_schema->is_object()
                     ? *kind.json_schema
                     : Value::object({{"x-kubernetes-preserve-unknown-fields", true}});
  if (form_ == OpenApiForm::v2) schema = without_v3_features(schema);
  if (!schema["x-kubernetes-preserve-unknown-fields"].as_bool()) schema.set("type", "object");
  if (schema["properties"].is_object() || schema["type"].is_string()) {
    Value& properties = schema.mutate("properties");
    properties.set("apiVersion", typed("string"));
    properties.set("kind", typed("string"));
    const Field* meta = kind.root != nullptr ? kind.root->find("metadata") : nullptr;
    if (meta != nullptr && meta->shape.object != nullptr) {
      const Value target = ref(add_struct(*meta->shape.object));
      properties.set("metadata", form_ == OpenApiForm::v2
                                     ? target
                                     : Value::object({{"allOf", Value::array({target})}}));
    }
  }
  schema.set("x-kubernetes-group-version-kind",
             Value::array({kind_entry(kind.group, kind.version, kind.kind)}));
  return schema;
}

}  // namespace keelway::schema
