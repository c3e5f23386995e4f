#include "apiserver/request_info.h"

#include <list>

#include "base/encoding.h"

namespace keelway::apiserver {
namespace {

using Parts = std::vector<std::string_view>;

Parts split_path(std::string_view path) {
  Parts parts;
  parts.reserve(8);
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (!part.empty()) parts.emplace_back(part);
    if (slash == std::string_view::npos) break;
    path.remove_prefix(slash + 1);
  }
  return parts;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string resource_verb(std::string_view method) {
  if (method == "POST") return "create";
  if (method == "GET" || method == "HEAD") return "get";
  if (method == "PUT") return "update";
  if (method == "PATCH") return "patch";
  if (method == "DELETE") return "delete";
  return "";
}

// Reads resource, name and subresource from what follows the version.
void read_resource(const Parts& parts, std::size_t at, RequestInfo& info) {
  if (parts[at] == "namespaces" && parts.size() > at + 1) {
    info.name_space = parts[at + 1];
    const bool of_namespace =
        parts.size() == at + 2 || parts[at + 2] == "status" || parts[at + 2] == "finalize";
    if (!of_namespace) at += 2;
  }
  info.resource = parts[at];
  if (parts.size() > at + 1) info.name = parts[at + 1];
  if (parts.size() > at + 2) info.subresource = parts[at + 2];
  for (std::size_t i = at + 3; i < parts.size(); ++i) {
    if (!info.tail.empty()) info.tail += '/';
    info.tail += parts[i];
  }
  info.too_deep = parts.size() > at + 3 && info.subresource != "proxy";
}

}  // namespace

Query Query::parse(std::string_view text) {
  Query query;
  while (!text.empty()) {
    const std::size_t end = text.find('&');
    const std::string_view pair = text.substr(0, end);
    const std::size_t equals = pair.find('=');
    auto key = base::percent_decode(pair.substr(0, equals), true);
    auto value = equals == std::string_view::npos
                     ? std::optional<std::string>("")
                     : base::percent_decode(pair.substr(equals + 1), true);
    if (!pair.empty() && key && value) query.pairs_.emplace_back(*key, *value);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return query;
}

std::string_view Query::get(std::string_view name) const {
  for (const auto& [key, value] : pairs_) {
    if (key == name) return value;
  }
  return {};
}

bool Query::has(std::string_view name) const {
  for (const auto& pair : pairs_) {
    if (pair.first == name) return true;
  }
  return false;
}

std::vector<std::string_view> Query::all(std::string_view name) const {
  std::vector<std::string_view> values;
  for (const auto& [key, value] : pairs_) {
    if (key == name) values.push_back(value);
  }
  return values;
}

void Query::set(std::string name, std::string value) {
  for (auto& pair : pairs_) {
    if (pair.first != name) continue;
    pair.second = std::move(value);
    return;
  }
  pairs_.emplace_back(std::move(name), std::move(value));
}

bool Query::flag(std::string_view name) const {
  if (!has(name)) return false;
  const std::string value = lower(get(name));
  return value != "0" && value != "false";
}

std::string name_of_field_selector(std::string_view selector) {
  constexpr std::string_view kName = "metadata.name=";
  while (!selector.empty()) {
    const std::size_t comma = selector.find(',');
    std::string_view term = selector.substr(0, comma);
    if (term.starts_with(kName)) {
      term.remove_prefix(kName.size());
      if (term.starts_with('=')) term.remove_prefix(1);
      return std::string(term);
    }
    if (comma == std::string_view::npos) break;
    selector.remove_prefix(comma + 1);
  }
  return "";
}

std::optional<RequestInfo> read_request_info(std::string_view method, std::string_view path,
                                             const Query& query) {
  RequestInfo info;
  Parts parts = split_path(path);
  std::list<std::string> unescaped;  // what parts of it are views of
  for (std::string_view& part : parts) {
    if (part.find('%') == std::string_view::npos) continue;
    auto text = base::percent_decode(part);
    if (!text) return std::nullopt;
    part = unescaped.emplace_back(std::move(*text));
  }
  const bool core = !parts.empty() && parts[0] == "api";
  const bool of_api = core || (!parts.empty() && parts[0] == "apis");
  std::size_t at = core ? 2 : 3;  // first part after the version
  if (!of_api || parts.size() <= at) {
    info.verb = lower(method);
    info.path = base::percent_decode(path).value_or("");  // each of its parts decodes
    return info;
  }
  info.resource_request = true;
  if (!core) info.group = parts[1];
  info.version = parts[at - 1];
  info.verb = resource_verb(method);
  if (parts[at] == "watch" && parts.size() > at + 1) {
    info.verb = "watch";
    ++at;
  }
  read_resource(parts, at, info);
  if (info.name.empty() && info.verb == "get") {
    info.verb = query.flag("watch") ? "watch" : "list";
  } else if (info.name.empty() && info.verb == "delete") {
    info.verb = "deletecollection";
  }
  const bool many = info.verb == "list" || info.verb == "watch" || info.verb == "deletecollection";
  if (many && info.name.empty()) {
    info.name = name_of_field_selector(query.get("fieldSelector"));
  }
  return info;
}

}  // namespace keelway::apiserver
