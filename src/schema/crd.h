// CustomResourceDefinitions: from the document to served kinds.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "schema/kind.h"
#include "schema/status.h"
#include "value/value.h"

namespace keelway::schema {

// One served version of a CustomResourceDefinition. Owns every array that its Kind points into;
// neither copied nor moved.
class CustomKind {
 public:
  CustomKind();
  ~CustomKind();
  CustomKind(const CustomKind&) = delete;
  CustomKind& operator=(const CustomKind&) = delete;
  const Kind& kind() const { return kind_; }
  // The published schema (openAPIV3Schema as the user wrote it); null where there is none.
  const value::Value& open_api_schema() const { return schema_; }
  bool is_storage_version() const { return storage_; }

 private:
  friend class CustomKindBuilder;
  struct Storage;
  Kind kind_;
  value::Value schema_;
  bool storage_ = false;
  std::unique_ptr<Storage> storage_arena_;
};
using CustomKindPtr = std::shared_ptr<const CustomKind>;

// The document must be defaulted and validated. One kind per served version, in the document's
// order.
Answer<std::vector<std::unique_ptr<CustomKind>>> build_custom_kinds(const value::Value& crd);

// What tables cannot say about the CustomResourceDefinition kind itself; its hooks call these.
void default_crd(value::Value& crd);
void validate_crd(const value::Value& crd, const value::Value* old, FieldErrors& errors);

// Texts of Warning headers for a CustomResourceDefinition that uses what this server only keeps
// (x-kubernetes-validations).
std::vector<std::string> crd_warnings(const value::Value& crd);

// Compares API versions as discovery orders them: v2 before v1 before v1beta1 before v1alpha1
// before anything else. True: `a` comes first.
bool version_comes_first(std::string_view a, std::string_view b);

// Built-in kinds and custom ones. Immutable once made.
class DynamicKindSet : public KindSet {
 public:
  DynamicKindSet(KindSetPtr built_in, std::vector<CustomKindPtr> custom);
  int minor() const override;
  const Kind* by_resource(std::string_view group, std::string_view version,
                          std::string_view resource) const override;
  const Kind* by_kind(std::string_view group, std::string_view version,
                      std::string_view kind) const override;
  // Built-in kinds first, custom ones by group, then version preference, then resource.
  std::vector<const Kind*> all() const override;
  // The custom kind behind `kind`, or null for a built-in one.
  const CustomKind* custom(const Kind& kind) const;
  const KindSetPtr& built_in() const { return built_in_; }
  const std::vector<CustomKindPtr>& custom_kinds() const { return custom_; }

 private:
  KindSetPtr built_in_;
  std::vector<CustomKindPtr> custom_;  // sorted
};

}  // namespace keelway::schema
