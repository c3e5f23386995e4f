// A fault as data: what goes wrong, when, for how long. Drawn from the seed before the run begins,
// so that a failing run can be played again with some of them left out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/random.h"
#include "base/time.h"

namespace keelway::sim {

struct Fault {
  enum class Kind {
    kill,            // of a server, at `at`
    kill_at_answer,  // at the first acknowledged write after `at`
    power_cut,       // a kill that no peer hears of
    pause,           // a server stands still
    partition,       // between the users' machine and a server
    mute,            // the users' machine hears nothing of a server, which hears everything
    cut,             // every connection of the users' machine breaks
    slow_link,       // segments between the two take up to `amount` ms longer
    calls_lost,      // of loops and nodes: `amount` of a thousand never arrive
    answers_lost,    // took effect, and nobody hears of it
    calls_doubled,
    answers_late,  // by up to `amount` ms
    slow_watch,    // feeds of loops and nodes are late by up to `amount` ms
    wall_jump,     // a server's wall clock is `amount` s off from now on, in either direction
    sold_out,      // `amount` of a thousand offerings have no capacity
    throttled,     // the cloud refuses `amount` of a thousand calls
    launch_lost,   // the cloud launches, and does not say so
    node_vanish,   // a machine is gone
    node_hang,     // a node says nothing and does nothing
    node_lie,      // a node's heartbeats carry another time
    disk_error,    // the next write or sync of a server's disk after `amount` others fails
    disk_full,     // `amount` KiB are left
    disk_slow,     // each call takes up to `amount` ms
    compaction,    // the store forgets its history
    store_lost,    // answers of a shared store, `amount` of a thousand, do not come
    store_leader,  // a shared store has no leader: nothing is answered
    store_cut,     // one server of several does not reach the store
    calls_late,    // of loops and nodes: up to `amount` ms under way, whatever becomes of the loop
  };
  Kind kind = Kind::kill;
  base::Duration at{0}, lasts{0};
  std::int64_t amount = 0;
  std::uint64_t target = 0;  // of as many as there are when it strikes

  std::string describe() const;
};
inline constexpr int fault_kinds = static_cast<int>(Fault::Kind::calls_late) + 1;

const char* name_of(Fault::Kind kind);

// What a world is made of decides what can go wrong in it.
struct FaultBudget {
  base::Duration span{0};  // every fault has ended by then
  bool disks = false;      // servers keep their store on their own
  bool shared_store = false;
  bool several = false;  // servers
};
// Most kinds are absent from most runs. In order of time.
std::vector<Fault> draw_faults(base::Random& random, const FaultBudget& budget);

}  // namespace keelway::sim
