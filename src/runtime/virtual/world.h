// The seeded world: virtual time, one ordered queue, any number of hosts. A host is one simulated
// process with a Runtime of its own. One thread drives everything; one seed is one history.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "runtime/files.h"
#include "runtime/network.h"
#include "runtime/runtime.h"

namespace keelway::runtime {

class VirtualDisk;

struct WorldOptions {
  base::WallTime epoch{1'767'225'600'000'000};  // 2026-01-01T00:00:00Z, wall time of instant 0
  base::Duration latency_min = std::chrono::microseconds(50);  // one way, each segment
  base::Duration latency_max = std::chrono::microseconds(500);
  base::Duration work_min = std::chrono::microseconds(10);  // of a worker's job
  base::Duration work_max = std::chrono::milliseconds(1);
};

// Hears of every mark that the code of the world's hosts comes by (Executor::sometimes, reached).
class Marks {
 public:
  virtual ~Marks() = default;
  virtual bool sometimes(std::string_view site) = 0;
  virtual void reached(std::string_view mark) = 0;
};

// One simulated process. Its address on the virtual network is its name; "127.0.0.1", "::1" and
// "localhost" are the host itself. Destroy what was made with its runtime before the host, and
// every host before the world.
class Host {
 public:
  virtual ~Host() = default;
  virtual const std::string& name() const = 0;
  virtual Runtime& runtime() = 0;
  virtual bool alive() const = 0;
  // The process dies: its tasks, timers and callbacks never run, its listeners and connections
  // are gone (peers hear it after the network's delay). Files survive, also what was not synced.
  // Objects of the old life may still be destroyed, at any time; they reach no file any more.
  virtual void kill() = 0;
  // The machine under it dies: a kill that no peer hears of, after which files hold what disk() has
  // kept of them.
  virtual void lose_power() = 0;
  // Stands still as a stopped process does: what is due meanwhile runs when it wakes, clocks go on.
  virtual void pause(base::Duration duration) = 0;
  // A new life under the same name; nothing of the old one comes back but the files.
  virtual void restart() = 0;
  virtual void set_wall_skew(base::Duration skew) = 0;
  virtual VirtualDisk& disk() = 0;  // runtime/virtual/disk.h; survives every life
};

class World {
 public:
  virtual ~World() = default;
  virtual std::unique_ptr<Host> make_host(std::string name) = 0;  // names are unique

  // Runs the next event if it is due at or before `limit`; false where there is none.
  virtual bool step(base::Instant limit) = 0;
  // Runs everything that is due up to `at`, then stands at `at`.
  virtual void run_until(base::Instant at) = 0;
  void run_for(base::Duration duration) { run_until(now() + duration); }
  // Steps until `done()` (true) or until `within` has passed (false).
  bool run_while_waiting(const std::function<bool()>& done,
                         base::Duration within = std::chrono::minutes(10));
  virtual base::Instant now() const = 0;
  // Equal for equal histories.
  virtual std::uint64_t trace_hash() const = 0;
  virtual std::size_t pending() const = 0;  // events that wait for their time
  virtual base::Random& random() = 0;       // of the test's own choices

  // Segments between the two wait, new connections time out, until heal().
  virtual void partition(const Host& a, const Host& b) = 0;
  // The same for one direction: `to` hears nothing of `from`, which hears everything.
  virtual void silence(const Host& from, const Host& to) = 0;
  virtual void heal(const Host& a, const Host& b) = 0;
  // Breaks every connection between the two; both ends hear an error.
  virtual void cut_connections(const Host& a, const Host& b) = 0;
  // Every segment between the two takes up to `extra_max` longer; zero ends it.
  virtual void slow(const Host& a, const Host& b, base::Duration extra_max) = 0;
  // Null: nobody. Outlives the world.
  virtual void set_marks(Marks* marks) = 0;
};

std::unique_ptr<World> make_world(std::uint64_t seed, WorldOptions options = {});

}  // namespace keelway::runtime
