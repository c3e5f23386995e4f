// Posting to an executor that may be gone: whoever owns the mailbox closes it while its executor
// still lives, and later posts are refused.
#pragma once

#include <mutex>

#include "runtime/runtime.h"

namespace keelway::apiserver {

class Mailbox {
 public:
  explicit Mailbox(runtime::Executor& executor) : executor_(&executor) {}
  // False where closed; the task is left alone then. Any thread.
  bool post(runtime::Task& task) {
    const std::lock_guard lock(mutex_);
    if (executor_ == nullptr) return false;
    executor_->post(std::move(task));
    return true;
  }
  void close() {
    const std::lock_guard lock(mutex_);
    executor_ = nullptr;
  }

 private:
  std::mutex mutex_;
  runtime::Executor* executor_;  // guarded by mutex_
};

}  // namespace keelway::apiserver
