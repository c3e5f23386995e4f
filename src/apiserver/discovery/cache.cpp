#include "apiserver/discovery/cache.h"

#include "apiserver/discovery/documents.h"
#include "base/encoding.h"
#include "value/json.h"

namespace keelway::apiserver {

void DiscoveryCache::follow(const schema::KindSetPtr& kinds) {
  if (kinds_ == kinds) return;
  kinds_ = kinds;
  aggregated_.clear();
  open_api_.reset();
}

const DiscoveryCache::Text& DiscoveryCache::aggregated(const schema::KindSetPtr& kinds, bool core,
                                                       const std::string& version) {
  follow(kinds);
  Text& text = aggregated_[(core ? "core/" : "named/") + version];
  if (text.body.empty()) {
    text.body = value::to_json(aggregated_discovery(*kinds, core, version)) + "\n";
    text.etag = "\"" + base::hex_encode(base::sha256(text.body)) + "\"";
  }
  return text;
}

const schema::OpenApiDocuments& DiscoveryCache::open_api(const schema::KindSetPtr& kinds) {
  follow(kinds);
  if (!open_api_) open_api_ = std::make_unique<schema::OpenApiDocuments>(kinds);
  return *open_api_;
}

}  // namespace keelway::apiserver
