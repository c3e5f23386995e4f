// The seam to everything that is not deterministic: time, order, threads, randomness, network
// and disk. runtime/linux is the real one, runtime/virtual the seeded one. Everything above
// receives a Runtime& and never asks the OS itself.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/random.h"
#include "base/time.h"

namespace keelway::runtime {

using Task = std::move_only_function<void()>;
using TimerId = std::uint64_t;  // 0 is never a timer

// A logical single thread: tasks and timers of one executor never run at the same time, and
// tasks of one poster run in the order of posting. Pinned to one core thread. Destroying it (from
// any thread, not from within one of its own tasks) drops what has not run; later posts are
// dropped silently.
class Executor {
 public:
  virtual ~Executor() = default;
  virtual void post(Task task) = 0;  // any thread
  // The calls below are made from this executor's own tasks only.
  virtual TimerId after(base::Duration delay, Task task) = 0;
  virtual void cancel(TimerId timer) = 0;  // unknown or fired ids are ignored
  // Stands still during one task.
  virtual base::Instant now() const = 0;
  virtual base::WallTime wall_now() const = 0;
  virtual base::Random& random() = 0;

  // Marks of the simulator: constant false and nothing in production. `sometimes` names a place
  // where a rare but lawful turn may be taken, `reached` a place that a night of runs must come by.
  virtual bool sometimes(std::string_view /*site*/) { return false; }
  virtual void reached(std::string_view /*mark*/) {}
};

// What the thread of an executor is shared with. A task of work may take milliseconds; those of
// connections are short, and never wait behind work.
enum class Lane { work, connections };

// Threads for work on immutable inputs: codecs, compression, fsync, keys, solving.
class Workers {
 public:
  virtual ~Workers() = default;
  // `work` runs on a worker; then `done` runs on `executor` (never, if that is gone by then).
  virtual void run(Executor& executor, Task work, Task done) = 0;
};

class Network;  // runtime/network.h
class Files;    // runtime/files.h

class Runtime {
 public:
  virtual ~Runtime() = default;
  virtual std::unique_ptr<Executor> make_executor(std::string name, Lane lane) = 0;
  std::unique_ptr<Executor> make_executor(std::string name) {
    return make_executor(std::move(name), Lane::work);
  }
  virtual Workers& workers() = 0;
  virtual Network& network() = 0;
  virtual Files& files() = 0;
  // Cryptographically strong in production, seeded in simulation. Any thread.
  virtual std::string random_bytes(std::size_t count) = 0;
};

}  // namespace keelway::runtime
