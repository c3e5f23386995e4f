// From bytes or a parsed document to an object of a kind: checked against the kind's tables, with
// unknown fields dropped and every leaf in the text that a Go server would write again.
// Entry points: decode (request bodies), decode_value (results of patches, in-process callers).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "schema/kind.h"
#include "schema/status.h"
#include "value/value.h"

namespace keelway::schema {

enum class FieldValidation { ignore, warn, strict };
enum class BodyFormat { json, yaml, protobuf };

struct Decoded {
  value::Value object;
  std::vector<std::string> warnings;  // texts of Warning headers, without "299 -"
};

// A missing apiVersion or kind is filled in; another kind is a 400. A mistake of type is a 400
// (`Pod in version "v1" cannot be handled as a Pod: json: cannot unmarshal ...`), except inside
// custom resources, where validate() reports it. Unknown and duplicate fields follow `mode`.
Answer<Decoded> decode(const Kind& kind, const KindSet& kinds, std::string_view body,
                       BodyFormat format, FieldValidation mode);

// The same for a document that is parsed already. Duplicates are not visible here. Warnings are
// appended. Parts that it shares with `known`, a decoded object of the kind, are taken as they are.
Answer<value::Value> decode_value(const Kind& kind, value::Value document, FieldValidation mode,
                                  std::vector<std::string>& warnings,
                                  const value::Value* known = nullptr);

// A document of the parsed body alone, before any kind is known (patch bodies, apply bodies).
// protobuf is refused. `duplicates` gets the paths of duplicate keys.
Answer<value::Value> parse_body(std::string_view body, BodyFormat format,
                                std::vector<std::string>* duplicates = nullptr);

}  // namespace keelway::schema
