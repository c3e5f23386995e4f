// The way back to one executor, for engines: callbacks are posted through it from any thread and
// stop when it is closed.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>

#include "runtime/runtime.h"

namespace keelway::store {

class Mailbox : public std::enable_shared_from_this<Mailbox> {
 public:
  // With a delay_max every task waits for a random time below it, which also shuffles tasks.
  explicit Mailbox(runtime::Executor& executor, base::Duration delay_max = {})
      : executor_(&executor), delay_max_(delay_max) {}

  void post(runtime::Task task);  // any thread; dropped once closed
  bool is_open() const { return open_; }
  // None of the tasks runs afterwards, where it is called on the executor.
  void close();

 private:
  void run(runtime::Task& task);

  std::mutex mutex_;
  runtime::Executor* const executor_;  // alive while open
  std::atomic<bool> open_ = true;      // written under mutex_
  const base::Duration delay_max_;
};

}  // namespace keelway::store
