// /openapi/v2 and /openapi/v3.
#include "apiserver/discovery/cache.h"
#include "apiserver/discovery/discovery.h"

namespace keelway::apiserver {
namespace {

using Document = schema::OpenApiDocuments::Document;

// Old clients ask by the first, which is no valid media type: every answer carries the second.
constexpr std::string_view kV2ProtobufAsked =
    "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
constexpr std::string_view kV2Protobuf =
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

bool reply_tagged(Core& core, const HttpCallPtr& call, const Document& document,
                  std::string content_type, bool immutable) {
  http::Response response;
  const std::string tag = "\"" + document.hash + "\"";
  response.headers.emplace_back("etag", tag);
  response.headers.emplace_back("vary", "Accept");
  response.headers.emplace_back(
      "cache-control", immutable ? "public, immutable, max-age=31536000" : "no-cache, private");
  if (call->request.header("if-none-match") == tag) {
    response.status = 304;
  } else {
    response.headers.emplace_back("content-type", std::move(content_type));
    response.body = document.json;
  }
  reply_raw(core, call, std::move(response));
  return true;
}

bool answer_v2(Core& core, const HttpCallPtr& call) {
  const schema::OpenApiDocuments& documents = core.discovery->open_api(core.kinds());
  for (const Clause& clause : parse_accept(call->request.header("accept"))) {
    if (clause.type == kV2Protobuf || clause.type == kV2ProtobufAsked) {
      return reply_tagged(core, call, *documents.v2_protobuf(), std::string(kV2Protobuf), false);
    }
    if (clause.type == "application/json" || clause.type == "*/*") break;
  }
  return reply_tagged(core, call, *documents.v2_json(), "application/json", false);
}

bool answer_v3_document(Core& core, const HttpCallPtr& call, std::string_view rest) {
  std::string group, version;
  if (rest.starts_with("api/")) {
    version = rest.substr(4);
  } else if (rest.starts_with("apis/")) {
    rest.remove_prefix(5);
    const std::size_t slash = rest.find('/');
    if (slash == std::string_view::npos) return false;
    group = rest.substr(0, slash);
    version = rest.substr(slash + 1);
  } else {
    return false;
  }
  const auto document = core.discovery->open_api(core.kinds()).v3(group, version);
  if (!document) return false;
  const std::string_view asked = call->op->query.get("hash");
  if (!asked.empty() && asked != document->hash) {
    http::Response response;
    response.status = 301;
    response.headers.emplace_back("location", call->op->info.path + "?hash=" + document->hash);
    reply_raw(core, call, std::move(response));
    return true;
  }
  return reply_tagged(core, call, *document, "application/json", !asked.empty());
}

}  // namespace

bool answer_open_api(Core& core, const HttpCallPtr& call) {
  std::string_view path = call->op->info.path;
  if (path == "/openapi/v2") return answer_v2(core, call);
  if (!path.starts_with("/openapi/v3")) return false;
  path.remove_prefix(11);
  while (!path.empty() && path.front() == '/') path.remove_prefix(1);
  if (!path.empty()) return answer_v3_document(core, call, path);
  const auto index = core.discovery->open_api(core.kinds()).v3_index();
  return reply_tagged(core, call, *index, "application/json", false);
}

}  // namespace keelway::apiserver
