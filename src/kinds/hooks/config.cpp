// ConfigMap, Secret, and kinds of which only metadata is checked.
#include <fmt/core.h>

#include "base/encoding.h"
#include "kinds/hooks/internal.h"
#include "value/json.h"

namespace keelway::kinds {
namespace {

using schema::forbidden_field;
using schema::invalid_value;
using schema::required;

constexpr std::size_t kDataBytesMax = 1u << 20;

void check_keys(const Value& data, std::string_view field, FieldErrors& errors) {
  for (const value::Member& member : data.members()) {
    add(errors, fmt::format("{}[{}]", field, member.first), member.first,
        schema::check_config_map_key(member.first));
  }
}

void check_frozen(const Value& object, const Value* old, std::initializer_list<const char*> fields,
                  FieldErrors& errors) {
  if (old == nullptr || !(*old)["immutable"].as_bool()) return;
  constexpr const char* sentence = "field is immutable when `immutable` is set";
  if (!object["immutable"].as_bool()) errors.push_back(forbidden_field("immutable", sentence));
  for (const char* field : fields) {
    if (object[field] != (*old)[field]) errors.push_back(forbidden_field(field, sentence));
  }
}

std::size_t decoded_bytes(const Value& data) {
  std::size_t bytes = 0;
  for (const value::Member& member : data.members()) {
    bytes += member.second.as_string().size() / 4 * 3;
  }
  return bytes;
}

// Go's words for a text that is no JSON, as far as they are short.
std::string json_error(std::string_view text) {
  if (value::parse_json(text)) return "";
  std::size_t depth = 0;
  for (const char c : text) {
    if (c == '{' || c == '[') ++depth;
    if ((c == '}' || c == ']') && depth > 0) --depth;
  }
  if (text.empty() || depth > 0) return "unexpected end of JSON input";
  return "invalid JSON";
}

void check_docker(const Value& data, const char* key, FieldErrors& errors) {
  const std::string field = fmt::format("data[{}]", key);
  if (!data.contains(key)) {
    errors.push_back(required(field));
    return;
  }
  const auto text = base::base64_decode(data[key].as_string());
  const std::string why = json_error(text.value_or(""));
  if (!why.empty()) errors.push_back(invalid_value(field, "<secret contents redacted>", why));
}

void need_key(const Value& data, const char* key, FieldErrors& errors) {
  if (!data.contains(key)) errors.push_back(required(fmt::format("data[{}]", key)));
}

}  // namespace

void validate_config_map(const Kind&, const Value& object, const Value* old, FieldErrors& errors) {
  const Value& data = object["data"];
  const Value& binary = object["binaryData"];
  std::size_t bytes = decoded_bytes(binary);
  check_keys(data, "data", errors);
  for (const value::Member& member : data.members()) {
    bytes += member.second.as_string().size();
    if (binary.contains(member.first)) {
      errors.push_back(invalid_value(fmt::format("data[{}]", member.first), member.first,
                                     "duplicate of key present in binaryData"));
    }
  }
  check_keys(binary, "binaryData", errors);
  if (bytes > kDataBytesMax) errors.push_back(schema::too_long("[]", kDataBytesMax));
  check_frozen(object, old, {"data", "binaryData"}, errors);
}

void default_secret(const Kind&, Value& object) {
  fill(object, "type", "Opaque");
  const Value texts = object["stringData"];
  for (const value::Member& member : texts.members()) {
    object.mutate("data").set(member.first, base::base64_encode(member.second.as_string()));
  }
  object.erase("stringData");
}

void validate_secret(const Kind&, const Value& object, const Value* old, FieldErrors& errors) {
  const Value& data = object["data"];
  check_keys(data, "data", errors);
  if (decoded_bytes(data) > kDataBytesMax) {
    errors.push_back(schema::too_long("data", kDataBytesMax));
  }
  const std::string& type = object["type"].as_string();
  if (type == "kubernetes.io/service-account-token") {
    const Value& annotations = object.at("metadata", "annotations");
    if (!is_set(annotations, "kubernetes.io/service-account.name")) {
      errors.push_back(required("metadata.annotations[kubernetes.io/service-account.name]"));
    }
  } else if (type == "kubernetes.io/dockercfg") {
    check_docker(data, ".dockercfg", errors);
  } else if (type == "kubernetes.io/dockerconfigjson") {
    check_docker(data, ".dockerconfigjson", errors);
  } else if (type == "kubernetes.io/basic-auth") {
    if (!data.contains("username") && !data.contains("password")) {
      need_key(data, "username", errors);
      need_key(data, "password", errors);
    }
  } else if (type == "kubernetes.io/ssh-auth") {
    need_key(data, "ssh-privatekey", errors);
  } else if (type == "kubernetes.io/tls") {
    need_key(data, "tls.crt", errors);
    need_key(data, "tls.key", errors);
  }
  if (old == nullptr) return;
  schema::validate_immutable(object["type"], (*old)["type"], "type", errors);
  check_frozen(object, old, {"data"}, errors);
}

void validate_nothing(const Kind&, const Value&, const Value*, FieldErrors&) {}

}  // namespace keelway::kinds
