#include "apiserver/stored_fields.h"

#include "value/json.h"
#include "value/json_scan.h"

namespace keelway::apiserver {
std::string read_field(const schema::Object& object, std::string_view dotted_path) {
  const auto token = value::find_json_member(object.bytes(), dotted_path);
  if (!token || token->empty() || *token == "null") return "";
  const char first = token->front();
  if (first == '{' || first == '[') return "";
  if (first != '"') return std::string(*token);
  if (token->find('\\') == std::string_view::npos) {
    return std::string(token->substr(1, token->size() - 2));
  }
  return value::parse_json(*token).value_or(value::Value()).as_string();
}

value::Value transient_value(const schema::Object& object) {
  value::Value document = value::parse_json(object.bytes()).value_or(value::Value::object());
  document.mutate("metadata").set("resourceVersion", std::to_string(object.revision()));
  return document;
}

}  // namespace keelway::apiserver
