// What one seed stands for: the size of the world, its knobs, and the faults that happen in it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "app/config.h"
#include "base/random.h"
#include "base/time.h"
#include "sim/fault.h"

namespace keelway::sim {

// What keeps a workload's pods from sharing a node.
enum class Apart { no, host_port, anti_affinity };

struct Workload {
  std::string name;
  int replicas = 1;
  std::string cpu, memory;
  Apart apart = Apart::no;
  int replicas_max = 30;  // below this, when it is resized
};

enum class StoreKind { sqlite, memory };

struct Shape {
  std::uint64_t seed = 0;
  StoreKind store = StoreKind::sqlite;
  int servers = 1;                                          // more than one: on a shared store
  base::Duration lease_interval = std::chrono::seconds(2);  // of several servers
  std::vector<Workload> workloads;
  int resizes = 0;  // changes of some workload's size while faults go on
  base::Duration resize_gap_max = std::chrono::seconds(40);  // from one to the next
  int pool_cpu = 0;      // limit of a node pool beside the cluster's own; 0: there is none
  bool guarded = false;  // a disruption budget over the first workload, and evictions
  app::Knobs knobs;
  access::FairnessLimits fairness;
  std::vector<Fault> faults;
  base::Duration safety_time = std::chrono::minutes(5);

  // One line, and one for each fault.
  std::string describe() const;
  bool sizes_change_all_the_time() const { return resize_gap_max < std::chrono::seconds(40); }
  bool has(Fault::Kind kind) const;
};

Shape draw_shape(std::uint64_t seed);

}  // namespace keelway::sim
