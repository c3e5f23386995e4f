// What kubectl get says about a pod: not its phase but the most telling word about its containers.
#include <algorithm>

#include "kinds/printers/cells.h"
#include "kinds/printers/printers.h"

namespace keelway::kinds {
namespace {

using value::Value;

struct Restarts {
  std::int64_t count = 0;
  std::optional<base::WallTime> last;

  void add(const Value& status) {
    count += status["restartCount"].as_int();
    const auto at =
        base::parse_rfc3339(status.at("lastState", "terminated", "finishedAt").as_string());
    if (at && (!last || *last < *at)) last = at;
  }

  std::string text(base::WallTime now) const {
    if (count == 0 || !last) return std::to_string(count);
    return std::to_string(count) + " (" + base::format_age(now - *last) + " ago)";
  }
};

struct Summary {
  std::string word;  // STATUS
  std::int64_t ready = 0, total = 0;
  Restarts restarts;
};

// Sidecars: init containers that stay.
bool is_sidecar(const Value& pod, const std::string& name) {
  for (const Value& container : pod.at("spec", "initContainers").items()) {
    if (container["name"].as_string() == name) {
      return container["restartPolicy"].as_string() == "Always";
    }
  }
  return false;
}

std::string end_of(const Value& terminated) {
  if (!terminated["reason"].as_string().empty()) return terminated["reason"].as_string();
  const std::int64_t signal = terminated["signal"].as_int();
  if (signal != 0) return "Signal:" + std::to_string(signal);
  return "ExitCode:" + std::to_string(terminated["exitCode"].as_int());
}

// True while an init container holds the pod back; then the word says which and why.
bool read_init_containers(const Value& pod, Summary& out, Restarts& of_sidecars) {
  const auto& statuses = pod.at("status", "initContainerStatuses").items();
  for (std::size_t i = 0; i < statuses.size(); ++i) {
    const Value& status = statuses[i];
    const bool sidecar = is_sidecar(pod, status["name"].as_string());
    out.restarts.add(status);
    if (sidecar) of_sidecars.add(status);
    const Value& terminated = status.at("state", "terminated");
    if (terminated && terminated["exitCode"].as_int() == 0) continue;
    if (sidecar && status["started"].as_bool()) {
      if (status["ready"].as_bool()) ++out.ready;
      continue;
    }
    const std::string& waits_for = status.at("state", "waiting", "reason").as_string();
    if (terminated) {
      out.word = "Init:" + end_of(terminated);
    } else if (!waits_for.empty() && waits_for != "PodInitializing") {
      out.word = "Init:" + waits_for;
    } else {
      out.word = "Init:" + cells::fraction(
                               static_cast<std::int64_t>(i),
                               static_cast<std::int64_t>(pod.at("spec", "initContainers").size()));
    }
    return true;
  }
  return false;
}

void read_containers(const Value& pod, Summary& out) {
  bool any_runs = false;
  const auto& statuses = pod.at("status", "containerStatuses").items();
  for (auto status = statuses.rbegin(); status != statuses.rend(); ++status) {
    out.restarts.add(*status);
    const Value& state = (*status)["state"];
    if (!state.at("waiting", "reason").as_string().empty()) {
      out.word = state.at("waiting", "reason").as_string();
    } else if (state["terminated"]) {
      out.word = end_of(state["terminated"]);
    } else if ((*status)["ready"].as_bool() && state["running"]) {
      any_runs = true;
      ++out.ready;
    }
  }
  // A container that ended well must not hide one that runs.
  if (out.word == "Completed" && any_runs) {
    out.word = cells::condition_is_true(pod["status"], "Ready") ? "Running" : "NotReady";
  }
}

Summary summarise(const Value& pod) {
  const Value& status = pod["status"];
  Summary out;
  out.word = cells::or_else(status["reason"], status["phase"].as_string());
  for (const Value& condition : status["conditions"].items()) {
    if (condition["type"].as_string() == "PodScheduled" &&
        condition["reason"].as_string() == "SchedulingGated") {
      out.word = "SchedulingGated";
    }
  }
  out.total = static_cast<std::int64_t>(pod.at("spec", "containers").size());
  for (const Value& container : pod.at("spec", "initContainers").items()) {
    if (container["restartPolicy"].as_string() == "Always") ++out.total;
  }
  Restarts of_sidecars;
  const bool held_back = read_init_containers(pod, out, of_sidecars);
  if (!held_back || cells::condition_is_true(status, "Initialized")) {
    out.restarts = of_sidecars;
    read_containers(pod, out);
  }
  const std::string& phase = status["phase"].as_string();
  if (pod.at("metadata", "deletionTimestamp")) {
    if (status["reason"].as_string() == "NodeLost") {
      out.word = "Unknown";
    } else if (phase != "Succeeded" && phase != "Failed") {
      out.word = "Terminating";
    }
  }
  return out;
}

std::string readiness_gates(const Value& pod) {
  const auto& gates = pod.at("spec", "readinessGates").items();
  if (gates.empty()) return "<none>";
  const auto open = std::ranges::count_if(gates, [&pod](const Value& gate) {
    return cells::condition_is_true(pod["status"], gate["conditionType"].as_string());
  });
  return cells::fraction(open, static_cast<std::int64_t>(gates.size()));
}

}  // namespace

value::Array print_pod(const schema::Kind&, const Value& pod, base::WallTime now) {
  const Summary summary = summarise(pod);
  const Value& status = pod["status"];
  const Value& first_ip = status["podIPs"][0]["ip"];
  return {cells::name(pod),
          cells::fraction(summary.ready, summary.total),
          summary.word,
          summary.restarts.text(now),
          cells::age(pod, now),
          cells::or_else(first_ip ? first_ip : status["podIP"], "<none>"),
          cells::or_else(pod.at("spec", "nodeName"), "<none>"),
          cells::or_else(status["nominatedNodeName"], "<none>"),
          readiness_gates(pod)};
}

}  // namespace keelway::kinds
