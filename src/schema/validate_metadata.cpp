#include <fmt/core.h>

#include <algorithm>

#include "schema/formats.h"
#include "schema/validate.h"
#include "value/json.h"

namespace keelway::schema {
namespace {

using value::Value;

constexpr std::size_t kAnnotationsBytesMax = 256u << 10;

void add_invalid(const std::string& field, const Value& bad, const Complaints& complaints,
                 FieldErrors& errors) {
  for (const std::string& what : complaints) errors.push_back(invalid_value(field, bad, what));
}

void check_annotations(const Value& annotations, const std::string& field, FieldErrors& errors) {
  std::size_t bytes = 0;
  for (const value::Member& member : annotations.members()) {
    std::string key = member.first;
    std::ranges::transform(key, key.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    add_invalid(field, member.first, check_qualified_name(key), errors);
    bytes += member.first.size() + member.second.as_string().size();
  }
  if (bytes > kAnnotationsBytesMax) errors.push_back(too_long(field, kAnnotationsBytesMax));
}

std::string go_bool_pointer(const Value& v) {
  return v.is_null() ? "(*bool)(nil)" : "(*bool)(0xc000000000)";
}

std::string print_owners(const Value& owners) {
  std::string text = "[]v1.OwnerReference{";
  for (const Value& owner : owners.items()) {
    if (&owner != &owners.items().front()) text += ", ";
    text += fmt::format(
        "v1.OwnerReference{{APIVersion:\"{}\", Kind:\"{}\", Name:\"{}\", UID:\"{}\", "
        "Controller:{}, BlockOwnerDeletion:{}}}",
        owner["apiVersion"].as_string(), owner["kind"].as_string(), owner["name"].as_string(),
        owner["uid"].as_string(), go_bool_pointer(owner["controller"]),
        go_bool_pointer(owner["blockOwnerDeletion"]));
  }
  return text + "}";
}

void check_owners(const Value& owners, const std::string& field, FieldErrors& errors) {
  std::string controller;
  std::size_t index = 0;
  for (const Value& owner : owners.items()) {
    const std::string at = fmt::format("{}[{}]", field, index++);
    const std::string& api_version = owner["apiVersion"].as_string();
    const std::size_t slash = api_version.find('/');
    if (api_version.empty() || slash + 1 == api_version.size()) {
      errors.push_back(invalid_value(at + ".apiVersion", api_version, "version must not be empty"));
    }
    for (const char* name : {"kind", "name", "uid"}) {
      if (owner[name].as_string().empty()) {
        errors.push_back(invalid_value(fmt::format("{}.{}", at, name), "", "must not be empty"));
      }
    }
    if (!owner["controller"].as_bool()) continue;
    std::string name = fmt::format("{}/{}", owner["kind"].as_string(), owner["name"].as_string());
    if (!controller.empty()) {
      FieldError error = invalid_value(
          field, nullptr,
          fmt::format("Only one reference can have Controller set to true. Found \"true\" in "
                      "references for {} and {}",
                      controller, name));
      error.printed = print_owners(owners);
      errors.push_back(std::move(error));
    }
    controller = std::move(name);
  }
}

bool contains(const Value& list, const Value& wanted) {
  return std::ranges::find(list.items(), wanted) != list.items().end();
}

void check_finalizers(const Value& metadata, const Value* old, FieldErrors& errors) {
  const Value& finalizers = metadata["finalizers"];
  for (const Value& finalizer : finalizers.items()) {
    add_invalid("metadata.finalizers", finalizer, check_qualified_name(finalizer.as_string()),
                errors);
  }
  if (contains(finalizers, "orphan") && contains(finalizers, "foregroundDeletion")) {
    FieldError error = invalid_value("metadata.finalizers", finalizers,
                                     "finalizer orphan and foregroundDeletion cannot be both set");
    errors.push_back(std::move(error));
  }
  if (old == nullptr || (*old)["deletionTimestamp"].is_null()) return;
  std::string added;
  for (const Value& finalizer : finalizers.items()) {
    if (contains((*old)["finalizers"], finalizer)) continue;
    if (!added.empty()) added += ", ";
    added += fmt::format("\"{}\"", finalizer.as_string());
  }
  if (!added.empty()) {
    errors.push_back(forbidden_field(
        "metadata.finalizers",
        fmt::format("no new finalizers can be added if the object is being deleted, found new "
                    "finalizers []string{{{}}}",
                    added)));
  }
}

void check_identity(const Kind& kind, const Value& metadata, FieldErrors& errors) {
  const std::string& prefix = metadata["generateName"].as_string();
  const std::string& name = metadata["name"].as_string();
  const std::string& name_space = metadata["namespace"].as_string();
  if (!prefix.empty()) {
    add_invalid("metadata.generateName", prefix, check_name(kind.name_rule, prefix, true), errors);
  }
  if (name.empty()) {
    errors.push_back(required("metadata.name", "name or generateName is required"));
  } else {
    add_invalid("metadata.name", name, check_name(kind.name_rule, name), errors);
    if (kind.name_rule != "path-segment") {
      add_invalid("metadata.name", name, check_path_segment(name), errors);
    }
  }
  if (!kind.namespaced) {
    if (!name_space.empty()) {
      errors.push_back(forbidden_field("metadata.namespace", "not allowed on this type"));
    }
  } else if (name_space.empty()) {
    errors.push_back(required("metadata.namespace"));
  } else {
    add_invalid("metadata.namespace", name_space, check_dns1123_label(name_space), errors);
  }
}

void check_unchanged(const Value& metadata, const Value& old, FieldErrors& errors) {
  if (metadata["generation"].as_int() < old["generation"].as_int() &&
      metadata.contains("generation")) {
    errors.push_back(
        invalid_value("metadata.generation", metadata["generation"], "must not be decremented"));
  }
  for (const char* name :
       {"name", "namespace", "uid", "deletionTimestamp", "deletionGracePeriodSeconds"}) {
    const Value* now = metadata.find(name);
    if (now == nullptr) continue;  // the server fills in what an update leaves out
    validate_immutable(*now, old[name], fmt::format("metadata.{}", name), errors);
  }
}

}  // namespace

void validate_metadata(const Kind& kind, const Value& metadata, const Value* old,
                       FieldErrors& errors) {
  if (old == nullptr)
    check_identity(kind, metadata, errors);
  else
    check_unchanged(metadata, *old, errors);
  if (metadata["generation"].as_int() < 0) {
    errors.push_back(invalid_value("metadata.generation", metadata["generation"],
                                   "must be greater than or equal to 0"));
  }
  validate_labels(metadata["labels"], "metadata.labels", errors);
  check_annotations(metadata["annotations"], "metadata.annotations", errors);
  check_owners(metadata["ownerReferences"], "metadata.ownerReferences", errors);
  check_finalizers(metadata, old, errors);
}

void validate_labels(const Value& labels, const std::string& field, FieldErrors& errors) {
  for (const value::Member& member : labels.members()) {
    add_invalid(field, member.first, check_qualified_name(member.first), errors);
    add_invalid(field, member.second, check_label_value(member.second.as_string()), errors);
  }
}

void validate_label_selector(const Value& selector, const std::string& field, FieldErrors& errors) {
  validate_labels(selector["matchLabels"], field + ".matchLabels", errors);
  std::size_t index = 0;
  for (const Value& expression : selector["matchExpressions"].items()) {
    const std::string at = fmt::format("{}.matchExpressions[{}]", field, index++);
    const std::string& op = expression["operator"].as_string();
    const Value& values = expression["values"];
    if (op == "In" || op == "NotIn") {
      if (values.empty()) {
        errors.push_back(
            required(at + ".values", "must be specified when `operator` is 'In' or 'NotIn'"));
      }
    } else if (op == "Exists" || op == "DoesNotExist") {
      if (!values.empty()) {
        errors.push_back(forbidden_field(
            at + ".values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
      }
    } else {
      errors.push_back(invalid_value(at + ".operator", op, "not a valid selector operator"));
    }
    const std::string& key = expression["key"].as_string();
    add_invalid(at + ".key", key, check_qualified_name(key), errors);
    std::size_t value_index = 0;
    for (const Value& item : values.items()) {
      add_invalid(fmt::format("{}.values[{}]", at, value_index++), item,
                  check_label_value(item.as_string()), errors);
    }
  }
}

void validate_immutable(const Value& now, const Value& before, const std::string& field,
                        FieldErrors& errors) {
  if (now == before) return;
  errors.push_back(invalid_value(field, now, "field is immutable"));
}

}  // namespace keelway::schema
