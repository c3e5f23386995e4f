// JSON text (RFC 8259) to and from Value.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "value/value.h"

namespace keelway::value {

struct JsonLimits {
  int depth_max = 512;
  std::size_t bytes_max = 64u << 20;
};

// Integers that fit int64 become integers, other numbers doubles. Invalid UTF-8, trailing bytes
// and everything that RFC 8259 forbids are errors. Of duplicate keys the last wins; their paths
// ("spec.replicas") are appended to *duplicates where that is given.
base::Result<Value> parse_json(std::string_view text, const JsonLimits& limits = {},
                               std::vector<std::string>* duplicates = nullptr);

// Compact, keys in order, UTF-8 kept. Doubles print as Go's encoding/json does.
std::string to_json(const Value& v);
void append_json(std::string& out, const Value& v);
// Appends `text` as a quoted JSON string; '<', '>', '&', U+2028 and U+2029 are escaped, as
// Go's encoding/json does.
void append_json_string(std::string& out, std::string_view text);
// Indented by `indent` spaces.
std::string to_pretty_json(const Value& v, int indent = 2);

}  // namespace keelway::value
