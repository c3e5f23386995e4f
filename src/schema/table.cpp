#include "schema/table.h"

#include <optional>
#include <vector>

#include "value/json.h"
#include "value/path.h"

namespace keelway::schema {
namespace {

using value::Array;
using value::Value;

constexpr Column kPlainColumns[] = {{"Name", "string", "name", 0, ".metadata.name"},
                                    {"Created At", "date", "", 0, ".metadata.creationTimestamp"}};

bool has_printer(const Kind& kind) {
  return kind.hooks != nullptr && kind.hooks->print != nullptr;
}

std::span<const Column> columns_of(const Kind& kind) {
  const bool own = !kind.columns.empty() && (kind.custom || has_printer(kind));
  return own ? kind.columns : std::span<const Column>(kPlainColumns);
}

std::string age(const Value& v, base::WallTime now) {
  if (v.is_null()) return "<unknown>";
  const auto at = base::parse_rfc3339(v.as_string());
  return at ? base::format_age(now - *at) : "<invalid>";
}

// A cell by its column's type; null where the value is of another.
Value cell(std::string_view type, const Value& v, base::WallTime now) {
  if (v.is_null()) return v;
  if (type == "string") return v.is_string() ? v : Value(value::to_json(v));
  if (type == "integer" && v.is_number()) {
    return v.is_int() ? v : Value(static_cast<std::int64_t>(v.as_double()));
  }
  if (type == "number" && v.is_number()) return v;
  if (type == "boolean" && v.is_bool()) return v;
  if (type == "date" && v.is_string()) return Value(age(v, now));
  return Value();
}

// Turns objects into rows; knows the paths of the columns.
class Rows {
 public:
  Rows(const Kind& kind, const TableOptions& options)
      : kind_(kind), options_(options), columns_(columns_of(kind)) {
    if (!kind.custom && has_printer(kind)) return;
    for (const Column& column : columns_) {
      auto path = value::Path::parse(column.json_path);
      paths_.push_back(path ? std::optional(std::move(*path)) : std::nullopt);
    }
  }

  Value row(const Value& object) const {
    Value row = Value::object({{"cells", Value(cells(object))}});
    switch (options_.include_object) {
      case IncludeObject::metadata:
        row.set("object", partial_metadata(object, options_.api_version));
        break;
      case IncludeObject::object:
        row.set("object", object);
        break;
      case IncludeObject::none:
        row.set("object", Value());
        break;
    }
    return row;
  }

  Value table(Array rows) const {
    Value metadata = Value::object();
    if (!options_.resource_version.empty()) {
      metadata.set("resourceVersion", options_.resource_version);
    }
    if (!options_.continue_token.empty()) metadata.set("continue", options_.continue_token);
    if (options_.remaining) metadata.set("remainingItemCount", Value(*options_.remaining));
    return Value::object({{"kind", "Table"},
                          {"apiVersion", options_.api_version},
                          {"metadata", std::move(metadata)},
                          {"columnDefinitions", options_.no_headers ? Value() : definitions()},
                          {"rows", Value(std::move(rows))}});
  }

  std::size_t width() const { return columns_.size(); }

 private:
  Value definitions() const {
    Array definitions;
    for (const Column& column : columns_) {
      definitions.push_back(Value::object({{"name", column.name},
                                           {"type", column.type},
                                           {"format", column.format},
                                           {"description", ""},
                                           {"priority", column.priority}}));
    }
    return Value(std::move(definitions));
  }

  Array cells(const Value& object) const {
    if (!kind_.custom && has_printer(kind_)) return kind_.hooks->print(kind_, object, options_.now);
    Array cells;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const Value* found = paths_[i] ? paths_[i]->find(object) : nullptr;
      if (found == nullptr)
        cells.emplace_back();
      else if (columns_[i].name == "Created At" && !kind_.custom)
        cells.push_back(*found);
      else
        cells.push_back(cell(columns_[i].type, *found, options_.now));
    }
    return cells;
  }

  const Kind& kind_;
  const TableOptions& options_;
  const std::span<const Column> columns_;
  std::vector<std::optional<value::Path>> paths_;
};

}  // namespace

std::optional<IncludeObject> parse_include_object(std::string_view text) {
  if (text.empty() || text == "Metadata") return IncludeObject::metadata;
  if (text == "None") return IncludeObject::none;
  if (text == "Object") return IncludeObject::object;
  return std::nullopt;
}

Value to_table(const Kind& kind, std::span<const Value> objects, const TableOptions& options) {
  const Rows rows(kind, options);
  Array items;
  items.reserve(objects.size());
  for (const Value& object : objects) items.push_back(rows.row(object));
  return rows.table(std::move(items));
}

Value to_table(const Kind& kind, std::span<const ObjectPtr> objects, const TableOptions& options) {
  const Rows rows(kind, options);
  Array items;
  items.reserve(objects.size());
  for (const ObjectPtr& object : objects) items.push_back(rows.row(object->value()));
  return rows.table(std::move(items));
}

Value bookmark_table(const Kind& kind, std::string_view resource_version,
                     const TableOptions& options) {
  const Rows rows(kind, options);
  const Value object = Value::object(
      {{"apiVersion", kind.api_version()},
       {"kind", kind.kind},
       {"metadata",
        Value::object({{"resourceVersion", resource_version}, {"creationTimestamp", Value()}})}});
  Value row = Value::object({{"cells", Value(Array(rows.width(), Value("")))}});
  row.set("object", options.include_object == IncludeObject::object
                        ? object
                        : partial_metadata(object, options.api_version));
  return rows.table({std::move(row)});
}

Value partial_metadata(const Value& object, std::string_view api_version) {
  return Value::object(
      {{"kind", "PartialObjectMetadata"},
       {"apiVersion", api_version},
       {"metadata", object["metadata"].is_object() ? object["metadata"] : Value::object()}});
}

}  // namespace keelway::schema
