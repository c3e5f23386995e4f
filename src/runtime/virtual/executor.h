// Executors and workers of the seeded world.
#pragma once

#include <deque>
#include <map>
#include <memory>

#include "runtime/virtual/queue.h"

namespace keelway::runtime {

struct WallClock {
  base::WallTime epoch;
  base::Duration skew{0};
};

class VirtualExecutorCore : public std::enable_shared_from_this<VirtualExecutorCore> {
 public:
  VirtualExecutorCore(EventQueue& queue, LifePtr life, const WallClock& clock)
      : queue_(queue), life_(std::move(life)), clock_(clock), random_(queue.random().fork()) {}

  void post(Task task);
  TimerId after(base::Duration delay, Task task);
  void cancel(TimerId timer);
  void close();

  base::Instant now() const { return queue_.now(); }
  base::WallTime wall_now() const {
    return clock_.epoch + base::Duration(queue_.now().nanoseconds) + clock_.skew;
  }
  base::Random& random() { return random_; }
  const LifePtr& life() const { return life_; }
  bool sometimes(std::string_view site) {
    return queue_.marks != nullptr && queue_.marks->sometimes(site);
  }
  void reached(std::string_view mark) {
    if (queue_.marks != nullptr) queue_.marks->reached(mark);
  }

 private:
  struct Timer {
    EventQueue::Key key;
    Task task;
  };
  EventQueue& queue_;
  const LifePtr life_;
  const WallClock& clock_;
  base::Random random_;
  bool closed_ = false;
  std::deque<Task> tasks_;  // in order of posting; each has one event in the queue
  std::map<TimerId, Timer> timers_;
  TimerId last_timer_ = 0;
};

class VirtualExecutor : public Executor {
 public:
  explicit VirtualExecutor(std::shared_ptr<VirtualExecutorCore> core) : core_(std::move(core)) {}
  ~VirtualExecutor() override { core_->close(); }
  VirtualExecutor(const VirtualExecutor&) = delete;
  void post(Task task) override { core_->post(std::move(task)); }
  TimerId after(base::Duration delay, Task task) override {
    return core_->after(delay, std::move(task));
  }
  void cancel(TimerId timer) override { core_->cancel(timer); }
  base::Instant now() const override { return core_->now(); }
  base::WallTime wall_now() const override { return core_->wall_now(); }
  base::Random& random() override { return core_->random(); }
  bool sometimes(std::string_view site) override { return core_->sometimes(site); }
  void reached(std::string_view mark) override { core_->reached(mark); }
  const std::shared_ptr<VirtualExecutorCore>& core() const { return core_; }

 private:
  const std::shared_ptr<VirtualExecutorCore> core_;
};

// Every executor of a virtual runtime is a VirtualExecutor.
inline const std::shared_ptr<VirtualExecutorCore>& virtual_core_of(Executor& executor) {
  return static_cast<VirtualExecutor&>(executor).core();
}

class VirtualDisk;

// Work happens at one point of virtual time, a random delay after it was asked for, and after
// what earlier work has waited for the disk.
class VirtualWorkers : public Workers {
 public:
  VirtualWorkers(EventQueue& queue, const WorldOptions& options, VirtualDisk& disk)
      : queue_(queue), options_(options), disk_(disk) {}
  void run(Executor& executor, Task work, Task done) override;

 private:
  EventQueue& queue_;
  const WorldOptions& options_;
  VirtualDisk& disk_;
};

}  // namespace keelway::runtime
