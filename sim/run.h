// One seed, from the first start of the server to silence.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/marks.h"
#include "sim/shape.h"

namespace keelway::sim {

struct Outcome {
  std::string failure;  // empty: all is well
  std::uint64_t trace_hash = 0;
  base::Duration virtual_time{0};
  std::int64_t nodes_most = 0, pods_most = 0, kills = 0, writes = 0;
  Reached reached;
};

struct RunOptions {
  std::vector<bool> enabled = {};  // by fault; those beyond its end happen
  bool story = false;              // says what happens to stdout
};

Outcome run(const Shape& shape, const RunOptions& options);

}  // namespace keelway::sim
