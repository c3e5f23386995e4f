#include "runtime/linux/workers.h"

#include "runtime/linux/executor.h"

namespace keelway::runtime {

LinuxWorkers::LinuxWorkers(int threads) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { loop(); });
}

LinuxWorkers::~LinuxWorkers() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void LinuxWorkers::run(Executor& executor, Task work, Task done) {
  run(core_of(executor), std::move(work), std::move(done));
}

void LinuxWorkers::run(std::shared_ptr<ExecutorCore> core, Task work, Task done) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back({std::move(core), std::move(work), std::move(done)});
  }
  wake_.notify_one();
}

void LinuxWorkers::loop() {
  while (true) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
      if (stopping_) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job.work();
    job.work = nullptr;  // results that it holds are gone before `done` can run
    job.core->post(std::move(job.done));
  }
}

}  // namespace keelway::runtime
