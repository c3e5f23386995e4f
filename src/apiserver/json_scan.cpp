#include "apiserver/json_scan.h"

#include "value/json.h"

namespace keelway::apiserver {
namespace {

// Past the closing quote of the string that opens at `at`.
std::size_t skip_string(std::string_view json, std::size_t at) {
  for (++at; at < json.size(); ++at) {
    if (json[at] == '\\')
      ++at;
    else if (json[at] == '"')
      return at + 1;
  }
  return json.size();
}

// Past the value that begins at `at`.
std::size_t skip_value(std::string_view json, std::size_t at) {
  int depth = 0;
  while (at < json.size()) {
    const char c = json[at];
    if (c == '"') {
      at = skip_string(json, at);
      if (depth == 0) return at;
      continue;
    }
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') {
      if (depth == 0) return at;
      if (--depth == 0) return at + 1;
    }
    if (c == ',' && depth == 0) return at;
    ++at;
  }
  return at;
}

// The value of `key` in the object that is `json`.
std::optional<std::string_view> member(std::string_view json, std::string_view key) {
  if (json.empty() || json.front() != '{') return std::nullopt;
  std::size_t at = 1;
  while (at < json.size() && json[at] == '"') {
    const std::size_t key_end = skip_string(json, at);
    const std::string_view name = json.substr(at + 1, key_end - at - 2);
    const std::size_t begin = key_end + 1;  // past the colon
    const std::size_t end = skip_value(json, begin);
    if (name == key) return json.substr(begin, end - begin);
    at = end + 1;  // past the comma or the closing brace
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string_view> find_json_member(std::string_view json,
                                                 std::string_view dotted_path) {
  std::optional<std::string_view> found = json;
  while (found && !dotted_path.empty()) {
    const std::size_t dot = dotted_path.find('.');
    found = member(*found, dotted_path.substr(0, dot));
    if (dot == std::string_view::npos) break;
    dotted_path.remove_prefix(dot + 1);
  }
  return found;
}

std::string read_field(const schema::Object& object, std::string_view dotted_path) {
  const auto token = find_json_member(object.bytes(), dotted_path);
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
