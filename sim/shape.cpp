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

// Every server caches all and watches all: their worlds are smaller.
void draw_town(base::Random& random, Shape& shape) {
  const base::Duration intervals[] = {std::chrono::milliseconds(500), std::chrono::seconds(1),
                                      std::chrono::seconds(2)};
  shape.servers = 2 + static_cast<int>(random.below(2));
  shape.lease_interval = intervals[random.below(3)];
  if (shape.workloads.size() > 2) shape.workloads.resize(2);
}

// So few seats that users meet each other in queues.
void draw_crowding(base::Random& random, access::FairnessLimits& fairness) {
  fairness.seats = 1 + static_cast<int>(random.below(6));
  fairness.queue_length = 1 + static_cast<int>(random.below(3));
  fairness.turn = 1 + static_cast<int>(random.below(16));
  fairness.wait_max = std::chrono::milliseconds(100 + static_cast<int>(random.below(5000)));
}

// One pod a node, and not many of them: each is a machine.
void add_apart(base::Random& random, Shape& shape) {
  Workload workload{"apart", 2 + static_cast<int>(random.below(3)), "100m", "64Mi"};
  workload.apart = random.chance(0.5) ? Apart::host_port : Apart::anti_affinity;
  workload.replicas_max = 6;
  shape.workloads.push_back(std::move(workload));
}

// Sizes go up and down all the time: room comes free and is fought for.
void draw_rush(base::Random& random, Shape& shape) {
  shape.resizes = 20 + static_cast<int>(random.below(40));
  shape.resize_gap_max = std::chrono::seconds(2 + static_cast<int>(random.below(14)));
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
  base::Random town = random.fork();
  if (shape.store == StoreKind::memory && town.chance(0.6)) draw_town(town, shape);
  base::Random extras = random.fork();
  if (extras.chance(0.3)) shape.pool_cpu = 2 + static_cast<int>(extras.below(40));
  if (extras.chance(0.3)) draw_crowding(extras, shape.fairness);
  base::Random rush = random.fork();
  if (rush.chance(0.3)) draw_rush(rush, shape);
  if (rush.chance(0.4)) add_apart(rush, shape);
  shape.faults = draw_faults(faults, {.span = shape.safety_time,
                                      .disks = shape.store == StoreKind::sqlite,
                                      .shared_store = shape.store == StoreKind::memory,
                                      .several = shape.servers > 1});
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
      "seed {}: {} server(s) on {}, {} deployments, {} pods, {} resizes{}{}; window {}, page {}, "
      "replayed {}, {} seats{}{}; {} faults",
      seed, servers, store == StoreKind::sqlite ? "sqlite" : "memory", workloads.size(), pods,
      resizes, guarded ? ", a disruption budget" : "",
      pool_cpu > 0 ? fmt::format(", a pool of {} CPUs", pool_cpu) : "", knobs.watch_window,
      knobs.store_page, knobs.replayed, fairness.seats,
      servers > 1 ? ", leases of " + base::format_duration(lease_interval) : "",
      workloads.back().apart != Apart::no ? ", pods that keep apart" : "", faults.size());
  for (const Fault& fault : faults) text += "\n    " + fault.describe();
  return text;
}

}  // namespace keelway::sim
