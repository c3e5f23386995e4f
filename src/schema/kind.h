// Kinds as data: the one description that decoding, pruning, defaults, validation, patches,
// server-side apply, protobuf, OpenAPI and Tables all read. Built-in kinds are compiled tables
// (src/kinds, made by tools/kindgen); custom resources build the same tables at run time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "schema/status.h"
#include "value/value.h"

namespace keelway::schema {

enum class FieldType : std::uint8_t {
  object,  // members are fields of `object`
  array,   // items are of `element`
  map,     // string keys, values of `element`
  string,
  integer,  // int64; `format_int32` narrows
  number,
  boolean,
  int_or_string,
  quantity,    // resource.Quantity, kept as the text that came in canonical form
  time,        // metav1.Time
  micro_time,  // metav1.MicroTime
  duration,    // metav1.Duration
  bytes,       // base64 in JSON, bytes in protobuf
  any,         // anything: RawExtension, JSON, FieldsV1, x-kubernetes-preserve-unknown-fields
};

enum class ListType : std::uint8_t { atomic, set, map };

struct Struct;

// The rules that a value on its own can be held against. Absent rules are empty.
struct Rules {
  std::span<const std::string_view> enumeration;  // strings only, sorted as upstream prints them
  std::string_view format;   // "dns1123-label", "int32", "date-time" ...; see schema/formats.h
  std::string_view pattern;  // RE2
  std::optional<double> minimum, maximum;
  bool exclusive_minimum = false, exclusive_maximum = false;
  std::optional<double> multiple_of;
  std::optional<std::int64_t> length_min, length_max;    // strings, code points
  std::optional<std::int64_t> items_min, items_max;      // arrays
  std::optional<std::int64_t> members_min, members_max;  // maps
  bool immutable = false;
  bool unique_items = false;
  // Custom resources' allOf/anyOf/oneOf/not and the like, evaluated as generic JSON Schema.
  const value::Value* extra = nullptr;
};

// The type of one value, wherever it stands.
struct Shape {
  FieldType type = FieldType::any;
  bool format_int32 = false;
  bool nullable = false;           // custom resources: null is kept
  bool atomic_map = false;         // map or object owned as a whole
  bool preserve_unknown = false;   // unknown members are kept
  bool embedded_resource = false;  // has apiVersion, kind, metadata of its own
  ListType list_type = ListType::atomic;
  std::span<const std::string_view> list_keys = {};  // list_type map
  // Type object: its members. Type any: null, or a union whose protobuf form has the member
  // "schema" for what is an object and one other for what is not; JSON shows the one that is set.
  const Struct* object = nullptr;
  const Shape* element = nullptr;  // type array, map
  const Rules* rules = nullptr;
  std::string_view default_json = {};  // empty: none
};

// Flags of strategic merge patch (x-kubernetes-patch-strategy).
struct PatchStrategy {
  bool merge = false;
  bool replace = false;
  bool retain_keys = false;
  std::string_view merge_key;
};

// How a field stands in the protobuf form; number 0: it has none.
struct ProtoField {
  enum class Wire : std::uint8_t {
    string,
    bytes,
    boolean,
    int32,
    int64,
    uint32,
    uint64,
    float64,
    message
  };
  std::uint16_t number = 0;
  Wire wire = Wire::string;
  bool pointer = false;  // Go pointer: written only when set; others are written even when zero
  bool always = false;   // JSON made of the protobuf form shows it even when it is zero
  // The message that holds it although JSON does not show that ("volumeSource" of a Volume).
  std::uint16_t outer = 0;
};

struct Field {
  std::string_view name;
  Shape shape;
  bool required = false;
  PatchStrategy patch;
  ProtoField proto;
  // Kubernetes 1.MINOR that has the field: since <= minor < until; 0: no bound.
  std::uint8_t since = 0, until = 0;
  std::string_view gate;  // feature gate that must be on; empty: none
};

struct Struct {
  std::string_view name;          // "io.k8s.api.core.v1.PodSpec"
  std::span<const Field> fields;  // sorted by name
  // Indexes of the fields that have a protobuf number, as they are written: by the number of the
  // message that holds them, then by their own.
  std::span<const std::uint16_t> proto_order = {};
  const Field* find(std::string_view field_name) const;
};

// A column of the Table form.
struct Column {
  std::string_view name, type, format;
  int priority = 0;
  std::string_view json_path;  // custom resources; built-ins have a printer hook
};

struct Kind;

// What tables cannot say, one per kind that needs it; members may be null. All pure.
struct Hooks {
  void (*apply_defaults)(const Kind&, value::Value& object) = nullptr;
  // What the server sets or clears when an object is created or changed (status of a create,
  // generation is generic). `old` is null on create.
  void (*prepare)(const Kind&, value::Value& object, const value::Value* old) = nullptr;
  void (*validate)(const Kind&, const value::Value& object, const value::Value* old,
                   FieldErrors& errors) = nullptr;
  // Cells of one Table row, in column order.
  value::Array (*print)(const Kind&, const value::Value& object, base::WallTime now) = nullptr;
};

struct ScaleSubresource {
  std::string_view spec_replicas_path;  // ".spec.replicas"
  std::string_view status_replicas_path;
  std::string_view label_selector_path;  // into status or spec; may be empty
};

// One served group, version and kind.
struct Kind {
  std::string_view group, version, kind, list_kind;
  std::string_view resource, singular;  // "pods", "pod"
  bool namespaced = false;
  std::span<const std::string_view> verbs;  // empty: not a stored resource of its own
  std::span<const std::string_view> short_names;
  std::span<const std::string_view> categories;
  std::span<const std::string_view> subresources;  // "status", "scale", "binding" ...
  std::span<const Column> columns;
  std::span<const std::string_view> selectable_fields;  // "spec.nodeName"; metadata.* always
  const Struct* root = nullptr;
  const Hooks* hooks = nullptr;
  std::optional<ScaleSubresource> scale;
  bool has_status = false;      // a status subresource: main writes ignore status
  bool has_generation = false;  // metadata.generation counts spec changes
  bool custom = false;          // from a CRD
  // Custom resources: the schema that validate() holds objects against. Null: none.
  const value::Value* json_schema = nullptr;
  bool deprecated = false;
  std::string_view deprecation_warning;
  std::string_view proto_message;  // "k8s.io.api.core.v1.Pod"; empty: no protobuf form
  std::uint8_t since = 0, until = 0;
  // The group-resource and version that hold it in the store ("events.k8s.io" events live as
  // core/v1 events).
  std::string_view storage_group, storage_version;
  // Objects with the same name in another version of one CRD share the storage group-resource.
  bool unconditional_update = true;                  // PUT without resourceVersion is allowed
  bool create_on_update = false;                     // PUT of a missing object creates it
  bool returns_deleted = false;                      // DELETE answers the object
  std::string_view name_rule = "dns1123-subdomain";  // or "dns1123-label", "dns1035-label",
                                                     // "path-segment"

  std::string api_version() const;  // "v1", "apps/v1"
};

// Every kind that one cluster serves. Immutable; a change of CRDs makes a new one.
class KindSet {
 public:
  virtual ~KindSet() = default;
  virtual int minor() const = 0;  // 33 for Kubernetes 1.33
  virtual const Kind* by_resource(std::string_view group, std::string_view version,
                                  std::string_view resource) const = 0;
  virtual const Kind* by_kind(std::string_view group, std::string_view version,
                              std::string_view kind) const = 0;
  // Stored resources and non-stored ones, groups in discovery order, then by resource.
  virtual std::vector<const Kind*> all() const = 0;
};
using KindSetPtr = std::shared_ptr<const KindSet>;

}  // namespace keelway::schema
