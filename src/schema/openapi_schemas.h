// Definitions of OpenAPI documents, made from the tables. Shared by the v2 and v3 documents.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "schema/kind.h"
#include "value/value.h"

namespace keelway::schema {

enum class OpenApiForm { v2, v3 };

// Collects the definitions that a document needs, each once, with all that it refers to.
class OpenApiSchemas {
 public:
  OpenApiSchemas(OpenApiForm form, const KindSet& kinds);

  // Each answers the definition's name ("io.k8s.api.apps.v1.Deployment"; empty without a root).
  std::string add_kind(const Kind& kind);
  std::string add_list(const Kind& kind);
  std::string add_by_kind(std::string_view group, std::string_view version, std::string_view kind);
  std::string add_patch();  // metav1.Patch: any object

  value::Value ref(std::string_view name) const;  // {"$ref": ...}
  value::Value take();                            // {name: schema}, sorted

 private:
  value::Value embedded(std::string_view name) const;  // a struct by value: default {}
  std::string add_struct(const Struct& type);
  std::string add_leaf(std::string_view name, value::Value schema);
  std::string custom_name(const Kind& kind) const;
  value::Value struct_schema(const Struct& type);
  value::Value field_schema(const Field& field);
  value::Value shape_schema(const Shape& shape);
  value::Value plain_schema(const Shape& shape);
  value::Value custom_schema(const Kind& kind);
  value::Value group_version_kinds(std::string_view definition) const;

  OpenApiForm form_;
  const KindSet& kinds_;
  std::map<std::string, value::Array, std::less<>> kinds_of_struct_;
  std::map<std::string, value::Value, std::less<>> schemas_;
};

}  // namespace keelway::schema
