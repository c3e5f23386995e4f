#include "runtime/virtual/executor.h"

#include "runtime/virtual/disk.h"

namespace keelway::runtime {

void VirtualExecutorCore::post(Task task) {
  if (closed_ || !life_->alive) return;
  tasks_.push_back(std::move(task));
  queue_.schedule(life_, base::Duration::zero(), [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self || self->tasks_.empty()) return;
    Task next = std::move(self->tasks_.front());
    self->tasks_.pop_front();
    next();
  });
}

TimerId VirtualExecutorCore::after(base::Duration delay, Task task) {
  if (closed_ || !life_->alive) return 0;
  const TimerId id = ++last_timer_;
  const auto key = queue_.schedule(life_, delay, [weak = weak_from_this(), id] {
    const auto self = weak.lock();
    if (!self) return;
    const auto found = self->timers_.find(id);
    if (found == self->timers_.end()) return;
    Task due = std::move(found->second.task);
    self->timers_.erase(found);
    due();
  });
  timers_.emplace(id, Timer{key, std::move(task)});
  return id;
}

void VirtualExecutorCore::cancel(TimerId timer) {
  const auto node = timers_.extract(timer);
  if (!node.empty()) queue_.cancel(node.mapped().key);
}

void VirtualExecutorCore::close() {
  closed_ = true;
  const auto tasks = std::exchange(tasks_, {});
  const auto timers = std::exchange(timers_, {});
  for (const auto& [id, timer] : timers) queue_.cancel(timer.key);
}

void VirtualWorkers::run(Executor& executor, Task work, Task done) {
  const auto core = virtual_core_of(executor);
  queue_.schedule(
      core->life(), queue_.draw(options_.work_min, options_.work_max) + disk_.take_owed(),
      [weak = std::weak_ptr(core), work = std::move(work), done = std::move(done)]() mutable {
        work();
        work = nullptr;
        if (const auto self = weak.lock()) self->post(std::move(done));
      });
}

}  // namespace keelway::runtime
