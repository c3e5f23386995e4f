// The worker threads: a bounded number, one shared queue.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "runtime/linux/core_thread.h"

namespace keelway::runtime {

class LinuxWorkers : public Workers {
 public:
  explicit LinuxWorkers(int threads);
  ~LinuxWorkers() override;  // finishes what runs, drops what waits
  void run(Executor& executor, Task work, Task done) override;
  void run(std::shared_ptr<ExecutorCore> core, Task work, Task done);

 private:
  struct Job {
    std::shared_ptr<ExecutorCore> core;
    Task work, done;
  };
  void loop();

  std::mutex mutex_;
  std::condition_variable wake_;
  // guarded by mutex_
  std::deque<Job> jobs_;
  bool stopping_ = false;

  std::vector<std::thread> threads_;
};

}  // namespace keelway::runtime
