#include "sim/shape.h"

#include <fmt/core.h>

#include <algorithm>

namespace keelway::sim {
namespace {

std::vector<Workload> draw_workloads(base::Random& random) {
  const char* const cpus[] = {"100m", "250m", "500m", "1", "2"};
  const char* const memories[] = {"64Mi", "256Mi", "1Gi", "4Gi"};
  std::vector<Workload> workloads;
  const int count = 1 + static_cast<int>(random.below(4));
  for (int i = 0; i < count; ++i) {
    workloads.push_back({fmt::format("app-{}", i), 1 + static_cast<int>(random.below(25)),
                         cpus[random.below(5)], memories[random.below(4)]});
  }
  return workloads;
}

// Beside the defaults, sizes at which every edge is met within minutes.
app::Knobs draw_knobs(base::Random& random) {
  app::Knobs knobs;
  if (random.chance(0.4)) knobs.watch_window = 2 + random.below(60);
  if (random.chance(0.4)) knobs.store_page = 1 + random.below(7);
  if (random.chance(0.4)) knobs.replayed = random.below(20);
  return knobs;
}

}  // namespace

Shape draw_shape(std::uint64_t seed) {
  base::Random random(seed ^ 0x5eed);
  Shape shape;
  shape.seed = seed;
  base::Random sizes = random.fork(), knobs = random.fork(), faults = random.fork();
  shape.workloads = draw_workloads(sizes);
  shape.resizes = static_cast<int>(sizes.below(6));
  shape.store = sizes.chance(0.6) ? StoreKind::sqlite : StoreKind::memory;
  shape.guarded = sizes.chance(0.4);
  if (shape.guarded) shape.workloads[0].replicas = 3 + static_cast<int>(sizes.below(6));
  shape.knobs = draw_knobs(knobs);
  shape.faults = draw_faults(faults, {.span = shape.safety_time,
                                      .disks = shape.store == StoreKind::sqlite,
                                      .shared_store = shape.store == StoreKind::memory});
  return shape;
}

bool Shape::has(Fault::Kind kind) const {
  return std::any_of(faults.begin(), faults.end(),
                     [kind](const Fault& fault) { return fault.kind == kind; });
}

std::string Shape::describe() const {
  int pods = 0;
  for (const Workload& workload : workloads) pods += workload.replicas;
  std::string text = fmt::format(
      "seed {}: {} server(s) on {}, {} deployments, {} pods, {} resizes{}; window {}, page {}, "
      "replayed {}; {} faults",
      seed, servers, store == StoreKind::sqlite ? "sqlite" : "memory", workloads.size(), pods,
      resizes, guarded ? ", a disruption budget" : "", knobs.watch_window, knobs.store_page,
      knobs.replayed, faults.size());
  for (const Fault& fault : faults) text += "\n    " + fault.describe();
  return text;
}

}  // namespace keelway::sim
