#include "schema/openapi_v3.h"

#include <fmt/core.h>

#include <map>
#include <mutex>
#include <set>

#include "base/encoding.h"
#include "schema/openapi_paths.h"
#include "schema/openapi_schemas.h"
#include "schema/openapi_v2.h"
#include "value/json.h"

namespace keelway::schema {
namespace {

using value::Value;
using GroupVersion = std::pair<std::string, std::string>;

std::string document_key(const GroupVersion& at) {
  return at.first.empty() ? "api/" + at.second : fmt::format("apis/{}/{}", at.first, at.second);
}

std::set<GroupVersion> group_versions(const KindSet& kinds) {
  std::set<GroupVersion> found;
  for (const Kind* kind : kinds.all()) {
    if (kind->resource.empty() || kind->root == nullptr) continue;
    found.emplace(std::string(kind->group), std::string(kind->version));
  }
  return found;
}

std::string hash_of(std::string_view document) {
  std::string hash = base::hex_encode(base::sha256(document));
  for (char& c : hash) {
    if (c >= 'a' && c <= 'f') c = static_cast<char>(c - 32);
  }
  return hash;
}

Value security() {
  return Value::object({{"BearerToken", Value::object({{"type", "apiKey"},
                                                       {"name", "authorization"},
                                                       {"in", "header"},
                                                       {"description", "Bearer token"}})}});
}

}  // namespace

std::string openapi_v3(const KindSet& kinds, std::string_view group, std::string_view version) {
  OpenApiSchemas schemas(OpenApiForm::v3, kinds);
  value::Members paths;
  bool served = false;
  for (const Kind* kind : kinds.all()) {
    if (kind->group != group || kind->version != version) continue;
    for (const ApiPath& path : api_paths(*kind, schemas)) {
      paths.emplace_back(path.path, path_v3(path, schemas));
    }
    served = true;
  }
  if (!served) return "";
  return value::to_json(Value::object(
      {{"openapi", "3.0.0"},
       {"info", Value::object({{"title", "Kubernetes"}, {"version", "unversioned"}})},
       {"paths", Value::object_of(std::move(paths))},
       {"components",
        Value::object({{"schemas", schemas.take()}, {"securitySchemes", security()}})}}));
}

struct OpenApiDocuments::Cache {
  KindSetPtr kinds;
  std::mutex mutex;  // held while a document is made: two askers make it once
  std::map<std::string, std::shared_ptr<const Document>> documents;

  template <class Make>
  std::shared_ptr<const Document> get(const std::string& key, const Make& make) {
    const std::lock_guard lock(mutex);
    return get_locked(key, make);
  }

  template <class Make>
  std::shared_ptr<const Document> get_locked(const std::string& key, const Make& make) {
    const auto found = documents.find(key);
    if (found != documents.end()) return found->second;
    auto document = std::make_shared<Document>();
    document->json = make();
    if (document->json.empty()) return nullptr;
    document->hash = hash_of(document->json);
    documents.emplace(key, document);
    return document;
  }

  std::shared_ptr<const Document> v3_locked(const GroupVersion& at) {
    return get_locked(document_key(at), [&] { return openapi_v3(*kinds, at.first, at.second); });
  }

  std::string index() {
    value::Members paths;
    for (const GroupVersion& at : group_versions(*kinds)) {
      const auto document = v3_locked(at);
      if (document == nullptr) continue;
      const std::string key = document_key(at);
      paths.emplace_back(
          key, Value::object({{"serverRelativeURL",
                               fmt::format("/openapi/v3/{}?hash={}", key, document->hash)}}));
    }
    return value::to_json(Value::object({{"paths", Value::object_of(std::move(paths))}}));
  }
};

OpenApiDocuments::OpenApiDocuments(KindSetPtr kinds) : cache_(std::make_unique<Cache>()) {
  cache_->kinds = std::move(kinds);
}
OpenApiDocuments::~OpenApiDocuments() = default;

std::shared_ptr<const OpenApiDocuments::Document> OpenApiDocuments::v3(
    std::string_view group, std::string_view version) const {
  const GroupVersion at{std::string(group), std::string(version)};
  const std::lock_guard lock(cache_->mutex);
  return cache_->v3_locked(at);
}

std::shared_ptr<const OpenApiDocuments::Document> OpenApiDocuments::v3_index() const {
  return cache_->get("", [&] { return cache_->index(); });
}

std::shared_ptr<const OpenApiDocuments::Document> OpenApiDocuments::v2_json() const {
  return cache_->get("v2", [&] { return value::to_json(openapi_v2(*cache_->kinds)); });
}

std::shared_ptr<const OpenApiDocuments::Document> OpenApiDocuments::v2_protobuf() const {
  return cache_->get("v2.pb", [&] { return openapi_v2_protobuf(openapi_v2(*cache_->kinds)); });
}

std::string openapi_v3_index(const KindSet& kinds) {
  // Borrowed for the length of the call.
  OpenApiDocuments documents(KindSetPtr(KindSetPtr(), &kinds));
  return documents.v3_index()->json;
}

}  // namespace keelway::schema
