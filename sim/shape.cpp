#include "sim/shape.h"

#include <fmt/core.h>

namespace keelway::sim {

Shape draw_shape(std::uint64_t seed) {
  base::Random random(seed ^ 0x5eed);
  Shape shape;
  shape.seed = seed;
  const char* const cpus[] = {"100m", "250m", "500m", "1", "2"};
  const char* const memories[] = {"64Mi", "256Mi", "1Gi", "4Gi"};
  const int workloads = 1 + static_cast<int>(random.below(4));
  for (int i = 0; i < workloads; ++i) {
    shape.workloads.push_back({fmt::format("app-{}", i), 1 + static_cast<int>(random.below(25)),
                               cpus[random.below(5)], memories[random.below(4)]});
  }
  shape.resizes = static_cast<int>(random.below(6));
  if (random.chance(0.5)) shape.kills = 1 + static_cast<int>(random.below(3));
  if (random.chance(0.4)) shape.losses.call_lost = 0.02 * static_cast<double>(random.below(6));
  if (random.chance(0.4)) shape.losses.answer_lost = 0.02 * static_cast<double>(random.below(6));
  if (random.chance(0.2)) shape.losses.doubled = 0.05;
  if (random.chance(0.5)) shape.losses.delay_max = std::chrono::milliseconds(random.below(2000));
  return shape;
}

std::string Shape::describe() const {
  int pods = 0;
  for (const Workload& workload : workloads) pods += workload.replicas;
  return fmt::format(
      "seed {}: {} deployments, {} pods, {} resizes, {} kills, calls lost {:.2f}, answers lost "
      "{:.2f}, doubled {:.2f}, delays up to {}",
      seed, workloads.size(), pods, resizes, kills, losses.call_lost, losses.answer_lost,
      losses.doubled, base::format_duration(losses.delay_max));
}

}  // namespace keelway::sim
