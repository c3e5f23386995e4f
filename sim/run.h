// One seed, from the first start of the server to silence.
#pragma once

#include <cstdint>
#include <string>

#include "sim/shape.h"

namespace keelway::sim {

struct Outcome {
  std::string failure;  // empty: all is well
  std::uint64_t trace_hash = 0;
  base::Duration virtual_time{0};
  std::int64_t nodes_most = 0, pods_most = 0, kills = 0, writes = 0;
};

// `trace`: says what happens to stdout.
Outcome run(const Shape& shape, bool trace);

}  // namespace keelway::sim
