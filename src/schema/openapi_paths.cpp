#include "schema/openapi_paths.h"

#include <algorithm>
#include <array>

namespace keelway::schema {
namespace {

using value::Array;
using value::Value;

using Names = std::vector<std::string_view>;

const Names kWrite{"dryRun", "fieldManager", "fieldValidation"};
const Names kPatch{"dryRun", "fieldManager", "fieldValidation", "force"};
const Names kDelete{"dryRun", "gracePeriodSeconds",
                    "ignoreStoreReadErrorWithClusterBreakingPotential", "orphanDependents",
                    "propagationPolicy"};
const Names kList{"allowWatchBookmarks",
                  "continue",
                  "fieldSelector",
                  "labelSelector",
                  "limit",
                  "resourceVersion",
                  "resourceVersionMatch",
                  "sendInitialEvents",
                  "timeoutSeconds",
                  "watch"};
const Names kDeleteMany{"continue",
                        "dryRun",
                        "fieldSelector",
                        "gracePeriodSeconds",
                        "ignoreStoreReadErrorWithClusterBreakingPotential",
                        "labelSelector",
                        "limit",
                        "orphanDependents",
                        "propagationPolicy",
                        "resourceVersion",
                        "resourceVersionMatch",
                        "sendInitialEvents",
                        "timeoutSeconds"};

std::string_view type_of_parameter(std::string_view name) {
  constexpr std::array<std::string_view, 6> booleans{
      "allowWatchBookmarks",
      "force",
      "ignoreStoreReadErrorWithClusterBreakingPotential",
      "orphanDependents",
      "sendInitialEvents",
      "watch"};
  if (std::find(booleans.begin(), booleans.end(), name) != booleans.end()) return "boolean";
  if (name == "limit" || name == "timeoutSeconds" || name == "gracePeriodSeconds") return "integer";
  return "string";
}

bool is_path_parameter(std::string_view name) {
  return name == "name" || name == "namespace";
}

std::string capital(std::string_view word) {
  std::string out(word);
  if (!out.empty() && out[0] >= 'a' && out[0] <= 'z') out[0] = static_cast<char>(out[0] - 32);
  return out;
}

// "rbac.authorization.k8s.io", "v1" -> "RbacAuthorizationV1".
std::string group_words(const Kind& kind) {
  std::string_view group = kind.group.empty() ? "core" : kind.group;
  if (group.ends_with(".k8s.io")) group.remove_suffix(7);
  std::string out;
  while (!group.empty()) {
    const std::size_t dot = std::min(group.find_first_of(".-"), group.size());
    out += capital(group.substr(0, dot));
    group.remove_prefix(std::min(dot + 1, group.size()));
  }
  return out + capital(kind.version);
}

std::string tag_of(const Kind& kind) {
  std::string tag(kind.group.empty() ? "core" : kind.group);
  if (tag.ends_with(".k8s.io")) tag.resize(tag.size() - 7);
  std::string words;  // "rbac.authorization" -> "rbacAuthorization"
  for (std::size_t i = 0; i < tag.size(); ++i) {
    const bool joint = tag[i] == '.' || tag[i] == '-';
    if (joint && i + 1 < tag.size())
      words += capital(tag.substr(++i, 1));
    else if (!joint)
      words += tag[i];
  }
  return words + "_" + std::string(kind.version);
}

bool has(std::span<const std::string_view> words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// Makes the operations of one kind.
class PathMaker {
 public:
  PathMaker(const Kind& kind, OpenApiSchemas& schemas)
      : kind_(kind), schemas_(schemas), object_(schemas.add_kind(kind)) {
    base_ = kind.group.empty() ? "/api/" : "/apis/" + std::string(kind.group) + "/";
    base_ += std::string(kind.version);
    scope_ = kind.namespaced ? "Namespaced" : "";
  }

  std::vector<ApiPath> make() {
    const std::string resource(kind_.resource);
    const std::string collection =
        base_ + (kind_.namespaced ? "/namespaces/{namespace}/" : "/") + resource;
    const bool stored = has(kind_.verbs, "get");
    add_collection(collection);
    if (kind_.namespaced && has(kind_.verbs, "list")) add_all_namespaces(base_ + "/" + resource);
    if (stored) add_item(collection + "/{name}");
    for (const std::string_view subresource : kind_.subresources) {
      add_subresource(collection + "/{name}/" + std::string(subresource), subresource);
    }
    return std::move(paths_);
  }

 private:
  ApiOperation operation(std::string method, std::string action, std::string_view verb,
                         std::string_view suffix = {}) const {
    ApiOperation o;
    o.method = std::move(method);
    const bool many = action == "deletecollection";
    o.id = std::string(many ? "delete" : verb) + group_words(kind_) + (many ? "Collection" : "") +
           scope_ + std::string(kind_.kind) + std::string(suffix);
    o.action = std::move(action);
    o.group = kind_.group;
    o.version = kind_.version;
    o.kind = kind_.kind;
    o.has_protobuf = !kind_.proto_message.empty();
    o.tag = tag_of(kind_);
    return o;
  }

  Names path_parameters(bool item) const {
    Names names;
    if (item) names.push_back("name");
    if (kind_.namespaced) names.push_back("namespace");
    names.push_back("pretty");
    return names;
  }

  void keep(ApiPath path) {
    if (!path.operations.empty()) paths_.push_back(std::move(path));
  }

  ApiOperation list_operation(std::string_view verb, std::string_view suffix = {}) {
    ApiOperation o = operation("get", "list", verb, suffix);
    o.query = kList;
    o.streams = true;
    o.answers = {{"200", schemas_.add_list(kind_)}};
    return o;
  }

  void add_collection(const std::string& path) {
    ApiPath entry{path, path_parameters(false), {}};
    if (has(kind_.verbs, "list")) entry.operations.push_back(list_operation("list"));
    if (has(kind_.verbs, "create")) {
      ApiOperation o = operation("post", "post", "create");
      o.query = kWrite;
      o.body = object_;
      o.answers = {{"200", object_}, {"201", object_}, {"202", object_}};
      entry.operations.push_back(std::move(o));
    }
    if (has(kind_.verbs, "deletecollection")) {
      ApiOperation o = operation("delete", "deletecollection", "deleteCollection");
      o.query = kDeleteMany;
      o.body = schemas_.add_by_kind(kind_.group, kind_.version, "DeleteOptions");
      o.body_required = false;
      o.answers = {{"200", schemas_.add_by_kind("", "v1", "Status")}};
      entry.operations.push_back(std::move(o));
    }
    keep(std::move(entry));
  }

  void add_all_namespaces(const std::string& path) {
    ApiPath entry{path, {"pretty"}, {}};
    ApiOperation o = list_operation("list", "ForAllNamespaces");
    o.id = "list" + group_words(kind_) + std::string(kind_.kind) + "ForAllNamespaces";
    entry.operations.push_back(std::move(o));
    keep(std::move(entry));
  }

  void add_item(const std::string& path) {
    ApiPath entry{path, path_parameters(true), {}};
    entry.operations.push_back(read_operation(object_, "", "", "", ""));
    if (has(kind_.verbs, "update")) entry.operations.push_back(replace_operation(object_));
    if (has(kind_.verbs, "patch")) entry.operations.push_back(patch_operation(object_));
    if (has(kind_.verbs, "delete")) {
      ApiOperation o = operation("delete", "delete", "delete");
      o.query = kDelete;
      o.body = schemas_.add_by_kind(kind_.group, kind_.version, "DeleteOptions");
      o.body_required = false;
      const std::string answer =
          kind_.returns_deleted ? object_ : schemas_.add_by_kind("", "v1", "Status");
      o.answers = {{"200", answer}, {"202", answer}};
      entry.operations.push_back(std::move(o));
    }
    keep(std::move(entry));
  }

  ApiOperation read_operation(const std::string& answer, std::string_view suffix,
                              std::string_view group, std::string_view version,
                              std::string_view kind) const {
    ApiOperation o = operation("get", "get", "read", suffix);
    o.answers = {{"200", answer}};
    if (!kind.empty()) o.group = group, o.version = version, o.kind = kind;
    return o;
  }

  ApiOperation replace_operation(const std::string& object, std::string_view suffix = {}) const {
    ApiOperation o = operation("put", "put", "replace", suffix);
    o.query = kWrite;
    o.body = object;
    o.answers = {{"200", object}, {"201", object}};
    return o;
  }

  ApiOperation patch_operation(const std::string& object, std::string_view suffix = {}) {
    ApiOperation o = operation("patch", "patch", "patch", suffix);
    o.query = kPatch;
    o.body = schemas_.add_patch();
    o.is_patch = true;
    o.strategic = !kind_.custom;
    o.answers = {{"200", object}, {"201", object}};
    return o;
  }

  struct Other {
    std::string_view subresource, group, version, kind;
  };

  void add_subresource(const std::string& path, std::string_view name) {
    constexpr std::array<Other, 4> others{
        {{"scale", "autoscaling", "v1", "Scale"},
         {"eviction", "policy", "v1", "Eviction"},
         {"binding", "", "v1", "Binding"},
         {"token", "authentication.k8s.io", "v1", "TokenRequest"}}};
    constexpr std::array<std::string_view, 4> connections{"attach", "exec", "portforward", "proxy"};
    ApiPath entry{path, path_parameters(true), {}};
    const std::string suffix = capital(name);
    const auto other = std::find_if(others.begin(), others.end(),
                                    [&](const Other& o) { return o.subresource == name; });
    std::string object = object_;
    if (other != others.end()) {
      object = schemas_.add_by_kind(other->group, other->version, other->kind);
    }
    if (has(connections, name)) {
      for (const char* method : {"get", "post"}) {
        ApiOperation o = operation(method, "connect", "connect", suffix);
        o.id = "connect" + group_words(kind_) + capital(method) + scope_ + std::string(kind_.kind) +
               suffix;
        o.answers = {{"200", ""}};
        entry.operations.push_back(std::move(o));
      }
    } else if (name == "log") {
      entry.operations.push_back(read_operation("", suffix, "", "", ""));
    } else if (other != others.end() && name != "scale") {
      ApiOperation o = operation("post", "post", "create", suffix);
      o.query = kWrite;
      o.body = object;
      o.answers = {{"200", object}, {"201", object}, {"202", object}};
      entry.operations.push_back(std::move(o));
    } else {
      if (name != "finalize")
        entry.operations.push_back(read_operation(object, suffix, "", "", ""));
      entry.operations.push_back(replace_operation(object, suffix));
      if (name != "finalize") entry.operations.push_back(patch_operation(object, suffix));
    }
    if (other != others.end()) {
      for (ApiOperation& o : entry.operations) {
        o.group = other->group;
        o.version = other->version;
        o.kind = other->kind;
      }
    }
    keep(std::move(entry));
  }

  const Kind& kind_;
  OpenApiSchemas& schemas_;
  const std::string object_;
  std::string base_, scope_;
  std::vector<ApiPath> paths_;
};

std::string_view answer_text(std::string_view code) {
  if (code == "201") return "Created";
  if (code == "202") return "Accepted";
  return code == "401" ? "Unauthorized" : "OK";
}

Array media_types(const ApiOperation& o) {
  Array types{"application/json", "application/yaml"};
  if (o.has_protobuf) types.emplace_back("application/vnd.kubernetes.protobuf");
  if (o.streams) {
    types.emplace_back("application/json;stream=watch");
    if (o.has_protobuf) types.emplace_back("application/vnd.kubernetes.protobuf;stream=watch");
  }
  return types;
}

Array patch_types(const ApiOperation& o) {
  Array types{"application/json-patch+json", "application/merge-patch+json"};
  if (o.strategic) types.emplace_back("application/strategic-merge-patch+json");
  types.emplace_back("application/apply-patch+yaml");
  return types;
}

Value parameter_v3(std::string_view name) {
  const bool in_path = is_path_parameter(name);
  Value v = Value::object(
      {{"name", name},
       {"in", in_path ? "path" : "query"},
       {"schema", Value::object({{"type", type_of_parameter(name)}, {"uniqueItems", true}})}});
  if (in_path) v.set("required", true);
  return v;
}

Value parameter_v2(std::string_view name) {
  const bool in_path = is_path_parameter(name);
  Value v = Value::object({{"name", name},
                           {"in", in_path ? "path" : "query"},
                           {"type", type_of_parameter(name)},
                           {"uniqueItems", true}});
  if (in_path) v.set("required", true);
  return v;
}

Value common(const ApiOperation& o) {
  Value v = Value::object({{"operationId", o.id}, {"tags", Value::array({Value(o.tag)})}});
  v.set("x-kubernetes-action", o.action);
  v.set("x-kubernetes-group-version-kind",
        Value::object({{"group", o.group}, {"kind", o.kind}, {"version", o.version}}));
  return v;
}

template <class Parameter>
Value parameters(const std::vector<std::string_view>& names, const Parameter& parameter) {
  Array items;
  for (const std::string_view name : names) items.push_back(parameter(name));
  return Value(std::move(items));
}

Value operation_v3(const ApiOperation& o, const OpenApiSchemas& schemas) {
  Value v = common(o);
  if (!o.query.empty()) v.set("parameters", parameters(o.query, parameter_v3));
  if (!o.body.empty()) {
    Value content = Value::object();
    const Array types = o.is_patch ? patch_types(o) : Array{"*/*"};
    for (const Value& type : types) {
      content.set(type.as_string(), Value::object({{"schema", schemas.ref(o.body)}}));
    }
    Value body = Value::object({{"content", std::move(content)}});
    if (o.body_required) body.set("required", true);
    v.set("requestBody", std::move(body));
  }
  Value responses = Value::object();
  for (const auto& [code, definition] : o.answers) {
    Value response = Value::object({{"description", answer_text(code)}});
    Value content = Value::object();
    if (definition.empty()) {
      content.set("*/*", Value::object({{"schema", Value::object({{"type", "string"}})}}));
    } else {
      for (const Value& type : media_types(o)) {
        content.set(type.as_string(), Value::object({{"schema", schemas.ref(definition)}}));
      }
    }
    response.set("content", std::move(content));
    responses.set(code, std::move(response));
  }
  responses.set("401", Value::object({{"description", "Unauthorized"}}));
  v.set("responses", std::move(responses));
  return v;
}

Value operation_v2(const ApiOperation& o, const OpenApiSchemas& schemas) {
  Value v = common(o);
  Value parameter_list = parameters(o.query, parameter_v2);
  if (!o.body.empty()) {
    Value body = Value::object({{"in", "body"}, {"name", "body"}, {"schema", schemas.ref(o.body)}});
    if (o.body_required) body.set("required", true);
    parameter_list.push(std::move(body));
  }
  if (!parameter_list.empty()) v.set("parameters", std::move(parameter_list));
  v.set("consumes", Value(o.is_patch ? patch_types(o) : Array{"*/*"}));
  v.set("produces",
        Value(o.answers.empty() || o.answers[0].second.empty() ? Array{"*/*"} : media_types(o)));
  v.set("schemes", Value::array({"https"}));
  Value responses = Value::object();
  for (const auto& [code, definition] : o.answers) {
    Value response = Value::object({{"description", answer_text(code)}});
    response.set("schema", definition.empty() ? Value::object({{"type", "string"}})
                                              : schemas.ref(definition));
    responses.set(code, std::move(response));
  }
  responses.set("401", Value::object({{"description", "Unauthorized"}}));
  v.set("responses", std::move(responses));
  return v;
}

}  // namespace

std::vector<ApiPath> api_paths(const Kind& kind, OpenApiSchemas& schemas) {
  if (kind.resource.empty() || kind.verbs.empty() || kind.root == nullptr) return {};
  return PathMaker(kind, schemas).make();
}

Value path_v3(const ApiPath& path, const OpenApiSchemas& schemas) {
  Value v = Value::object({{"parameters", parameters(path.parameters, parameter_v3)}});
  for (const ApiOperation& o : path.operations) v.set(o.method, operation_v3(o, schemas));
  return v;
}

Value path_v2(const ApiPath& path, const OpenApiSchemas& schemas) {
  Value v = Value::object({{"parameters", parameters(path.parameters, parameter_v2)}});
  for (const ApiOperation& o : path.operations) v.set(o.method, operation_v2(o, schemas));
  return v;
}

}  // namespace keelway::schema
