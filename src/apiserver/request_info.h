// What a request asks for, read from method, path and query alone. Authorization, audit and
// routing all use this one reading, so they cannot disagree.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace keelway::apiserver {

// Query parameters in the order sent, decoded.
class Query {
 public:
  // Broken escapes drop the parameter, as Go's url.Query does.
  static Query parse(std::string_view text);
  std::string_view get(std::string_view name) const;  // the first; empty where absent
  bool has(std::string_view name) const;
  std::vector<std::string_view> all(std::string_view name) const;
  void set(std::string name, std::string value);  // replaces
  // Absent, "0" and "false" are false, anything else ("", "1", "true") is true.
  bool flag(std::string_view name) const;

 private:
  std::vector<std::pair<std::string, std::string>> pairs_;
};

struct RequestInfo {
  bool resource_request = false;
  std::string path;  // decoded; of other paths only
  // get list watch create update patch delete deletecollection; of other paths the method in
  // lower case.
  std::string verb;
  std::string group, version, name_space, resource, subresource, name;
  std::string tail;       // what follows the subresource: "proxy/a/b" has "a/b"
  bool too_deep = false;  // parts after the subresource, which only proxies have
};

// `path` is percent-encoded; nullopt where an escape is broken.
std::optional<RequestInfo> read_request_info(std::string_view method, std::string_view path,
                                             const Query& query);

// The value that "metadata.name=" asks for, where the selector asks for exactly one.
std::string name_of_field_selector(std::string_view selector);

}  // namespace keelway::apiserver
