// The Table form that kubectl get prints, and metadata-only objects.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/time.h"
#include "schema/kind.h"
#include "schema/object.h"
#include "value/value.h"

namespace keelway::schema {

enum class IncludeObject { metadata, none, object };
// The includeObject query parameter; nullopt on a word that is none. Empty means metadata.
std::optional<IncludeObject> parse_include_object(std::string_view text);

struct TableOptions {
  IncludeObject include_object = IncludeObject::metadata;
  base::WallTime now;
  std::string resource_version;  // list metadata; empty: left out
  std::string continue_token;
  std::optional<std::int64_t> remaining;
  bool no_headers = false;                     // a later event of a watch: no columnDefinitions
  std::string api_version = "meta.k8s.io/v1";  // or meta.k8s.io/v1beta1
};

value::Value to_table(const Kind& kind, std::span<const value::Value> objects,
                      const TableOptions& options);
value::Value to_table(const Kind& kind, std::span<const ObjectPtr> objects,
                      const TableOptions& options);
// A watch event of a bookmark: one row without cells' texts whose object carries the revision.
value::Value bookmark_table(const Kind& kind, std::string_view resource_version,
                            const TableOptions& options);

// {apiVersion: meta.k8s.io/v1, kind: PartialObjectMetadata, metadata}.
value::Value partial_metadata(const value::Value& object,
                              std::string_view api_version = "meta.k8s.io/v1");

}  // namespace keelway::schema
