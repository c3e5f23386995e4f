// Pure: long answers are encoded by workers. From an outcome to bytes: JSON by splicing what is
// stored, YAML, protobuf, Tables, metadata only.
#pragma once

#include <string>
#include <string_view>

#include "apiserver/core.h"
#include "apiserver/media.h"
#include "apiserver/operation.h"
#include "schema/table.h"

namespace keelway::apiserver {

// The object as `kind` serves it, compact JSON with resourceVersion.
std::string object_json(const schema::Kind& kind, const schema::Object& object);

// A list up to its items, as one document in compact JSON; it ends with "]}" and a line feed.
std::string list_head(const schema::Kind& kind, const ListAnswer& list);
// One object of it. `spliced`: served_as_stored(kind).
void append_served(const schema::Kind& kind, const schema::Object& object, bool spliced,
                   std::string& out);

schema::TableOptions table_options(base::WallTime now, const Operation& op, const Media& media);

// Body and content type of an outcome.
struct Encoded {
  std::string body;
  std::string_view content_type;  // lives as long as what was encoded
};
Encoded encode_outcome(base::WallTime now, const Operation& op, const Media& media,
                       const Outcome& outcome);
// A document without a kind of the operation (Status, discovery).
Encoded encode_document(const Value& document, const Media& media);
// One event of a watch that is not JSON.
std::string encode_watch_event(const Operation& op, const Media& media, std::string_view type,
                               const Value& object);
// The outcome as one document (in-process callers).
Value outcome_value(const Operation& op, const Outcome& outcome);

}  // namespace keelway::apiserver
