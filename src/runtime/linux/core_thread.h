// One epoll thread and the executors that are pinned to it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "runtime/runtime.h"

namespace keelway::runtime {

class CoreThread;

base::Instant read_monotonic_clock();
base::WallTime read_wall_clock();

// The shared part of an executor: it outlives the handle while somebody still holds it for late
// posts, which are then dropped.
class ExecutorCore : public std::enable_shared_from_this<ExecutorCore> {
 public:
  ExecutorCore(CoreThread& thread, std::string name, std::uint64_t seed);

  void post(Task task);
  // Due timers wait in the timer map until they run, so that cancel() always catches them.
  TimerId after(base::Duration delay, Task task);
  void cancel(TimerId timer);
  // Drops everything; waits for a running task of another thread.
  void close();

  // On the core thread: runs some tasks; true where more are due.
  bool run_slice();

  CoreThread& thread() { return thread_; }
  base::Instant now() const { return now_; }
  base::WallTime wall_now() const { return wall_now_; }
  base::Random& random() { return random_; }

 private:
  friend class CoreThread;
  bool take_next(bool timers_first, Task& task);

  CoreThread& thread_;
  const std::string name_;

  std::mutex mutex_;
  std::condition_variable idle_;
  // guarded by mutex_
  std::deque<Task> tasks_;
  std::map<std::pair<base::Instant, TimerId>, Task> timers_;
  std::unordered_map<TimerId, base::Instant> deadlines_;
  TimerId last_timer_ = 0;
  bool scheduled_ = false;
  bool closed_ = false;
  bool running_ = false;

  // own tasks only
  base::Instant now_;
  base::WallTime wall_now_;
  base::Random random_;
};

// Hears that a file descriptor became ready, on the core thread and outside of any executor's
// context: it only notes the event and posts.
class Watcher {
 public:
  virtual ~Watcher() = default;
  virtual void on_ready(std::uint32_t events) = 0;
};

class CoreThread {
 public:
  CoreThread();
  ~CoreThread();
  CoreThread(const CoreThread&) = delete;

  // Any thread. Edge-triggered, in both directions. 0 where epoll refuses.
  std::uint64_t watch(int fd, std::weak_ptr<Watcher> watcher);
  void unwatch(int fd, std::uint64_t token);

  void enqueue(std::shared_ptr<ExecutorCore> core);  // any thread
  void set_wake(const std::shared_ptr<ExecutorCore>& core, base::Instant at);
  void forget(ExecutorCore* core);
  bool is_current() const { return std::this_thread::get_id() == thread_.get_id(); }

  // A buffer for reads; used only within one call on this thread.
  static constexpr std::size_t scratch_bytes = 64u << 10;
  char* scratch() { return scratch_.get(); }

 private:
  void loop();
  void poll(base::Duration timeout);
  void wake();
  base::Duration collect_due();

  const std::unique_ptr<char[]> scratch_;
  int epoll_ = -1;
  int event_ = -1;

  std::mutex mutex_;
  // guarded by mutex_
  bool stopping_ = false;
  bool sleeping_ = false;
  std::deque<std::shared_ptr<ExecutorCore>> ready_;
  std::map<ExecutorCore*, std::pair<base::Instant, std::weak_ptr<ExecutorCore>>> wakes_;
  std::set<std::pair<base::Instant, ExecutorCore*>> wake_order_;
  std::unordered_map<std::uint64_t, std::weak_ptr<Watcher>> watchers_;
  std::uint64_t last_token_ = 0;

  std::thread thread_;
};

}  // namespace keelway::runtime
