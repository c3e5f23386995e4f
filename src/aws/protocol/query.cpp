#include "aws/protocol/query.h"

#include <algorithm>

#include "base/encoding.h"

namespace keelway::aws {

std::string_view path_of(const http::Request& request) {
  const std::string_view target = request.target;
  return target.substr(0, target.find('?'));
}

void Query::take(std::string_view text, bool plus_is_space) {
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    if (part.empty()) continue;
    const std::size_t equals = part.find('=');
    auto name = base::percent_decode(part.substr(0, equals), plus_is_space);
    auto content = equals == std::string_view::npos
                       ? std::optional<std::string>("")
                       : base::percent_decode(part.substr(equals + 1), plus_is_space);
    if (name && content) members_.emplace_back(std::move(*name), std::move(*content));
  }
}

Query Query::parse(std::string_view text, bool plus_is_space) {
  Query query;
  query.take(text, plus_is_space);
  return query;
}

Query Query::of_request(const http::Request& request) {
  Query query;
  if (const auto mark = request.target.find('?'); mark != std::string::npos) {
    query.take(std::string_view(request.target).substr(mark + 1), false);
  }
  if (request.header("content-type").starts_with("application/x-www-form-urlencoded")) {
    query.take(request.body, true);
  }
  return query;
}

bool Query::has(std::string_view name) const {
  return std::any_of(members_.begin(), members_.end(),
                     [name](const auto& member) { return member.first == name; });
}

std::string Query::first(std::string_view name) const {
  for (const auto& [key, content] : members_) {
    if (key == name) return content;
  }
  return {};
}

std::vector<std::string> Query::all(std::string_view name) const {
  std::vector<std::string> found;
  for (const auto& [key, content] : members_) {
    if (key == name) found.push_back(content);
  }
  return found;
}

}  // namespace keelway::aws
