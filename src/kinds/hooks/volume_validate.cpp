#include <fmt/core.h>

#include <set>

#include "base/quantity.h"
#include "kinds/hooks/internal.h"

namespace keelway::kinds {
namespace {

using schema::forbidden_field;
using schema::invalid_value;
using schema::required;

bool has_parent_step(std::string_view path) {
  while (true) {
    const std::size_t slash = path.find('/');
    if (path.substr(0, slash) == "..") return true;
    if (slash == path.npos) return false;
    path.remove_prefix(slash + 1);
  }
}

void check_local_path(const Value& v, const std::string& field, FieldErrors& errors) {
  const std::string& path = v.as_string();
  if (path.starts_with('/')) {
    errors.push_back(invalid_value(field, v, "must be a relative path"));
  }
  if (has_parent_step(path))
    errors.push_back(invalid_value(field, v, "must not contain '..'"));
  else if (path.starts_with("..")) {
    errors.push_back(invalid_value(field, v, "must not start with '..'"));
  }
}

void check_items(const Value& items, const std::string& path, FieldErrors& errors) {
  std::size_t index = 0;
  for (const Value& item : items.items()) {
    const std::string here = fmt::format("{}.items[{}]", path, index++);
    if (!is_set(item, "key")) errors.push_back(required(here + ".key"));
    if (!is_set(item, "path"))
      errors.push_back(required(here + ".path"));
    else
      check_local_path(item["path"], here + ".path", errors);
  }
}

void check_mode(const Value& mode, const std::string& field, FieldErrors& errors) {
  if (mode.is_int() && (mode.as_int() < 0 || mode.as_int() > 0777)) {
    errors.push_back(
        invalid_value(field, mode, "must be a number between 0 and 0777 (octal), both inclusive"));
  }
}

void need(const Value& source, const char* name, const std::string& path, FieldErrors& errors) {
  if (!is_set(source, name)) errors.push_back(required(fmt::format("{}.{}", path, name)));
}

void check_projected(const Value& projected, const std::string& path, FieldErrors& errors) {
  check_mode(projected["defaultMode"], path + ".defaultMode", errors);
  std::size_t index = 0;
  for (const Value& source : projected["sources"].items()) {
    const std::string here = fmt::format("{}.sources[{}]", path, index++);
    for (const char* name : {"configMap", "secret"}) {
      if (!source[name].is_object()) continue;
      need(source[name], "name", fmt::format("{}.{}", here, name), errors);
      check_items(source[name]["items"], fmt::format("{}.{}", here, name), errors);
    }
    if (const Value& token = source["serviceAccountToken"]; token.is_object()) {
      if (token["expirationSeconds"].as_int(3600) < 600) {
        errors.push_back(invalid_value(here + ".serviceAccountToken.expirationSeconds",
                                       token["expirationSeconds"],
                                       "may not specify a duration less than 10 minutes"));
      }
      need(token, "path", here + ".serviceAccountToken", errors);
    }
  }
}

void check_source(const std::string& name, const Value& source, const std::string& path,
                  FieldErrors& errors) {
  if (name == "emptyDir") {
    const auto limit = base::Quantity::parse_or_zero(source["sizeLimit"].as_string());
    if (limit.sign() < 0) {
      errors.push_back(forbidden_field(path + ".sizeLimit",
                                       "SizeLimit field must be a valid resource quantity"));
    }
  } else if (name == "hostPath") {
    if (!is_set(source, "path")) {
      errors.push_back(required(path + ".path"));
      return;
    }
    if (has_parent_step(source["path"].as_string())) {
      errors.push_back(invalid_value(path + ".path", source["path"], "must not contain '..'"));
    }
    check_choice(source["type"], path + ".type",
                 {"", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File",
                  "FileOrCreate", "Socket"},
                 errors);
  } else if (name == "configMap" || name == "secret") {
    need(source, name == "secret" ? "secretName" : "name", path, errors);
    check_mode(source["defaultMode"], path + ".defaultMode", errors);
    check_items(source["items"], path, errors);
  } else if (name == "projected") {
    check_projected(source, path, errors);
  } else if (name == "persistentVolumeClaim") {
    need(source, "claimName", path, errors);
  } else if (name == "downwardAPI") {
    check_mode(source["defaultMode"], path + ".defaultMode", errors);
  } else if (name == "nfs") {
    need(source, "server", path, errors);
    need(source, "path", path, errors);
    if (is_set(source, "path") && !source["path"].as_string().starts_with('/')) {
      errors.push_back(invalid_value(path + ".path", source["path"], "must be an absolute path"));
    }
  } else if (name == "csi") {
    need(source, "driver", path, errors);
  } else if (name == "ephemeral" && !source["volumeClaimTemplate"].is_object()) {
    errors.push_back(required(path + ".volumeClaimTemplate"));
  }
}

}  // namespace

void validate_volumes(const Value& volumes, const std::string& path, FieldErrors& errors) {
  std::set<std::string> names;
  std::size_t index = 0;
  for (const Value& volume : volumes.items()) {
    const std::string here = fmt::format("{}[{}]", path, index++);
    std::size_t sources = 0;
    for (const value::Member& member : volume.members()) {
      if (member.first == "name" || !member.second.is_object()) continue;
      const std::string field = fmt::format("{}.{}", here, member.first);
      if (sources++ == 0)
        check_source(member.first, member.second, field, errors);
      else
        errors.push_back(forbidden_field(field, "may not specify more than 1 volume type"));
    }
    if (sources == 0) errors.push_back(required(here, "must specify a volume type"));
    const std::string& name = volume["name"].as_string();
    if (name.empty()) {
      errors.push_back(required(here + ".name"));
      continue;
    }
    const auto complaints = schema::check_dns1123_label(name);
    add(errors, here + ".name", name, complaints);
    if (complaints.empty() && !names.insert(name).second) {
      errors.push_back(schema::duplicate_value(here + ".name", name));
    }
  }
}

}  // namespace keelway::kinds
