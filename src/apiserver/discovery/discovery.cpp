#include "apiserver/discovery/discovery.h"

#include "apiserver/discovery/cache.h"
#include "apiserver/discovery/documents.h"
#include "apiserver/encode.h"
#include "apiserver/metrics.h"
#include "base/host.h"
#include "value/json.h"

namespace keelway::apiserver {
namespace {

std::vector<std::string> parts_of(std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    if (slash != 0) parts.emplace_back(path.substr(0, slash));
    if (slash == std::string_view::npos) break;
    path.remove_prefix(slash + 1);
  }
  return parts;
}

void reply_document(Core& core, const HttpCallPtr& call, const Value& document) {
  const auto media =
      negotiate(call->request.header("accept"), {.protobuf = true, .transform = false});
  if (!media) {
    return reply_status(core, call, schema::not_acceptable(acceptable_types({})));
  }
  call->media = *media;
  call->op->kinds = core.kinds();
  Outcome outcome = document_outcome(document);
  reply_outcome(core, call, std::move(outcome));
}

// The aggregated form that the client likes best, if it likes one better than the plain.
std::string aggregated_version(std::string_view accept) {
  for (const Clause& clause : parse_accept(accept)) {
    if (clause.type != "application/json" && clause.type != "*/*") continue;
    if (clause.as.empty()) return "";
    if (clause.as == "APIGroupDiscoveryList" && clause.group == "apidiscovery.k8s.io" &&
        (clause.version == "v2" || clause.version == "v2beta1")) {
      return clause.version;
    }
  }
  return "";
}

bool answer_aggregated(Core& core, const HttpCallPtr& call, bool core_group) {
  const std::string version = aggregated_version(call->request.header("accept"));
  if (version.empty()) return false;
  const DiscoveryCache::Text& text = core.discovery->aggregated(core.kinds(), core_group, version);
  http::Response response;
  response.headers.emplace_back("etag", text.etag);
  response.headers.emplace_back("vary", "Accept");
  response.headers.emplace_back("cache-control", "public");
  if (call->request.header("if-none-match") == text.etag) {
    response.status = 304;
  } else {
    response.headers.emplace_back("content-type", "application/json;g=apidiscovery.k8s.io;v=" +
                                                      version + ";as=APIGroupDiscoveryList");
    response.body = text.body;
  }
  reply_raw(core, call, std::move(response));
  return true;
}

Value version_document(const Config& config) {
  return Value::object({{"major", "1"},
                        {"minor", std::to_string(config.kinds->minor())},
                        {"gitVersion", config.git_version},
                        {"gitCommit", config.git_commit},
                        {"gitTreeState", "clean"},
                        {"buildDate", config.build_date},
                        {"goVersion", "none"},
                        {"compiler", "g++"},
                        {"platform", config.platform}});
}

Value path_list(const schema::KindSet& kinds) {
  Value paths = Value::array();
  for (const char* path : {"/.well-known/openid-configuration", "/api", "/api/v1", "/apis"}) {
    paths.push(path);
  }
  for (const GroupVersions& group : served_groups(kinds)) {
    if (group.group.empty()) continue;
    paths.push("/apis/" + group.group);
    for (const std::string& version : group.versions) {
      paths.push("/apis/" + group.group + "/" + version);
    }
  }
  for (const char* path : {"/healthz", "/livez", "/metrics", "/openapi/v2", "/openapi/v3",
                           "/openid/v1/jwks", "/readyz", "/version"}) {
    paths.push(path);
  }
  return Value::object({{"paths", std::move(paths)}});
}

bool answer_groups(Core& core, const HttpCallPtr& call, const std::vector<std::string>& parts) {
  const schema::KindSet& kinds = *core.kinds();
  const std::string address =
      base::host_and_port(core.config.endpoint_host, core.config.endpoint_port);
  const bool is_core = parts[0] == "api";
  if (parts.size() == 1) {
    if (answer_aggregated(core, call, is_core)) return true;
    reply_document(core, call, is_core ? api_versions(address) : api_group_list(kinds));
    return true;
  }
  if (!is_core && parts.size() == 2) {
    for (const GroupVersions& group : served_groups(kinds)) {
      if (group.group != parts[1] || group.group.empty()) continue;
      reply_document(core, call, api_group(group));
      return true;
    }
    return false;
  }
  const Value list = is_core ? api_resource_list(kinds, "", parts[1])
                             : api_resource_list(kinds, parts[1], parts[2]);
  if (list.is_null()) return false;
  reply_document(core, call, list);
  return true;
}

bool answer_open_id(Core& core, const HttpCallPtr& call, const std::string& path) {
  if (!core.config.token_verifier) return false;
  if (path == "/openid/v1/jwks") {
    reply_raw(core, call,
              text_response(200, value::to_json(core.config.token_verifier->json_web_key_set()),
                            "application/jwk-set+json"));
    return true;
  }
  if (path != "/.well-known/openid-configuration") return false;
  std::string uri = core.config.openid_jwks_uri;
  if (uri.empty()) {
    uri = "https://" + base::host_and_port(core.config.endpoint_host, core.config.endpoint_port) +
          "/openid/v1/jwks";
  }
  reply_raw(
      core, call,
      text_response(200, value::to_json(core.config.token_verifier->openid_configuration(uri)),
                    "application/json"));
  return true;
}

bool answer_known(Core& core, const HttpCallPtr& call) {
  const std::string& path = call->op->info.path;
  const std::vector<std::string> parts = parts_of(path);
  if (parts.empty()) {
    reply_document(core, call, path_list(*core.kinds()));
    return true;
  }
  if (parts[0] == "version") {
    reply_raw(core, call,
              text_response(200, value::to_pretty_json(version_document(core.config)),
                            "application/json"));
    return true;
  }
  if (parts[0] == "api" || parts[0] == "apis") return answer_groups(core, call, parts);
  if (parts[0] == "metrics") {
    if (core.config.show_more) core.config.show_more(*core.config.metrics);
    core.config.metrics
        ->gauge("keelway_unreadable_objects", "Objects whose stored value does not open.")
        .set(static_cast<double>(core.cache.unreadable_count()));
    reply_raw(core, call,
              text_response(200, core.config.metrics->prometheus_text(),
                            "text/plain; version=0.0.4; charset=utf-8"));
    return true;
  }
  return answer_health(core, call) || answer_open_api(core, call) ||
         answer_open_id(core, call, path);
}

}  // namespace

http::Response text_response(int status, std::string body, std::string content_type) {
  http::Response response;
  response.status = status;
  response.headers.emplace_back("content-type", std::move(content_type));
  response.body = std::move(body);
  return response;
}

void answer_path(Core& core, const HttpCallPtr& call) {
  if (call->request.method != "GET" && call->request.method != "HEAD") {
    return reply_status(core, call, schema::method_not_supported("", "", call->op->info.verb));
  }
  if (answer_known(core, call)) return;
  reply_page_not_found(core, call);
}

void reply_page_not_found(Core& core, const HttpCallPtr& call) {
  reply_raw(core, call, text_response(404, "404 page not found\n", "text/plain; charset=utf-8"));
}

bool serves_group(const schema::KindSet& kinds, std::string_view group) {
  for (const schema::Kind* kind : kinds.all()) {
    if (kind->group == group && !kind->custom) return true;
  }
  return false;
}

}  // namespace keelway::apiserver
