// UpdateClusterVersion: one minor up, in place. The change and its Update are one write: the
// Cluster carries the Update object until it is made, by this door or by the fleet's update loop,
// so a server that dies in between leaves nothing half done.
#include <fmt/core.h>

#include <charconv>

#include "aws/eks/cluster_change.h"
#include "aws/eks/cluster_document.h"
#include "aws/eks/hub.h"
#include "aws/eks/operations.h"
#include "aws/eks/updates.h"
#include "aws/eks/versions.h"
#include "base/encoding.h"
#include "value/json.h"

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
  const Caller caller = invocation.caller;
  UpdateRecord record;
  record.type = "VersionUpdate";
  record.params = Value::array({Value::object({{"type", "Version"}, {"value", wanted}}),
                                Value::object({{"type", "PlatformVersion"}, {"value", "eks.1"}})});
  record.client_request_token = body["clientRequestToken"].as_string();
  record.request_digest = base::hex_encode(base::sha256(value::to_json(body)));
  auto repeated =
      find_repeated(*service, caller, cluster_object_name(cluster_arn(caller, name)), record);
  if (!repeated) return done(std::unexpected(repeated.error()));
  if (!repeated->is_null()) return done(std::move(*repeated));
  auto update = std::make_shared<Value>();
  PlanChange plan = [service, name, wanted, record, update](const Value& object) -> Outcome<Value> {
    if (auto bad = refused(object, name, wanted)) return refuse(std::move(*bad));
    *update = update_object(*service, object, record);
    // An array, because a merge patch replaces those as a whole.
    return Value::object({{"version", wanted}, {"versionUpdate", Value::array({*update})}});
  };
  change_cluster(service, caller, name, std::move(plan),
                 [service, caller, update, done = std::move(done)](Outcome<Value> cluster) mutable {
                   if (!cluster) return done(std::unexpected(cluster.error()));
                   keep_update(service, caller, std::move(*update), std::move(done));
                 });
}

}  // namespace keelway::aws::eks
