// What one seed stands for: the size of the world, and the faults that may happen in it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "sim/lossy_client.h"

namespace keelway::sim {

struct Workload {
  std::string name;
  int replicas = 1;
  std::string cpu, memory;
};

struct Shape {
  std::uint64_t seed = 0;
  std::vector<Workload> workloads;
  int resizes = 0;  // changes of some workload's size while faults go on
  int kills = 0;    // of the server process
  Losses losses;
  base::Duration safety_time = std::chrono::minutes(5);

  std::string describe() const;
};

// Most faults are off in most runs.
Shape draw_shape(std::uint64_t seed);

}  // namespace keelway::sim
