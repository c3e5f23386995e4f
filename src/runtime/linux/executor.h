// The handle of an executor: owns its core's life.
#pragma once

#include "runtime/linux/core_thread.h"

namespace keelway::runtime {

class LinuxExecutor : public Executor {
 public:
  explicit LinuxExecutor(std::shared_ptr<ExecutorCore> core) : core_(std::move(core)) {}
  ~LinuxExecutor() override { core_->close(); }
  LinuxExecutor(const LinuxExecutor&) = delete;

  void post(Task task) override { core_->post(std::move(task)); }
  TimerId after(base::Duration delay, Task task) override {
    return core_->after(delay, std::move(task));
  }
  void cancel(TimerId timer) override { core_->cancel(timer); }
  base::Instant now() const override { return core_->now(); }
  base::WallTime wall_now() const override { return core_->wall_now(); }
  base::Random& random() override { return core_->random(); }

  const std::shared_ptr<ExecutorCore>& core() const { return core_; }

 private:
  const std::shared_ptr<ExecutorCore> core_;
};

// Every executor of a Linux runtime is a LinuxExecutor.
inline const std::shared_ptr<ExecutorCore>& core_of(Executor& executor) {
  return static_cast<LinuxExecutor&>(executor).core();
}

}  // namespace keelway::runtime
