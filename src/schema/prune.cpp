#include "schema/prune.h"

#include <fmt/core.h>

namespace keelway::schema {
namespace {

using value::Value;

class Pruner {
 public:
  explicit Pruner(std::vector<std::string>* dropped) : dropped_(dropped) {}

  void members_of(const Struct& type, bool keep_unknown, bool embedded, Value& v) {
    if (!v.is_object()) return;  // of a wrong type: validation says so
    value::Members kept;
    for (value::Member& member : v.mutable_members()) {
      const Field* field = type.find(member.first);
      const std::size_t size = path_.size();
      if (!path_.empty()) path_ += '.';
      path_ += member.first;
      if (field != nullptr) {
        // A null that may not be one reads as absent, so that a default or "required" applies.
        const bool drop = member.second.is_null() && !field->shape.nullable;
        if (!drop) {
          walk(field->shape, member.second);
          kept.push_back(std::move(member));
        }
      } else if (keep_unknown || (embedded && is_identity(member.first))) {
        kept.push_back(std::move(member));
      } else if (dropped_ != nullptr) {
        dropped_->push_back(path_);
      }
      path_.resize(size);
    }
    v = Value::object_of(std::move(kept));
  }

 private:
  static bool is_identity(std::string_view name) {
    return name == "apiVersion" || name == "kind" || name == "metadata";
  }

  void walk(const Shape& shape, Value& v) {
    if (shape.type == FieldType::object && shape.object != nullptr) {
      members_of(*shape.object, shape.preserve_unknown, shape.embedded_resource, v);
    } else if (shape.type == FieldType::array && v.is_array() && shape.element != nullptr) {
      std::size_t index = 0;
      for (Value& item : v.mutable_items())
        below(fmt::format("[{}]", index++), *shape.element, item);
    } else if (shape.type == FieldType::map && v.is_object() && shape.element != nullptr) {
      value::Members kept;
      for (value::Member& member : v.mutable_members()) {
        if (member.second.is_null() && !shape.element->nullable) continue;
        below("." + member.first, *shape.element, member.second);
        kept.push_back(std::move(member));
      }
      v = Value::object_of(std::move(kept));
    }
  }

  void below(const std::string& piece, const Shape& shape, Value& v) {
    const std::size_t size = path_.size();
    path_ += piece;
    walk(shape, v);
    path_.resize(size);
  }

  std::vector<std::string>* dropped_;
  std::string path_;
};

}  // namespace

void prune(const Kind& kind, Value& object, std::vector<std::string>* dropped) {
  if (kind.root != nullptr) {
    const bool keep_unknown = kind.json_schema != nullptr &&
                              (*kind.json_schema)["x-kubernetes-preserve-unknown-fields"].as_bool();
    Pruner(dropped).members_of(*kind.root, keep_unknown, true, object);
  }
}

}  // namespace keelway::schema
