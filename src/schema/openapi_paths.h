// The operations of the API as data, and their v2 and v3 forms.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "schema/kind.h"
#include "schema/openapi_schemas.h"
#include "value/value.h"

namespace keelway::schema {

struct ApiOperation {
  std::string method;  // "get" ... "patch"
  std::string action;  // x-kubernetes-action: "list", "deletecollection", "connect" ...
  std::string id;      // "listAppsV1NamespacedDeployment"
  std::string group, version, kind;
  std::vector<std::string_view> query;  // names of query parameters
  std::string body;                     // definition; empty: none
  bool body_required = true;
  bool is_patch = false, strategic = false;
  bool has_protobuf = false, streams = false;
  std::vector<std::pair<std::string_view, std::string>> answers;  // code, definition or empty
  std::string tag;                                                // "apps_v1"
};

struct ApiPath {
  std::string path;
  std::vector<std::string_view> parameters;  // of the path: "name", "namespace", "pretty"
  std::vector<ApiOperation> operations;
};

// Every path of one kind. Adds the definitions that they name.
std::vector<ApiPath> api_paths(const Kind& kind, OpenApiSchemas& schemas);

value::Value path_v3(const ApiPath& path, const OpenApiSchemas& schemas);
value::Value path_v2(const ApiPath& path, const OpenApiSchemas& schemas);

}  // namespace keelway::schema
