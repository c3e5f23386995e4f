// Documents made from one set of kinds, kept until the set changes.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "schema/openapi_v3.h"

namespace keelway::apiserver {

class DiscoveryCache {
 public:
  struct Text {
    std::string body, etag;  // the tag with its quotes
  };
  const Text& aggregated(const schema::KindSetPtr& kinds, bool core, const std::string& version);
  const schema::OpenApiDocuments& open_api(const schema::KindSetPtr& kinds);

 private:
  void follow(const schema::KindSetPtr& kinds);
  schema::KindSetPtr kinds_;
  std::map<std::string, Text> aggregated_;
  std::unique_ptr<schema::OpenApiDocuments> open_api_;
};

}  // namespace keelway::apiserver
