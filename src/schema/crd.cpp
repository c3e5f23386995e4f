#include "schema/crd.h"

#include <fmt/core.h>

#include <algorithm>
#include <deque>

#include "schema/object_meta.h"
#include "value/json.h"

namespace keelway::schema {

using value::Value;

// Deques: what a Kind points to must not move.
struct CustomKind::Storage {
  std::deque<std::string> strings;
  std::deque<std::vector<std::string_view>> lists;
  std::deque<std::vector<Field>> fields;
  std::deque<Struct> structs;
  std::deque<Shape> shapes;
  std::vector<Column> columns;
};

CustomKind::CustomKind() : storage_arena_(std::make_unique<Storage>()) {}
CustomKind::~CustomKind() = default;

namespace {

constexpr std::array<std::string_view, 8> kVerbs{"create", "delete", "deletecollection", "get",
                                                 "list",   "patch",  "update",           "watch"};

constexpr int kDepthMax = 200;

}  // namespace

class CustomKindBuilder {
 public:
  CustomKindBuilder(const Value& crd, const Value& version)
      : crd_(crd),
        version_(version),
        out_(std::make_unique<CustomKind>()),
        arena_(*out_->storage_arena_) {}

  std::unique_ptr<CustomKind> build() {
    const Value& spec = crd_["spec"];
    const Value& names = spec["names"];
    Kind& kind = out_->kind_;
    out_->schema_ = version_.at("schema", "openAPIV3Schema");
    out_->storage_ = version_["storage"].as_bool();
    kind.group = text_of(spec["group"]);
    kind.version = text_of(version_["name"]);
    kind.kind = text_of(names["kind"]);
    kind.list_kind = text_of(names["listKind"]);
    kind.resource = text_of(names["plural"]);
    kind.singular = text_of(names["singular"]);
    kind.namespaced = spec["scope"].as_string() == "Namespaced";
    kind.verbs = kVerbs;
    kind.short_names = list(names["shortNames"]);
    kind.categories = list(names["categories"]);
    kind.custom = true;
    kind.has_generation = true;
    kind.unconditional_update = false;
    kind.json_schema = &out_->schema_;
    kind.storage_group = kind.group;
    kind.storage_version = storage_version();
    kind.deprecated = version_["deprecated"].as_bool();
    if (kind.deprecated) kind.deprecation_warning = deprecation();
    kind.root = root();
    subresources(kind);
    columns(kind);
    std::vector<std::string_view> selectable;
    for (const Value& item : version_["selectableFields"].items()) {
      std::string_view path = item["jsonPath"].as_string();
      if (path.starts_with('.')) path.remove_prefix(1);
      selectable.push_back(text(path));
    }
    kind.selectable_fields = keep(std::move(selectable));
    return std::move(out_);
  }

 private:
  std::string_view text(std::string_view content) { return arena_.strings.emplace_back(content); }
  std::string_view text_of(const Value& v) { return text(v.as_string()); }

  std::span<const std::string_view> keep(std::vector<std::string_view> items) {
    return arena_.lists.emplace_back(std::move(items));
  }
  std::span<const std::string_view> list(const Value& v) {
    std::vector<std::string_view> items;
    for (const Value& item : v.items()) items.push_back(text_of(item));
    return keep(std::move(items));
  }

  std::string_view storage_version() {
    for (const Value& version : crd_["spec"]["versions"].items()) {
      if (version["storage"].as_bool()) return text_of(version["name"]);
    }
    return out_->kind_.version;
  }

  std::string_view deprecation() {
    const std::string& own = version_["deprecationWarning"].as_string();
    if (!own.empty()) return text(own);
    const Kind& kind = out_->kind_;
    return text(fmt::format("{} {} is deprecated", kind.api_version(), kind.kind));
  }

  const Struct* root() {
    std::vector<Field> fields = members(out_->schema_, 0);
    std::erase_if(fields, [](const Field& field) {
      return field.name == "apiVersion" || field.name == "kind" || field.name == "metadata";
    });
    Field plain;
    plain.shape.type = FieldType::string;
    for (const char* name : {"apiVersion", "kind"}) {
      plain.name = name;
      fields.push_back(plain);
    }
    Field metadata;
    metadata.name = "metadata";
    metadata.shape.type = FieldType::object;
    metadata.shape.preserve_unknown = true;  // the decoder judges metadata on its own
    metadata.shape.object = &object_meta_struct();
    fields.push_back(metadata);
    const Kind& kind = out_->kind_;
    return make_struct(fmt::format("{}.{}.{}", kind.group, kind.version, kind.kind),
                       std::move(fields));
  }

  const Struct* make_struct(std::string name, std::vector<Field> fields) {
    std::ranges::sort(fields, {}, &Field::name);
    Struct made;
    made.name = text(name);
    made.fields = arena_.fields.emplace_back(std::move(fields));
    return &arena_.structs.emplace_back(made);
  }

  std::vector<Field> members(const Value& schema, int depth) {
    std::vector<Field> fields;
    const value::Array& wanted = schema["required"].items();
    for (const value::Member& member : schema["properties"].members()) {
      Field field;
      field.name = text(member.first);
      field.shape = shape(member.second, member.first, depth + 1);
      field.required = std::ranges::any_of(
          wanted, [&](const Value& name) { return name.as_string() == member.first; });
      fields.push_back(field);
    }
    return fields;
  }

  // `name`: of the property, for the struct's name.
  Shape shape(const Value& schema, std::string_view name, int depth) {
    Shape out;
    out.nullable = schema["nullable"].as_bool();
    out.preserve_unknown = schema["x-kubernetes-preserve-unknown-fields"].as_bool();
    out.embedded_resource = schema["x-kubernetes-embedded-resource"].as_bool();
    out.atomic_map = schema["x-kubernetes-map-type"].as_string() == "atomic";
    if (const Value* standard = schema.find("default"); standard != nullptr) {
      out.default_json = text(value::to_json(*standard));
    }
    const std::string& type = schema["type"].as_string();
    if (depth > kDepthMax) return out;
    if (schema["x-kubernetes-int-or-string"].as_bool()) {
      out.type = FieldType::int_or_string;
    } else if (type == "string") {
      out.type = FieldType::string;
    } else if (type == "integer") {
      out.type = FieldType::integer;
      out.format_int32 = schema["format"].as_string() == "int32";
    } else if (type == "number") {
      out.type = FieldType::number;
    } else if (type == "boolean") {
      out.type = FieldType::boolean;
    } else if (type == "array") {
      list_shape(schema, name, depth, out);
    } else if (type == "object") {
      object_shape(schema, name, depth, out);
    }
    return out;
  }

  void list_shape(const Value& schema, std::string_view name, int depth, Shape& out) {
    out.type = FieldType::array;
    const std::string& list_type = schema["x-kubernetes-list-type"].as_string();
    if (list_type == "set") out.list_type = ListType::set;
    if (list_type == "map") out.list_type = ListType::map;
    out.list_keys = list(schema["x-kubernetes-list-map-keys"]);
    out.element = &arena_.shapes.emplace_back(shape(schema["items"], name, depth + 1));
  }

  void object_shape(const Value& schema, std::string_view name, int depth, Shape& out) {
    const Value& others = schema["additionalProperties"];
    const bool has_members = !schema["properties"].empty();
    if (others.is_object()) {
      out.type = FieldType::map;
      out.element = &arena_.shapes.emplace_back(shape(others, name, depth + 1));
    } else if (!has_members && (out.preserve_unknown || others.as_bool())) {
      out.type = FieldType::any;
    } else {
      out.type = FieldType::object;
      const Kind& kind = out_->kind_;
      std::string full = fmt::format("{}.{}.{}.{}", kind.group, kind.version, kind.kind, name);
      out.object = make_struct(std::move(full), members(schema, depth));
    }
  }

  void subresources(Kind& kind) {
    const Value& wanted = version_["subresources"];
    std::vector<std::string_view> names;
    if (const Value& scale = wanted["scale"]; scale.is_object()) {
      names.push_back("scale");
      kind.scale =
          ScaleSubresource{text_of(scale["specReplicasPath"]), text_of(scale["statusReplicasPath"]),
                           text_of(scale["labelSelectorPath"])};
    }
    if (wanted["status"].is_object()) {
      names.push_back("status");
      kind.has_status = true;
    }
    kind.subresources = keep(std::move(names));
  }

  void columns(Kind& kind) {
    arena_.columns.push_back({"Name", "string", "name", 0, ".metadata.name"});
    for (const Value& column : version_["additionalPrinterColumns"].items()) {
      arena_.columns.push_back(
          {text_of(column["name"]), text_of(column["type"]), text_of(column["format"]),
           static_cast<int>(column["priority"].as_int()), text_of(column["jsonPath"])});
    }
    if (arena_.columns.size() == 1) {
      arena_.columns.push_back({"Age", "date", "", 0, ".metadata.creationTimestamp"});
    }
    kind.columns = arena_.columns;
  }

  const Value& crd_;
  const Value& version_;
  std::unique_ptr<CustomKind> out_;
  CustomKind::Storage& arena_;
};

Answer<std::vector<std::unique_ptr<CustomKind>>> build_custom_kinds(const Value& crd) {
  const Value& spec = crd["spec"];
  if (spec["group"].as_string().empty() || spec.at("names", "plural").as_string().empty() ||
      spec.at("names", "kind").as_string().empty()) {
    return std::unexpected(bad_request(
        "a CustomResourceDefinition needs spec.group, spec.names.plural and spec.names.kind"));
  }
  std::vector<std::unique_ptr<CustomKind>> kinds;
  for (const Value& version : spec["versions"].items()) {
    if (version["served"].as_bool()) kinds.push_back(CustomKindBuilder(crd, version).build());
  }
  return kinds;
}

namespace {

// "v1beta2" -> {stage 1 (0 alpha, 2 stable), major 1, minor 2}; anything else: stage -1.
struct VersionParts {
  int stage = -1;
  long major = 0, minor = 0;
};

VersionParts parts_of(std::string_view text) {
  const auto number = [&text](long& out) {
    std::size_t digits = 0;
    while (digits < text.size() && digits < 9 && text[digits] >= '0' && text[digits] <= '9') {
      out = out * 10 + (text[digits++] - '0');
    }
    text.remove_prefix(digits);
    return digits > 0;
  };
  VersionParts parts;
  if (!text.starts_with('v')) return {};
  text.remove_prefix(1);
  if (!number(parts.major)) return {};
  if (text.empty()) {
    parts.stage = 2;
    return parts;
  }
  const bool alpha = text.starts_with("alpha"), beta = text.starts_with("beta");
  if (!alpha && !beta) return {};
  text.remove_prefix(alpha ? 5 : 4);
  if (!number(parts.minor) || !text.empty()) return {};
  parts.stage = alpha ? 0 : 1;
  return parts;
}

bool custom_comes_first(const CustomKindPtr& a, const CustomKindPtr& b) {
  const Kind& x = a->kind();
  const Kind& y = b->kind();
  if (x.group != y.group) return x.group < y.group;
  if (x.version != y.version) return version_comes_first(x.version, y.version);
  return x.resource < y.resource;
}

}  // namespace

bool version_comes_first(std::string_view a, std::string_view b) {
  const VersionParts x = parts_of(a), y = parts_of(b);
  if (x.stage != y.stage) return x.stage > y.stage;
  if (x.stage < 0) return a < b;
  if (x.major != y.major) return x.major > y.major;
  return x.minor > y.minor;
}

DynamicKindSet::DynamicKindSet(KindSetPtr built_in, std::vector<CustomKindPtr> custom)
    : built_in_(std::move(built_in)), custom_(std::move(custom)) {
  std::ranges::sort(custom_, custom_comes_first);
}

int DynamicKindSet::minor() const {
  return built_in_->minor();
}

const Kind* DynamicKindSet::by_resource(std::string_view group, std::string_view version,
                                        std::string_view resource) const {
  if (const Kind* found = built_in_->by_resource(group, version, resource)) return found;
  for (const CustomKindPtr& custom : custom_) {
    const Kind& kind = custom->kind();
    if (kind.group == group && kind.version == version && kind.resource == resource) return &kind;
  }
  return nullptr;
}

const Kind* DynamicKindSet::by_kind(std::string_view group, std::string_view version,
                                    std::string_view name) const {
  if (const Kind* found = built_in_->by_kind(group, version, name)) return found;
  for (const CustomKindPtr& custom : custom_) {
    const Kind& kind = custom->kind();
    if (kind.group == group && kind.version == version && kind.kind == name) return &kind;
  }
  return nullptr;
}

std::vector<const Kind*> DynamicKindSet::all() const {
  std::vector<const Kind*> kinds = built_in_->all();
  for (const CustomKindPtr& custom : custom_) kinds.push_back(&custom->kind());
  return kinds;
}

const CustomKind* DynamicKindSet::custom(const Kind& kind) const {
  if (!kind.custom) return nullptr;
  for (const CustomKindPtr& custom : custom_) {
    if (&custom->kind() == &kind) return custom.get();
  }
  return nullptr;
}

}  // namespace keelway::schema
