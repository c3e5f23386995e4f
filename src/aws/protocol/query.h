// Query strings and form bodies, decoded.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/server.h"

namespace keelway::aws {

class Query {
 public:
  Query() = default;
  static Query parse(std::string_view text, bool plus_is_space);
  // The target's query, and a form body's members after it.
  static Query of_request(const http::Request& request);

  bool has(std::string_view name) const;
  std::string first(std::string_view name) const;  // empty where absent
  std::vector<std::string> all(std::string_view name) const;

 private:
  void take(std::string_view text, bool plus_is_space);
  std::vector<std::pair<std::string, std::string>> members_;
};

std::string_view path_of(const http::Request& request);

}  // namespace keelway::aws
