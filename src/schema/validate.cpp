#include "schema/validate.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "schema/formats.h"
#include "schema/json_schema.h"
#include "schema/sharing.h"
#include "value/json.h"
#include "value/path.h"

namespace keelway::schema {
namespace {

using value::Value;

// Where a value stands. Almost nothing is wrong, so the text is made only for what is.
class Path {
 public:
  Path() = default;
  Path member(std::string_view name) const { return Path(this, Step::member, name, 0); }
  Path item(std::size_t index) const { return Path(this, Step::item, {}, index); }
  Path entry(std::string_view key) const { return Path(this, Step::entry, key, 0); }  // of a map
  bool is_root() const { return step_ == Step::root; }
  std::string text() const {
    if (is_root()) return "";
    std::string path = above_->text();
    if (step_ == Step::item) return fmt::format("{}[{}]", path, index_);
    if (step_ == Step::entry) return fmt::format("{}[{}]", path, name_);
    return path.empty() ? std::string(name_) : fmt::format("{}.{}", path, name_);
  }

 private:
  enum class Step { root, member, item, entry };
  Path(const Path* above, Step step, std::string_view name, std::size_t index)
      : above_(above), step_(step), name_(name), index_(index) {}

  const Path* above_ = nullptr;  // lives longer
  Step step_ = Step::root;
  std::string_view name_;
  std::size_t index_ = 0;
};

bool counts_as_absent(const Value* v) {
  return v == nullptr || v->is_null() || (v->is_string() && v->as_string().empty()) ||
         (v->is_array() && v->empty());
}

// The rules of the tables. `complete`: the kind has no hook that says what is required and unique.
class TableCheck {
 public:
  TableCheck(bool complete, FieldErrors& errors) : complete_(complete), errors_(errors) {}

  void members_of(const Struct& type, const Value& v, const Value* old, const Path& path) {
    auto next = v.members().begin();  // fields and members are both in order of their names
    const auto end = v.members().end();
    for (const Field& field : type.fields) {
      while (next != end && next->first < field.name) ++next;
      const Value* present = next != end && next->first == field.name ? &next->second : nullptr;
      const bool is_metadata = path.is_root() && field.name == "metadata";
      if (is_metadata) continue;
      const Path at = path.member(field.name);
      if (complete_ && field.required && counts_as_absent(present)) {
        errors_.push_back(required(at.text()));
        continue;
      }
      const bool immutable = field.shape.rules != nullptr && field.shape.rules->immutable;
      if (present == nullptr && !immutable) continue;
      const Value* before = known_member(old, field.name);
      if (immutable && old != nullptr) {
        validate_immutable(present ? *present : Value(), before ? *before : Value(), at.text(),
                           errors_);
      }
      if (present != nullptr && !present->is_null()) {
        walk(field.shape, *present, before, at);
      }
    }
  }

 private:
  // What a write does not touch was judged when it was written.
  void walk(const Shape& shape, const Value& v, const Value* old, const Path& path) {
    if (old != nullptr && is_same(v, *old)) return;
    if (shape.rules != nullptr) rules(*shape.rules, v, path);
    if (shape.type == FieldType::object && shape.object != nullptr) {
      members_of(*shape.object, v, old, path);
    } else if (shape.type == FieldType::array && shape.element != nullptr) {
      if (complete_) unique(shape, v, path);
      std::size_t index = 0;
      for (const Value& item : v.items()) {
        walk(*shape.element, item, nullptr, path.item(index++));
      }
    } else if (shape.type == FieldType::map && shape.element != nullptr) {
      for (const value::Member& member : v.members()) {
        walk(*shape.element, member.second, old != nullptr ? old->find(member.first) : nullptr,
             path.entry(member.first));
      }
    }
  }

  void unique(const Shape& shape, const Value& v, const Path& path) {
    if (shape.list_type == ListType::atomic) return;
    std::set<std::string> seen;
    std::size_t index = 0;
    for (const Value& item : v.items()) {
      Value identity = item;
      if (shape.list_type == ListType::map) {
        identity = Value::object();
        for (const std::string_view key : shape.list_keys) identity.set(key, item[key]);
      }
      if (!seen.insert(value::to_json(identity)).second) {
        const bool one_key = shape.list_type == ListType::map && shape.list_keys.size() == 1;
        const Path at = path.item(index);
        errors_.push_back(one_key ? duplicate_value(at.member(shape.list_keys[0]).text(),
                                                    item[shape.list_keys[0]])
                                  : duplicate_value(at.text(), identity));
      }
      ++index;
    }
  }

  void rules(const Rules& rules, const Value& v, const Path& path) {
    if (v.is_string()) text(rules, v, path);
    if (v.is_number()) number(rules, v, path);
    const auto count = static_cast<std::int64_t>(v.size());
    if (v.is_array()) {
      if (rules.items_min && count < *rules.items_min) {
        errors_.push_back(invalid_value(
            path.text(), count, fmt::format("must have at least {} items", *rules.items_min)));
      }
      if (rules.items_max && count > *rules.items_max) {
        errors_.push_back(
            too_many(path.text(), v.size(), static_cast<std::size_t>(*rules.items_max)));
      }
    }
    if (v.is_object() && rules.members_max && count > *rules.members_max) {
      errors_.push_back(
          too_many(path.text(), v.size(), static_cast<std::size_t>(*rules.members_max)));
    }
    if (rules.extra != nullptr) check_json_schema(*rules.extra, v, nullptr, patterns_, errors_);
  }

  void text(const Rules& rules, const Value& v, const Path& path) {
    const std::string& content = v.as_string();
    if (!rules.enumeration.empty() &&
        std::ranges::find(rules.enumeration, std::string_view(content)) ==
            rules.enumeration.end()) {
      errors_.push_back(not_supported(
          path.text(), v,
          std::vector<std::string>(rules.enumeration.begin(), rules.enumeration.end())));
    }
    if (!rules.format.empty()) {
      for (std::string& what : check_name(rules.format, content)) {
        errors_.push_back(invalid_value(path.text(), v, std::move(what)));
      }
      if (!matches_format(rules.format, content).value_or(true)) {
        errors_.push_back(
            invalid_value(path.text(), v, fmt::format("must be a valid {}", rules.format)));
      }
    }
    if (!rules.pattern.empty() && !patterns_.match(rules.pattern, content).value_or(true)) {
      errors_.push_back(
          invalid_value(path.text(), v, fmt::format("should match '{}'", rules.pattern)));
    }
    const auto length = static_cast<std::int64_t>(content.size());
    if (rules.length_max && length > *rules.length_max) {
      errors_.push_back(too_long(path.text(), static_cast<std::size_t>(*rules.length_max)));
    }
    if (rules.length_min && length < *rules.length_min) {
      errors_.push_back(invalid_value(
          path.text(), v, fmt::format("must be at least {} characters", *rules.length_min)));
    }
  }

  void number(const Rules& rules, const Value& v, const Path& path) {
    const double amount = v.as_double();
    const bool low = rules.minimum &&
                     (rules.exclusive_minimum ? amount <= *rules.minimum : amount < *rules.minimum);
    const bool high = rules.maximum && (rules.exclusive_maximum ? amount >= *rules.maximum
                                                                : amount > *rules.maximum);
    if (low || high) {
      std::string what;
      if (rules.minimum && rules.maximum) {
        what = fmt::format("must be between {} and {}, inclusive", *rules.minimum, *rules.maximum);
      } else if (low) {
        what = fmt::format("must be greater than {}{}",
                           rules.exclusive_minimum ? "" : "or equal to ", *rules.minimum);
      } else {
        what = fmt::format("must be less than {}{}", rules.exclusive_maximum ? "" : "or equal to ",
                           *rules.maximum);
      }
      errors_.push_back(invalid_value(path.text(), v, std::move(what)));
    }
    if (rules.multiple_of && std::fmod(amount, *rules.multiple_of) != 0) {
      errors_.push_back(invalid_value(path.text(), v,
                                      fmt::format("must be a multiple of {}", *rules.multiple_of)));
    }
  }

  bool complete_;
  Patterns patterns_;
  FieldErrors& errors_;
};

void check_scale(const Kind& kind, const Value& object, FieldErrors& errors) {
  if (!kind.scale) return;
  for (const std::string_view path :
       {kind.scale->spec_replicas_path, kind.scale->status_replicas_path}) {
    const Value* replicas = path.empty() ? nullptr : value::find_path(object, path);
    if (replicas != nullptr && replicas->is_int() && replicas->as_int() < 0) {
      errors.push_back(
          invalid_value(std::string(path), *replicas, "should be a non-negative integer"));
    }
  }
}

// A rule of the tables and a hook may say the same; it is reported once.
void drop_repeated(FieldErrors& errors) {
  std::set<std::string> seen;
  std::erase_if(errors,
                [&](const FieldError& error) { return !seen.insert(error.message()).second; });
}

}  // namespace

FieldErrors validate(const Kind& kind, const Value& object, const Value* old) {
  FieldErrors errors;
  validate_metadata(kind, object["metadata"], old != nullptr ? &(*old)["metadata"] : nullptr,
                    errors);
  if (kind.custom) {
    Patterns patterns;
    if (kind.json_schema != nullptr) {
      check_json_schema(*kind.json_schema, object, old, patterns, errors);
    }
    check_scale(kind, object, errors);
  } else if (kind.root != nullptr) {
    const bool hooked = kind.hooks != nullptr && kind.hooks->validate != nullptr;
    TableCheck(!hooked, errors).members_of(*kind.root, object, old, Path());
  }
  if (kind.hooks != nullptr && kind.hooks->validate != nullptr) {
    kind.hooks->validate(kind, object, old, errors);
  }
  if (errors.size() > 1) drop_repeated(errors);
  return errors;
}

FieldError required(std::string field, std::string detail) {
  FieldError error;
  error.type = FieldError::Type::required;
  error.field = std::move(field);
  error.detail = std::move(detail);
  return error;
}

FieldError invalid_value(std::string field, Value bad, std::string detail) {
  FieldError error = required(std::move(field), std::move(detail));
  error.type = FieldError::Type::invalid;
  error.bad_value = std::move(bad);
  return error;
}

FieldError forbidden_field(std::string field, std::string detail) {
  FieldError error = required(std::move(field), std::move(detail));
  error.type = FieldError::Type::forbidden;
  return error;
}

FieldError duplicate_value(std::string field, Value bad) {
  FieldError error = invalid_value(std::move(field), std::move(bad), "");
  error.type = FieldError::Type::duplicate;
  return error;
}

FieldError not_supported(std::string field, Value bad, std::vector<std::string> supported) {
  FieldError error = invalid_value(std::move(field), std::move(bad), "");
  error.type = FieldError::Type::not_supported;
  error.supported = std::move(supported);
  return error;
}

FieldError too_long(std::string field, std::size_t length_max) {
  FieldError error =
      required(std::move(field), fmt::format("may not be more than {} bytes", length_max));
  error.type = FieldError::Type::too_long;
  return error;
}

FieldError too_many(std::string field, std::size_t count, std::size_t count_max) {
  FieldError error = invalid_value(std::move(field), static_cast<std::int64_t>(count),
                                   fmt::format("must have at most {} items", count_max));
  error.type = FieldError::Type::too_many;
  return error;
}

}  // namespace keelway::schema
