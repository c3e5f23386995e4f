#include "store/mailbox.h"

namespace keelway::store {

void Mailbox::post(runtime::Task task) {
  std::lock_guard lock(mutex_);
  if (!open_) return;
  executor_->post(
      [self = shared_from_this(), task = std::move(task)]() mutable { self->run(task); });
}

void Mailbox::close() {
  std::lock_guard lock(mutex_);
  open_ = false;
}

void Mailbox::run(runtime::Task& task) {
  if (!open_) return;
  if (delay_max_.count() <= 0) return task();
  const auto bound = static_cast<std::uint64_t>(delay_max_.count());
  const base::Duration delay(static_cast<std::int64_t>(executor_->random().below(bound)));
  executor_->after(delay, [self = shared_from_this(), task = std::move(task)]() mutable {
    if (self->open_) task();
  });
}

}  // namespace keelway::store
