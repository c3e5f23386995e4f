// Messages to one executor, in the order of sending. Only the first of a batch costs a post: while
// the receiver is busy, what comes waits for its next turn.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "runtime/runtime.h"
#include "telemetry/metrics.h"

namespace keelway::http {

template <class Message>
class Inbox : public std::enable_shared_from_this<Inbox<Message>> {
 public:
  // Takes out of the message whatever it holds on to.
  using Hear = std::move_only_function<void(Message&)>;
  // `executor` lives until close(). `waiting`: how many messages a turn found; null: nobody asks.
  Inbox(runtime::Executor& executor, Hear hear, telemetry::Gauge* waiting = nullptr)
      : executor_(executor), hear_(std::move(hear)), found_(waiting) {}

  // Any thread. Once closed nothing is taken.
  template <class... Parts>
  void push(Parts&&... parts) {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    waiting_.emplace_back(std::forward<Parts>(parts)...);
    if (std::exchange(posted_, true)) return;
    post();
  }

  // Any thread. Drops what waits; what is heard at this moment is heard to its end.
  void close() {
    std::vector<Message> dropped;  // after the lock is gone: its parts may push
    const std::lock_guard lock(mutex_);
    closed_ = true;
    dropped.swap(waiting_);
  }

 private:
  static constexpr int kPerTurn = 64;            // then the executor's other tasks have theirs
  static constexpr std::size_t kKeptMax = 1024;  // room for so many stays after a rush

  void post() {
    executor_.post([self = this->shared_from_this()] { self->run(); });
  }

  void run() {
    if (heard_ == taken_.size() && !take()) return;
    for (int i = 0; i < kPerTurn && heard_ < taken_.size(); ++i) {
      hear_(taken_[heard_++]);
    }
    const std::lock_guard lock(mutex_);
    posted_ = !closed_ && (heard_ < taken_.size() || !waiting_.empty());
    if (posted_) return post();
    if (!closed_) show(0);
  }

  bool take() {
    taken_.clear();
    heard_ = 0;
    if (taken_.capacity() > kKeptMax) std::vector<Message>().swap(taken_);
    const std::lock_guard lock(mutex_);
    taken_.swap(waiting_);
    if (closed_) return false;
    show(taken_.size());
    return true;
  }

  // Not after close(): the gauge may be gone.
  void show(std::size_t waiting) {
    if (found_ != nullptr) found_->set(static_cast<double>(waiting));
  }

  runtime::Executor& executor_;
  Hear hear_;
  telemetry::Gauge* const found_;
  std::mutex mutex_;
  std::vector<Message> waiting_;  // guarded by mutex_
  bool posted_ = false;           // guarded by mutex_: a turn is on its way
  bool closed_ = false;           // guarded by mutex_
  // executor only
  std::vector<Message> taken_;
  std::size_t heard_ = 0;  // of them
};

}  // namespace keelway::http
