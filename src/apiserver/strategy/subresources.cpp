#include "apiserver/strategy/subresources.h"

#include <algorithm>

#include "apiserver/strategy/handlers.h"

namespace keelway::apiserver {
namespace {

struct Entry {
  std::string_view subresource, verb;
  SubresourceVerb run;
};

constexpr Entry kSubresources[] = {
    {"scale", "get", scale_get},
    {"scale", "update", scale_update},
    {"scale", "patch", scale_patch},
    {"binding", "create", bind_pod},
    {"eviction", "create", evict_pod},
    {"token", "create", request_token},
    {"finalize", "update", finalize_namespace},
    {"log", "get", read_log},
    {"exec", "get", refuse_streaming},
    {"exec", "create", refuse_streaming},
    {"attach", "get", refuse_streaming},
    {"attach", "create", refuse_streaming},
    {"portforward", "get", refuse_streaming},
    {"portforward", "create", refuse_streaming},
};

const std::vector<SubresourceFacts>& all_facts() {
  static const std::vector<SubresourceFacts> facts = {
      {"status", {"get", "patch", "update"}, "", "", ""},
      {"scale", {"get", "patch", "update"}, "Scale", "autoscaling", "v1"},
      {"binding", {"create"}, "Binding", "", "v1"},
      {"eviction", {"create"}, "Eviction", "policy", "v1"},
      {"token", {"create"}, "TokenRequest", "authentication.k8s.io", "v1"},
      {"finalize", {"update"}, "", "", ""},
      {"log", {"get"}, "", "", ""},
      {"exec", {"create", "get"}, "PodExecOptions", "", "v1"},
      {"attach", {"create", "get"}, "PodAttachOptions", "", "v1"},
      {"portforward", {"create", "get"}, "PodPortForwardOptions", "", "v1"},
      {"ephemeralcontainers", {"get", "patch", "update"}, "", "", ""},
      {"resize", {"get", "patch", "update"}, "", "", ""},
      {"approval", {"get", "patch", "update"}, "", "", ""},
  };
  return facts;
}

SubresourceVerb review_verb(const schema::Kind& kind, std::string_view verb) {
  if (verb != "create") return nullptr;
  if (kind.resource == "bindings" && kind.group.empty()) return bind_by_name;
  if (kind.group == "authentication.k8s.io" || kind.group == "authorization.k8s.io") {
    return answer_review;
  }
  return nullptr;
}

}  // namespace

SubresourceVerb special_verb(const schema::Kind& kind, std::string_view subresource,
                             std::string_view verb) {
  if (subresource.empty()) return review_verb(kind, verb);
  for (const Entry& entry : kSubresources) {
    if (entry.subresource == subresource && entry.verb == verb) return entry.run;
  }
  return nullptr;
}

const SubresourceFacts* subresource_facts(std::string_view name) {
  for (const SubresourceFacts& facts : all_facts()) {
    if (facts.name == name) return &facts;
  }
  return nullptr;
}

bool offers_subresource(const schema::Kind&, std::string_view subresource, std::string_view verb) {
  const SubresourceFacts* facts = subresource_facts(subresource);
  return facts != nullptr &&
         std::find(facts->verbs.begin(), facts->verbs.end(), verb) != facts->verbs.end();
}

}  // namespace keelway::apiserver
