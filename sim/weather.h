// What is wrong in the world right now. Changed by the faults as time goes on, read by everything
// that stands between the parts of the house.
#pragma once

#include <map>
#include <string>

#include "base/time.h"

namespace keelway::sim {

struct NodeTrouble {
  int hangs = 0;
  base::Duration lie{0};  // its heartbeats are off by that
};

struct Weather {
  // Of in-process calls by loops and nodes, each of a thousand.
  std::int64_t calls_lost = 0, answers_lost = 0, calls_doubled = 0;
  base::Duration answer_late_max{0};
  base::Duration call_late_max{0};  // on their way to the server
  base::Duration watch_late_max{0};
  // Of the cloud, each of a thousand.
  std::int64_t sold_out = 0, throttled = 0, launches_lost = 0;
  std::uint64_t sold_out_salt = 0;  // which offerings
  // Of a shared store.
  std::int64_t store_lost = 0;
  int store_leaderless = 0;
  std::map<std::string, int, std::less<>> cut_off;        // servers that do not reach it, by name
  std::map<std::string, NodeTrouble, std::less<>> nodes;  // by user name, "system:node:NAME"
};

}  // namespace keelway::sim
