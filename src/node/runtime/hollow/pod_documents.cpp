#include "node/runtime/hollow/pod_documents.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/encoding.h"

namespace keelway::node::hollow {
namespace {

using value::Value;

constexpr std::int64_t run_seconds_max = 366 * 86'400;

std::string container_id(const Value& pod, const std::string& container) {
  return "hollow://" +
         base::hex_encode(base::sha256(pod.at("metadata", "uid").as_string() + "/" + container));
}

Value ended(const Value& pod, const std::string& container, std::string_view started,
            std::string_view now) {
  return Value::object(
      {{"terminated", Value::object({{"exitCode", 0},
                                     {"reason", "Completed"},
                                     {"startedAt", started},
                                     {"finishedAt", now},
                                     {"containerID", container_id(pod, container)}})}});
}

Value container_status(const Value& pod, const Value& container, const std::string& now,
                       bool runs_on) {
  const std::string& name = container["name"].as_string();
  const std::string& image = container["image"].as_string();
  Value state = ended(pod, name, now, now);
  if (runs_on) state = Value::object({{"running", Value::object({{"startedAt", now}})}});
  return Value::object({{"name", name},
                        {"image", image},
                        {"imageID", "hollow://sha256:" + base::hex_encode(base::sha256(image))},
                        {"containerID", container_id(pod, name)},
                        {"state", state},
                        {"lastState", Value::object()},
                        {"ready", true},
                        {"restartCount", 0},
                        {"started", runs_on}});
}

bool is_sidecar(const Value& init_container) {
  return init_container["restartPolicy"].as_string() == "Always";
}

const Value& find_condition(const Value& pod, std::string_view type) {
  static const Value absent;
  for (const Value& c : pod.at("status", "conditions").items()) {
    if (c["type"].as_string() == type) return c;
  }
  return absent;
}

// Gates are conditions that others set on the pod.
bool gates_are_open(const Value& pod) {
  const auto& gates = pod.at("spec", "readinessGates").items();
  return std::all_of(gates.begin(), gates.end(), [&pod](const Value& gate) {
    return find_condition(pod, gate["conditionType"].as_string())["status"].as_string() == "True";
  });
}

enum class Life { running, over };

// The kubelet's own conditions, then those of others as they are.
Value pod_conditions(const Value& pod, Life life, const std::string& now) {
  const bool runs = life == Life::running;
  const bool ready = runs && gates_are_open(pod);
  const std::pair<const char*, bool> ours[] = {{"PodReadyToStartContainers", runs},
                                               {"Initialized", true},
                                               {"Ready", ready},
                                               {"ContainersReady", runs}};
  Value conditions = Value::array();
  for (const auto& [type, holds] : ours) {
    const char* status = holds ? "True" : "False";
    const Value& old = find_condition(pod, type);
    const bool same = old["status"].as_string() == status;
    Value c =
        Value::object({{"type", type},
                       {"status", status},
                       {"lastProbeTime", nullptr},
                       {"lastTransitionTime", same ? old["lastTransitionTime"] : Value(now)}});
    if (!runs && type != std::string_view("PodReadyToStartContainers")) {
      c.set("reason", "PodCompleted");
    } else if (!holds && runs) {
      c.set("reason", "ReadinessGatesNotReady");
      c.set("message", "corresponding condition of pod readiness gate does not exist.");
    }
    conditions.push(std::move(c));
  }
  for (const Value& c : pod.at("status", "conditions").items()) {
    const bool replaced = std::any_of(std::begin(ours), std::end(ours), [&c](const auto& own) {
      return c["type"].as_string() == own.first;
    });
    if (!replaced) conditions.push(c);
  }
  return conditions;
}

// The uid makes sure that the patch meets the pod that it was made for.
Value status_patch(const Value& pod, Value status) {
  return Value::object({{"metadata", Value::object({{"uid", pod.at("metadata", "uid")}})},
                        {"status", std::move(status)}});
}

// How long the containers run, where the pod says it.
std::optional<base::Duration> run_time(const Value& pod) {
  const std::string& text = pod.at("metadata", "annotations", run_seconds).as_string();
  std::int64_t seconds = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size() || seconds < 0 ||
      seconds > run_seconds_max ||
      pod.at("spec", "restartPolicy").string_or("Always") == "Always") {
    return std::nullopt;
  }
  return std::chrono::seconds(seconds);
}

Step step_of_running(const Value& pod, base::WallTime now) {
  const char* ready = gates_are_open(pod) ? "True" : "False";
  if (find_condition(pod, "Ready")["status"].as_string() != ready) return {Step::Kind::gates};
  const auto time = run_time(pod);
  const auto since = base::parse_rfc3339(pod.at("status", "startTime").as_string());
  if (!time || !since) return {};
  return {Step::Kind::finish, std::max(base::Duration(0), *since + *time - now)};
}

}  // namespace

Step next_step(const value::Value& pod, const Stage& stage, base::WallTime now) {
  const Value& metadata = pod["metadata"];
  if (!metadata["deletionTimestamp"].is_null()) {
    const auto grace = std::chrono::seconds(metadata["deletionGracePeriodSeconds"].as_int(30));
    return {Step::Kind::stop, std::min<base::Duration>(stage.pod_stop, grace)};
  }
  const std::string& phase = pod.at("status", "phase").as_string();
  if (phase == "Succeeded" || phase == "Failed") return {};
  if (pod.at("status", "podIP").as_string().empty()) return {Step::Kind::start, stage.pod_start};
  return step_of_running(pod, now);
}

value::Value running_patch(const value::Value& pod, const std::string& pod_address,
                           const std::string& host_address, base::WallTime now) {
  const std::string time = base::format_rfc3339(now);
  Value containers = Value::array();
  for (const Value& c : pod.at("spec", "containers").items()) {
    containers.push(container_status(pod, c, time, true));
  }
  Value status = Value::object({{"phase", "Running"},
                                {"conditions", pod_conditions(pod, Life::running, time)},
                                {"hostIP", host_address},
                                {"hostIPs", Value::array({Value::object({{"ip", host_address}})})},
                                {"podIP", pod_address},
                                {"podIPs", Value::array({Value::object({{"ip", pod_address}})})},
                                {"startTime", time},
                                {"containerStatuses", containers}});
  Value init = Value::array();
  for (const Value& c : pod.at("spec", "initContainers").items()) {
    init.push(container_status(pod, c, time, is_sidecar(c)));
  }
  if (!init.empty()) status.set("initContainerStatuses", init);
  return status_patch(pod, std::move(status));
}

value::Value ready_patch(const value::Value& pod, base::WallTime now) {
  return status_patch(
      pod, Value::object(
               {{"conditions", pod_conditions(pod, Life::running, base::format_rfc3339(now))}}));
}

value::Value finished_patch(const value::Value& pod, base::WallTime now) {
  const std::string time = base::format_rfc3339(now);
  Value status = Value::object(
      {{"phase", "Succeeded"}, {"conditions", pod_conditions(pod, Life::over, time)}});
  for (const char* list : {"initContainerStatuses", "containerStatuses"}) {
    Value statuses = pod.at("status", list);
    if (!statuses.is_array()) continue;
    for (Value& c : statuses.mutable_items()) {
      const std::string started = c.at("state", "running", "startedAt").as_string();
      if (started.empty()) continue;  // it ended before
      const std::string name = c["name"].as_string();
      c.set("state", ended(pod, name, started, time));
      c.set("ready", false).set("started", false);
    }
    status.set(list, std::move(statuses));
  }
  return status_patch(pod, std::move(status));
}

}  // namespace keelway::node::hollow
