#include "scheduler/scoring.h"

#include <algorithm>
#include <cstdlib>

namespace keelway::scheduler {
namespace {

using placement::Amount;
using placement::NodeState;

constexpr std::int64_t kFull = 100;
// A pod that asks for nothing still takes something; upstream's guesses.
constexpr Amount kGuessedMilliCpu = 100;
constexpr Amount kGuessedMemory = 200LL << 20;

// Share of `have` that is taken, in thousandths, at most 1000.
std::int64_t share(Amount taken, Amount have) {
  if (have <= 0) return 1000;
  return std::clamp<std::int64_t>(
      static_cast<std::int64_t>(1000.0 * static_cast<double>(taken) / static_cast<double>(have)), 0,
      1000);
}

// Adds weight * [0, 100], linear between the least and the most of `raw`.
void add_normalized(std::vector<std::int64_t>& scores, const std::vector<std::int64_t>& raw,
                    std::int64_t weight, bool more_is_better) {
  const auto [least, most] = std::minmax_element(raw.begin(), raw.end());
  const std::int64_t low = *least, range = *most - *least;
  if (range == 0) return;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const std::int64_t part = (raw[i] - low) * kFull / range;
    scores[i] += weight * (more_is_better ? part : kFull - part);
  }
}

}  // namespace

std::int64_t resources_score(const placement::PodInfo& pod, const NodeState& node) {
  const Amount cpu = pod.requests.milli_cpu > 0 ? pod.requests.milli_cpu : kGuessedMilliCpu;
  const Amount memory = pod.requests.memory > 0 ? pod.requests.memory : kGuessedMemory;
  const std::int64_t cpu_share = share(node.used.milli_cpu + cpu, node.allocatable.milli_cpu);
  const std::int64_t memory_share = share(node.used.memory + memory, node.allocatable.memory);
  const std::int64_t least_allocated = kFull - (cpu_share + memory_share) / 20;
  const std::int64_t balanced = kFull - std::abs(cpu_share - memory_share) / 20;
  return least_allocated + balanced;
}

std::vector<std::int64_t> score(const placement::PodInfo& pod, const placement::Topology& topology,
                                const placement::Topology::Question& question,
                                const std::vector<std::size_t>& feasible) {
  std::vector<std::int64_t> scores(feasible.size()), raw(feasible.size());
  const auto measure = [&](const auto& of, std::int64_t weight, bool more_is_better) {
    for (std::size_t i = 0; i < feasible.size(); ++i) raw[i] = of(topology.nodes()[feasible[i]]);
    add_normalized(scores, raw, weight, more_is_better);
  };
  for (std::size_t i = 0; i < feasible.size(); ++i) {
    scores[i] = resources_score(pod, topology.nodes()[feasible[i]]);
  }
  if (feasible.empty()) return scores;
  measure(
      [&](const NodeState& n) -> std::int64_t {
        return placement::count_untolerated_preferences(n.taints, pod.tolerations);
      },
      3, false);
  if (!pod.node_affinity->preferred.empty()) {
    measure(
        [&](const NodeState& n) -> std::int64_t {
          return pod.node_affinity->preference(n.labels, n.name);
        },
        2, true);
  }
  if (question.has_soft_rules()) {
    measure([&](const NodeState& n) { return question.spread_cost(n); }, 2, false);
    measure([&](const NodeState& n) { return question.affinity_score(n); }, 2, true);
  }
  return scores;
}

}  // namespace keelway::scheduler
