// YAML to and from Value, with the meaning that Kubernetes tools give it: YAML 1.1 scalars,
// everything quoted is a string, keys become strings.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "value/value.h"

namespace keelway::value {

struct YamlLimits {
  std::size_t bytes_max = 16u << 20;
  int depth_max = 200;
  // Nodes of the document after aliases are expanded: a short text can name billions.
  std::size_t nodes_max = 1'000'000;
};

// One document; an empty text reads as null, a second document is an error. Of duplicate keys the
// last wins; their paths ("spec.replicas") are appended to *duplicates where that is given.
base::Result<Value> parse_yaml(std::string_view text, const YamlLimits& limits = {},
                               std::vector<std::string>* duplicates = nullptr);

// Splits a stream at its "---" lines, as kubectl does. Documents of blanks and comments only are
// left out. The views point into `text`.
std::vector<std::string_view> split_yaml_documents(std::string_view text);

// Every document of a stream; JSON documents, also one after the other, are accepted too.
base::Result<std::vector<Value>> parse_yaml_stream(std::string_view text,
                                                   const YamlLimits& limits = {});

// Block style, keys in order, what would read as another type is quoted. Ends with a newline.
std::string to_yaml(const Value& v);

}  // namespace keelway::value
