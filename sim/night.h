// Many seeds, in several processes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "sim/marks.h"

namespace keelway::sim {

// What a seed adds to the night. Passed between processes as one line of text and the failure.
struct SeedResult {
  std::uint64_t seed = 0;
  double virtual_hours = 0;
  std::int64_t kills = 0, pods = 0, writes = 0;
  std::string failure;  // several lines; empty: none
  Reached reached;
};

struct Night {
  std::uint64_t first = 1, last = 50;
  int jobs = 1;
  bool until_failure = false;
};

// Plays every seed; `done` hears of each in this process, in no order. False where a process died.
bool play_night(const Night& night, const std::function<SeedResult(std::uint64_t)>& play,
                const std::function<void(const SeedResult&)>& done);

}  // namespace keelway::sim
