// OpenAPI v3 documents made from the kinds that are served: what kubectl explain, validation and
// apply read, and what /openapi/v3 lists.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "schema/kind.h"
#include "value/value.h"

namespace keelway::schema {

// JSON text of /openapi/v3/apis/GROUP/VERSION (core: /openapi/v3/api/VERSION). Empty text if the
// set has no kind there. Deterministic: equal sets give equal bytes.
std::string openapi_v3(const KindSet& kinds, std::string_view group, std::string_view version);

// The documents of one immutable KindSet, each made when it is first asked for and kept; safe
// from any thread.
class OpenApiDocuments {
 public:
  explicit OpenApiDocuments(KindSetPtr kinds);
  ~OpenApiDocuments();

  struct Document {
    std::string json;
    std::string hash;  // upper-case hex SHA-256 prefix; the `hash` query parameter and the ETag
  };
  // Null if nothing is served there.
  std::shared_ptr<const Document> v3(std::string_view group, std::string_view version) const;
  // {"paths":{"apis/apps/v1":{"serverRelativeURL":"/openapi/v3/apis/apps/v1?hash=..."}}}
  std::shared_ptr<const Document> v3_index() const;
  std::shared_ptr<const Document> v2_json() const;
  std::shared_ptr<const Document> v2_protobuf() const;  // bytes of openapi.v2.Document in `json`

 private:
  struct Cache;
  std::unique_ptr<Cache> cache_;
};

// The index on its own: makes every document for its hash.
std::string openapi_v3_index(const KindSet& kinds);

}  // namespace keelway::schema
