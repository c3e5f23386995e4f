// Small kinds made by hand, for tests only.
#pragma once

#include <vector>

#include "schema/kind.h"

namespace keelway::schema::testing {

using T = FieldType;

inline constexpr std::string_view name_key[] = {"name"};
inline constexpr std::string_view port_keys[] = {"containerPort", "protocol"};

inline Shape of(T type) {
  Shape shape;
  shape.type = type;
  return shape;
}
inline const Shape text = of(T::string);
inline const Shape number = of(T::integer);

inline Shape map_of(const Shape& element, bool atomic = false) {
  Shape shape = of(T::map);
  shape.element = &element;
  shape.atomic_map = atomic;
  return shape;
}
inline Shape list_of(const Shape& element, ListType type = ListType::atomic,
                     std::span<const std::string_view> keys = {}) {
  Shape shape = of(T::array);
  shape.element = &element;
  shape.list_type = type;
  shape.list_keys = keys;
  return shape;
}
inline Shape struct_of(const Struct& object) {
  Shape shape = of(T::object);
  shape.object = &object;
  return shape;
}
inline Field field(std::string_view name, const Shape& shape) {
  Field f;
  f.name = name;
  f.shape = shape;
  f.proto.number = 1;
  f.proto.pointer = true;
  return f;
}
// A struct by value in Go: written as {} when nobody set it.
inline Field inline_field(std::string_view name, const Struct& object) {
  Field f = field(name, struct_of(object));
  f.proto.pointer = false;
  return f;
}
inline Field merging(std::string_view name, const Shape& shape, std::string_view key) {
  Field f = field(name, shape);
  f.patch.merge = true;
  f.patch.merge_key = key;
  return f;
}

inline Shape with_default(Shape shape, std::string_view json) {
  shape.default_json = json;
  return shape;
}

inline const Field port_fields[] = {
    field("containerPort", number),
    field("name", text),
    field("protocol", with_default(text, "\"TCP\"")),
};
inline const Struct port{"io.k8s.api.core.v1.ContainerPort", port_fields};
inline const Shape port_shape = struct_of(port);

inline const Field env_fields[] = {field("name", text), field("value", text)};
inline const Struct env{"io.k8s.api.core.v1.EnvVar", env_fields};
inline const Shape env_shape = struct_of(env);

inline const Shape quantity = of(T::quantity);
inline const Field resource_fields[] = {field("limits", map_of(quantity))};
inline const Struct resources{"io.k8s.api.core.v1.ResourceRequirements", resource_fields};

inline const Field container_fields[] = {
    field("args", list_of(text)),
    merging("env", list_of(env_shape, ListType::map, name_key), "name"),
    field("image", text),
    field("name", text),
    merging("ports", list_of(port_shape, ListType::map, port_keys), "containerPort"),
    inline_field("resources", resources),
};
inline const Struct container{"io.k8s.api.core.v1.Container", container_fields};
inline const Shape container_shape = struct_of(container);

inline const Field pod_spec_fields[] = {
    [] {
      Field f = merging("containers", list_of(container_shape, ListType::map, name_key), "name");
      f.required = true;
      f.proto.always = true;
      f.proto.pointer = false;
      return f;
    }(),
    field("nodeSelector", map_of(text, true)),
};
inline const Struct pod_spec{"io.k8s.api.core.v1.PodSpec", pod_spec_fields};

inline const Shape anything = of(T::any);
inline const Field meta_fields[] = {
    field("annotations", map_of(text)),
    field("creationTimestamp", of(T::time)),
    merging("finalizers", list_of(text, ListType::set), ""),
    field("generation", number),
    field("labels", map_of(text)),
    field("managedFields", list_of(anything)),
    field("name", text),
    field("namespace", text),
    field("resourceVersion", text),
    field("uid", text),
};
inline const Struct meta{"io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", meta_fields};

inline const Field template_fields[] = {inline_field("metadata", meta),
                                        inline_field("spec", pod_spec)};
inline const Struct pod_template{"io.k8s.api.core.v1.PodTemplateSpec", template_fields};

inline const Field strategy_fields[] = {
    field("rollingUpdate", map_of(anything)),
    field("type", text),
};
inline const Struct strategy{"io.k8s.api.apps.v1.DeploymentStrategy", strategy_fields};

inline const Field spec_fields[] = {
    field("paused", of(T::boolean)),
    field("replicas", number),
    field("selector", map_of(anything, true)),
    [] {
      Field f = inline_field("strategy", strategy);
      f.patch.retain_keys = true;
      return f;
    }(),
    inline_field("template", pod_template),
};
inline const Struct spec{"io.k8s.api.apps.v1.DeploymentSpec", spec_fields};

inline const Field status_fields[] = {field("replicas", number)};
inline const Struct status{"io.k8s.api.apps.v1.DeploymentStatus", status_fields};

inline const Field root_fields[] = {
    field("apiVersion", text),      field("kind", text),
    inline_field("metadata", meta), inline_field("spec", spec),
    inline_field("status", status),
};
inline const Struct root{"io.k8s.api.apps.v1.Deployment", root_fields};

inline const Field config_map_fields[] = {field("apiVersion", text), field("data", map_of(text)),
                                          field("kind", text), inline_field("metadata", meta)};
inline const Struct config_map_root{"io.k8s.api.core.v1.ConfigMap", config_map_fields};

inline const Field custom_spec_fields[] = {
    field("list", list_of(text)),
    field("size", number),
};
inline const Struct custom_spec{"example.com.v1.WidgetSpec", custom_spec_fields};
inline const Field custom_fields[] = {field("apiVersion", text), field("kind", text),
                                      field("metadata", struct_of(meta)),
                                      field("spec", struct_of(custom_spec))};
inline const Struct custom_root{"example.com.v1.Widget", custom_fields};

inline constexpr std::string_view all_verbs[] = {"create", "delete", "deletecollection", "get",
                                                 "list",   "patch",  "update",           "watch"};
inline constexpr std::string_view status_and_scale[] = {"scale", "status"};
inline constexpr Column widget_columns[] = {
    {.name = "Name", .type = "string", .format = "name", .json_path = ".metadata.name"},
    {.name = "Size", .type = "integer", .format = "", .json_path = ".spec.size"},
    {.name = "Made",
     .type = "date",
     .format = "",
     .priority = 1,
     .json_path = ".metadata.creationTimestamp"},
};

inline Kind deployment() {
  Kind kind;
  kind.group = "apps";
  kind.version = "v1";
  kind.kind = "Deployment";
  kind.list_kind = "DeploymentList";
  kind.resource = "deployments";
  kind.singular = "deployment";
  kind.namespaced = true;
  kind.verbs = all_verbs;
  kind.subresources = status_and_scale;
  kind.root = &root;
  kind.has_status = true;
  return kind;
}

inline Kind config_map() {
  Kind kind;
  kind.version = "v1";
  kind.kind = "ConfigMap";
  kind.list_kind = "ConfigMapList";
  kind.resource = "configmaps";
  kind.singular = "configmap";
  kind.namespaced = true;
  kind.verbs = all_verbs;
  kind.root = &config_map_root;
  return kind;
}

inline Kind widget() {
  Kind kind;
  kind.group = "example.com";
  kind.version = "v1";
  kind.kind = "Widget";
  kind.list_kind = "WidgetList";
  kind.resource = "widgets";
  kind.singular = "widget";
  kind.verbs = all_verbs;
  kind.columns = widget_columns;
  kind.root = &custom_root;
  kind.custom = true;
  return kind;
}

// A set of whatever kinds a test needs.
class Kinds final : public KindSet {
 public:
  explicit Kinds(std::vector<Kind> kinds) : kinds_(std::move(kinds)) {}
  int minor() const override { return 33; }
  const Kind* by_resource(std::string_view group, std::string_view version,
                          std::string_view resource) const override {
    for (const Kind& kind : kinds_) {
      if (kind.group == group && kind.version == version && kind.resource == resource) return &kind;
    }
    return nullptr;
  }
  const Kind* by_kind(std::string_view group, std::string_view version,
                      std::string_view name) const override {
    for (const Kind& kind : kinds_) {
      if (kind.group == group && kind.version == version && kind.kind == name) return &kind;
    }
    return nullptr;
  }
  std::vector<const Kind*> all() const override {
    std::vector<const Kind*> found;
    for (const Kind& kind : kinds_) found.push_back(&kind);
    return found;
  }

 private:
  std::vector<Kind> kinds_;
};

}  // namespace keelway::schema::testing
