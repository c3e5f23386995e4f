#include "schema/object_meta.h"

#include <array>

namespace keelway::schema {
namespace {

using Wire = ProtoField::Wire;

constexpr Shape kString{.type = FieldType::string};
constexpr Shape kBool{.type = FieldType::boolean};
constexpr Shape kInt{.type = FieldType::integer};
constexpr Shape kTime{.type = FieldType::time};
constexpr Shape kAny{.type = FieldType::any};
constexpr Shape kStringMap{.type = FieldType::map, .element = &kString};

constexpr Field field(std::string_view name, Shape shape, std::uint16_t number, Wire wire,
                      bool pointer = false, bool required = false) {
  Field out;
  out.name = name;
  out.shape = shape;
  out.required = required;
  out.proto = {number, wire, pointer};
  return out;
}

constexpr std::array kOwnerFields{
    field("apiVersion", kString, 5, Wire::string, false, true),
    field("blockOwnerDeletion", kBool, 7, Wire::boolean, true),
    field("controller", kBool, 6, Wire::boolean, true),
    field("kind", kString, 1, Wire::string, false, true),
    field("name", kString, 3, Wire::string, false, true),
    field("uid", kString, 4, Wire::string, false, true),
};
constexpr Struct kOwner{"io.k8s.apimachinery.pkg.apis.meta.v1.OwnerReference", kOwnerFields};
constexpr Shape kOwnerShape{.type = FieldType::object, .atomic_map = true, .object = &kOwner};

constexpr std::array kManagedFields{
    field("apiVersion", kString, 3, Wire::string),   field("fieldsType", kString, 6, Wire::string),
    field("fieldsV1", kAny, 7, Wire::message, true), field("manager", kString, 1, Wire::string),
    field("operation", kString, 2, Wire::string),    field("subresource", kString, 8, Wire::string),
    field("time", kTime, 4, Wire::message, true),
};
constexpr Struct kManaged{"io.k8s.apimachinery.pkg.apis.meta.v1.ManagedFieldsEntry",
                          kManagedFields};
constexpr Shape kManagedShape{.type = FieldType::object, .object = &kManaged};

constexpr std::array<std::string_view, 1> kUid{"uid"};
constexpr Shape kFinalizers{
    .type = FieldType::array, .list_type = ListType::set, .element = &kString};
constexpr Shape kOwners{.type = FieldType::array,
                        .list_type = ListType::map,
                        .list_keys = kUid,
                        .element = &kOwnerShape};
constexpr Shape kManagedList{.type = FieldType::array, .element = &kManagedShape};

constexpr std::array kMetaFields{
    field("annotations", kStringMap, 12, Wire::message),
    field("creationTimestamp", kTime, 8, Wire::message),
    field("deletionGracePeriodSeconds", kInt, 10, Wire::int64, true),
    field("deletionTimestamp", kTime, 9, Wire::message, true),
    field("finalizers", kFinalizers, 14, Wire::string),
    field("generateName", kString, 2, Wire::string),
    field("generation", kInt, 7, Wire::int64),
    field("labels", kStringMap, 11, Wire::message),
    field("managedFields", kManagedList, 17, Wire::message),
    field("name", kString, 1, Wire::string),
    field("namespace", kString, 3, Wire::string),
    field("ownerReferences", kOwners, 13, Wire::message),
    field("resourceVersion", kString, 6, Wire::string),
    field("selfLink", kString, 4, Wire::string),
    field("uid", kString, 5, Wire::string),
};
constexpr Struct kMeta{"io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", kMetaFields};

}  // namespace

const Struct& object_meta_struct() {
  return kMeta;
}

}  // namespace keelway::schema
