#include "value/json_scan.h"

namespace keelway::value {
namespace {

// Past the closing quote of the string that opens at `at`.
std::size_t skip_string(std::string_view json, std::size_t at) {
  std::size_t quote = at;
  while ((quote = json.find('"', quote + 1)) != std::string_view::npos) {
    // Escaped where an odd number of backslashes stands before it.
    std::size_t first = quote;
    while (first > at + 1 && json[first - 1] == '\\') --first;
    if ((quote - first) % 2 == 0) return quote + 1;
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

struct Member {
  std::string_view name, value;
  std::size_t begin = 0;  // of the quoted name
};

// The members of the object `json`, until `visit` answers false. The offset where it ended.
template <class Visit>
std::optional<std::size_t> walk(std::string_view json, Visit visit) {
  if (json.empty() || json.front() != '{') return std::nullopt;
  std::size_t at = 1;
  while (at < json.size() && json[at] == '"') {
    const std::size_t key_end = skip_string(json, at);
    if (key_end >= json.size()) return std::nullopt;
    const std::size_t begin = key_end + 1;  // past the colon
    const std::size_t end = skip_value(json, begin);
    const Member member{json.substr(at + 1, key_end - at - 2),
                        begin <= end ? json.substr(begin, end - begin) : std::string_view(), at};
    if (!visit(member)) return at;
    if (end >= json.size() || json[end] == '}') return end;
    at = end + 1;  // past the comma
  }
  return at < json.size() ? std::optional(at) : std::nullopt;
}

}  // namespace

std::optional<std::string_view> find_json_member(std::string_view json,
                                                 std::string_view dotted_path) {
  std::optional<std::string_view> found = json;
  while (found && !dotted_path.empty()) {
    const std::size_t dot = dotted_path.find('.');
    const std::string_view key = dotted_path.substr(0, dot);
    std::optional<std::string_view> next;
    walk(*found, [&](const Member& member) {
      if (member.name != key) return true;
      next = member.value;
      return false;
    });
    found = next;
    if (dot == std::string_view::npos) break;
    dotted_path.remove_prefix(dot + 1);
  }
  return found;
}

std::optional<std::size_t> json_member_place(std::string_view json, std::string_view key) {
  bool present = false;
  const auto place = walk(json, [&](const Member& member) {
    present = present || member.name == key;
    return member.name < key;
  });
  return present ? std::nullopt : place;
}

void each_json_member(
    std::string_view json,
    const std::function<void(std::string_view name, std::string_view value)>& see) {
  walk(json, [&](const Member& member) {
    see(member.name, member.value);
    return true;
  });
}

void each_json_item(std::string_view json, const std::function<void(std::string_view item)>& see) {
  if (json.empty() || json.front() != '[') return;
  std::size_t at = 1;
  while (at < json.size() && json[at] != ']') {
    const std::size_t end = skip_value(json, at);
    if (end <= at) return;
    see(json.substr(at, end - at));
    at = end < json.size() && json[end] == ',' ? end + 1 : end;
  }
}

}  // namespace keelway::value
