// UpdateClusterVersion: one minor up, in place.
#include <fmt/core.h>

#include <charconv>

#include "aws/eks/cluster_document.h"
#include "aws/eks/operations.h"
#include "aws/eks/updates.h"
#include "aws/eks/versions.h"

namespace keelway::aws::eks {
namespace {

using value::Value;

// "1.33" is 33; -1: not of that form.
int minor_of(std::string_view version) {
  if (!version.starts_with("1.")) return -1;
  version.remove_prefix(2);
  int minor = -1;
  const auto [end, error] = std::from_chars(version.data(), version.data() + version.size(), minor);
  return error == std::errc() && end == version.data() + version.size() ? minor : -1;
}

bool one_minor_up(std::string_view from, std::string_view to) {
  return minor_of(from) >= 0 && minor_of(to) == minor_of(from) + 1;
}

std::optional<ServiceError> refused(const Value& object, const std::string& name,
                                    const std::string& wanted) {
  const std::string status = cluster_status(object);
  const std::string current = cluster_version(object);
  const bool changing = object.at("spec", "version").as_string() != current;
  if (status == "UPDATING" || changing) {
    const std::string& id = object.at("spec", "versionUpdate")[0].at("spec", "id").as_string();
    return resource_in_use(
        changing && !id.empty()
            ? fmt::format("Cannot VersionUpdate because cluster {} currently has update {} in "
                          "progress",
                          name, id)
            : fmt::format("Cannot VersionUpdate because cluster {} currently has an update in "
                          "progress",
                          name),
        name);
  }
  if (status != "ACTIVE") {
    return invalid_request(
        fmt::format("Cannot VersionUpdate because cluster {} is in status {}", name, status), name);
  }
  if (one_minor_up(current, wanted)) return std::nullopt;
  return invalid_parameter(
      fmt::format("Unsupported Kubernetes minor version update from {} to {}", current, wanted),
      name);
}

}  // namespace

void update_cluster_version(ServicePtr service, Invocation invocation, Done done) {
  const Value& body = invocation.body;
  const std::string name = invocation.label("name");
  const std::string wanted = body["version"].as_string();
  if (wanted.empty()) return done(refuse(constraint("version", "null", "not be null")));
  if (!can_create(wanted)) {
    return done(refuse(invalid_parameter("unsupported Kubernetes version", name)));
  }
  change_and_record(
      service, invocation.caller, {name, "VersionUpdate", "versionUpdate", body},
      [name, wanted](const Value& object) -> Outcome<RecordedChange> {
        if (auto bad = refused(object, name, wanted)) return refuse(std::move(*bad));
        return RecordedChange{
            Value::object({{"version", wanted}}),
            Value::array({Value::object({{"type", "Version"}, {"value", wanted}}),
                          Value::object({{"type", "PlatformVersion"}, {"value", "eks.1"}})})};
      },
      std::move(done));
}

}  // namespace keelway::aws::eks
