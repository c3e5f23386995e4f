#include "schema/openapi_v2.h"

#include "schema/openapi_paths.h"
#include "schema/openapi_schemas.h"
#include "schema/protobuf_wire.h"
#include "value/json.h"

namespace keelway::schema {
namespace {

using value::Value;

// Writes messages of gnostic's openapi.v2; field numbers are those of its .proto.
class Gnostic {
 public:
  static std::string document(const Value& v) {
    std::string out;
    text(out, 1, v["swagger"]);
    std::string info;
    text(info, 1, v["info"]["title"]);
    text(info, 2, v["info"]["version"]);
    proto::put_bytes(out, 2, info);
    std::string paths;
    for (const auto& [name, item] : v["paths"].members()) {
      proto::put_bytes(paths, 2, named(name, path_item(item)));
    }
    proto::put_bytes(out, 8, paths);
    std::string definitions;
    for (const auto& [name, item] : v["definitions"].members()) {
      proto::put_bytes(definitions, 1, named(name, schema(item)));
    }
    proto::put_bytes(out, 9, definitions);
    for (const Value& requirement : v["security"].items()) {
      std::string message;
      for (const auto& [name, scopes] : requirement.members()) {
        proto::put_bytes(message, 1, named(name, ""));
      }
      proto::put_bytes(out, 12, message);
    }
    std::string security;
    for (const auto& [name, item] : v["securityDefinitions"].members()) {
      std::string key, either;
      text(key, 1, item["type"]);
      text(key, 2, item["name"]);
      text(key, 3, item["in"]);
      text(key, 4, item["description"]);
      proto::put_bytes(either, 2, key);
      proto::put_bytes(security, 1, named(name, either));
    }
    proto::put_bytes(out, 13, security);
    return out;
  }

 private:
  static void text(std::string& out, unsigned number, const Value& v) {
    if (!v.as_string().empty()) proto::put_bytes(out, number, v.as_string());
  }
  static void texts(std::string& out, unsigned number, const Value& v) {
    for (const Value& item : v.items()) proto::put_bytes(out, number, item.as_string());
  }
  static void flag(std::string& out, unsigned number, const Value& v) {
    if (v.as_bool()) proto::put_integer(out, number, 1);
  }
  static void integer(std::string& out, unsigned number, const Value& v) {
    if (v.is_number()) proto::put_integer(out, number, v.as_int());
  }
  static void number(std::string& out, unsigned field, const Value& v) {
    if (!v.is_number()) return;
    proto::put_tag(out, field, proto::WireType::fixed64);
    const double d = v.as_double();
    std::uint64_t bits = 0;
    static_assert(sizeof bits == sizeof d);
    __builtin_memcpy(&bits, &d, sizeof d);
    for (int i = 0; i < 8; ++i) out.push_back(static_cast<char>(bits >> (8 * i) & 0xff));
  }

  static std::string named(std::string_view name, std::string_view message) {
    std::string out;
    proto::put_bytes(out, 1, name);
    proto::put_bytes(out, 2, message);
    return out;
  }

  // JSON is YAML, so that the text can be read as either.
  static std::string any(const Value& v) {
    std::string out;
    proto::put_bytes(out, 2, value::to_json(v) + "\n");
    return out;
  }

  static void extensions(std::string& out, unsigned number, const Value& v) {
    for (const auto& [key, member] : v.members()) {
      if (key.starts_with("x-")) proto::put_bytes(out, number, named(key, any(member)));
    }
  }

  static std::string schema(const Value& v) {
    std::string out;
    text(out, 1, v["$ref"]);
    text(out, 2, v["format"]);
    text(out, 3, v["title"]);
    text(out, 4, v["description"]);
    if (v.contains("default")) proto::put_bytes(out, 5, any(v["default"]));
    number(out, 6, v["multipleOf"]);
    number(out, 7, v["maximum"]);
    flag(out, 8, v["exclusiveMaximum"]);
    number(out, 9, v["minimum"]);
    flag(out, 10, v["exclusiveMinimum"]);
    integer(out, 11, v["maxLength"]);
    integer(out, 12, v["minLength"]);
    text(out, 13, v["pattern"]);
    integer(out, 14, v["maxItems"]);
    integer(out, 15, v["minItems"]);
    flag(out, 16, v["uniqueItems"]);
    integer(out, 17, v["maxProperties"]);
    integer(out, 18, v["minProperties"]);
    texts(out, 19, v["required"]);
    for (const Value& item : v["enum"].items()) proto::put_bytes(out, 20, any(item));
    structure(out, v);
    extensions(out, 31, v);
    return out;
  }

  static void structure(std::string& out, const Value& v) {
    if (const Value* more = v.find("additionalProperties")) {
      std::string item;
      if (more->is_object())
        proto::put_bytes(item, 1, schema(*more));
      else
        proto::put_integer(item, 2, more->as_bool() ? 1 : 0);
      proto::put_bytes(out, 21, item);
    }
    if (v["type"].is_string()) {
      std::string type;
      text(type, 1, v["type"]);
      proto::put_bytes(out, 22, type);
    }
    if (v.contains("items")) {
      std::string items;
      proto::put_bytes(items, 1, schema(v["items"]));
      proto::put_bytes(out, 23, items);
    }
    for (const Value& item : v["allOf"].items()) proto::put_bytes(out, 24, schema(item));
    if (v.contains("properties")) {
      std::string properties;
      for (const auto& [name, property] : v["properties"].members()) {
        proto::put_bytes(properties, 1, named(name, schema(property)));
      }
      proto::put_bytes(out, 25, properties);
    }
  }

  // ParametersItem{Parameter{...}}
  static std::string parameter(const Value& v) {
    std::string inner, either, outer;
    const std::string& place = v["in"].as_string();
    if (place == "body") {
      text(inner, 1, v["description"]);
      text(inner, 2, v["name"]);
      text(inner, 3, v["in"]);
      flag(inner, 4, v["required"]);
      proto::put_bytes(inner, 5, schema(v["schema"]));
      proto::put_bytes(either, 1, inner);
    } else {
      const bool in_path = place == "path";
      flag(inner, 1, v["required"]);
      text(inner, 2, v["in"]);
      text(inner, 3, v["description"]);
      text(inner, 4, v["name"]);
      text(inner, in_path ? 5 : 6, v["type"]);
      flag(inner, in_path ? 19 : 20, v["uniqueItems"]);
      std::string kind;
      proto::put_bytes(kind, in_path ? 4 : 3, inner);
      proto::put_bytes(either, 2, kind);
    }
    proto::put_bytes(outer, 1, either);
    return outer;
  }

  static std::string operation(const Value& v) {
    std::string out;
    texts(out, 1, v["tags"]);
    text(out, 3, v["description"]);
    text(out, 5, v["operationId"]);
    texts(out, 6, v["produces"]);
    texts(out, 7, v["consumes"]);
    for (const Value& item : v["parameters"].items()) proto::put_bytes(out, 8, parameter(item));
    std::string responses;
    for (const auto& [code, response] : v["responses"].members()) {
      std::string message, either;
      text(message, 1, response["description"]);
      if (response.contains("schema")) {
        std::string item;
        proto::put_bytes(item, 1, schema(response["schema"]));
        proto::put_bytes(message, 2, item);
      }
      proto::put_bytes(either, 1, message);
      proto::put_bytes(responses, 1, named(code, either));
    }
    proto::put_bytes(out, 9, responses);
    texts(out, 10, v["schemes"]);
    extensions(out, 13, v);
    return out;
  }

  static std::string path_item(const Value& v) {
    std::string out;
    constexpr std::pair<unsigned, std::string_view> methods[] = {
        {2, "get"}, {3, "put"}, {4, "post"}, {5, "delete"}, {8, "patch"}};
    for (const auto& [number, method] : methods) {
      if (const Value* found = v.find(method)) proto::put_bytes(out, number, operation(*found));
    }
    for (const Value& item : v["parameters"].items()) proto::put_bytes(out, 9, parameter(item));
    return out;
  }
};

}  // namespace

Value openapi_v2(const KindSet& kinds) {
  OpenApiSchemas schemas(OpenApiForm::v2, kinds);
  value::Members paths;
  for (const Kind* kind : kinds.all()) {
    for (const ApiPath& path : api_paths(*kind, schemas)) {
      paths.emplace_back(path.path, path_v2(path, schemas));
    }
  }
  return Value::object(
      {{"swagger", "2.0"},
       {"info", Value::object({{"title", "Kubernetes"}, {"version", "unversioned"}})},
       {"paths", Value::object_of(std::move(paths))},
       {"definitions", schemas.take()},
       {"security", Value::array({Value::object({{"BearerToken", Value::array()}})})},
       {"securityDefinitions",
        Value::object({{"BearerToken", Value::object({{"type", "apiKey"},
                                                      {"name", "authorization"},
                                                      {"in", "header"},
                                                      {"description", "Bearer token"}})}})}});
}

std::string openapi_v2_protobuf(const Value& swagger) {
  return Gnostic::document(swagger);
}

}  // namespace keelway::schema
