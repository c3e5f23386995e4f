// Messages to one executor, in the order of sending. Only the first of a batch costs a post: while
// the receiver is busy, what comes waits for its next turn.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "runtime/runtime.h"
#include "telemetry/metrics.h"

namespace keelway::http {

struct InboxOptions {
  // A turn hears 64 messages. Where it finds more than `rush_at`, it hears 512: whoever sorts what
  // comes by its urgency must see more than it would let through.
  std::size_t rush_at = SIZE_MAX;
  // True: nothing is heard until resume(). Any thread; null: never.
  std::move_only_function<bool()> held = nullptr;
  telemetry::Gauge* found = nullptr;  // how many messages the last turn found; null: nobody asks
};

template <class Message>
class Inbox : public std::enable_shared_from_this<Inbox<Message>> {
 public:
  // Takes out of the message whatever it holds on to.
  using Hear = std::move_only_function<void(Message&)>;
  // `executor` and the gauge live until close().
  Inbox(runtime::Executor& executor, Hear hear, InboxOptions options = {})
      : executor_(executor), hear_(std::move(hear)), options_(std::move(options)) {}

  // Any thread. Once closed nothing is taken.
  template <class... Parts>
  void push(Parts&&... parts) {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    waiting_.emplace_back(std::forward<Parts>(parts)...);
    post();
  }

  // Any thread. After held() has become false.
  void resume() {
    const std::lock_guard lock(mutex_);
    if (!closed_) post();
  }

  // Any thread. Drops what waits; what is heard at this moment is heard to its end.
  void close() {
    std::vector<Message> dropped;  // after the lock is gone: its parts may push
    const std::lock_guard lock(mutex_);
    closed_ = true;
    dropped.swap(waiting_);
  }

 private:
  static constexpr std::size_t kPerTurn = 64;
  static constexpr std::size_t kPerRush = 512;
  static constexpr std::size_t kKeptMax = 1024;  // room for so many stays after a rush

  bool is_held() { return options_.held && options_.held(); }

  // Under mutex_.
  void post() {
    if (std::exchange(posted_, true)) return;
    executor_.post([self = this->shared_from_this()] { self->run(); });
  }

  void run() {
    if (!take()) return;
    const std::size_t turn = taken_.size() - heard_ > options_.rush_at ? kPerRush : kPerTurn;
    for (std::size_t i = 0; i < turn && heard_ < taken_.size() && !is_held(); ++i) {
      hear_(taken_[heard_++]);
    }
    if (go_on() && !is_held()) resume();
  }

  // Whether something is left. The next turn is on its way then, unless it is held: whoever ends
  // that may have found a turn on its way until now.
  bool go_on() {
    const std::lock_guard lock(mutex_);
    posted_ = false;
    if (closed_) return false;
    if (heard_ == taken_.size() && waiting_.empty()) {
      show(0);
      return false;
    }
    if (!is_held()) post();
    return true;
  }

  // Once all is heard that was taken, what waits. False: nothing is to be heard any more.
  bool take() {
    const bool all_heard = heard_ == taken_.size();
    if (all_heard) {
      taken_.clear();
      heard_ = 0;
      if (taken_.capacity() > kKeptMax) std::vector<Message>().swap(taken_);
    }
    const std::lock_guard lock(mutex_);
    if (closed_) return false;
    if (all_heard) {
      taken_.swap(waiting_);
      show(taken_.size());
    }
    return true;
  }

  // Under mutex_ and not after close(): the gauge may be gone.
  void show(std::size_t waiting) {
    if (options_.found != nullptr) options_.found->set(static_cast<double>(waiting));
  }

  runtime::Executor& executor_;
  Hear hear_;
  InboxOptions options_;
  std::mutex mutex_;
  std::vector<Message> waiting_;  // guarded by mutex_
  bool posted_ = false;           // guarded by mutex_: a turn is on its way
  bool closed_ = false;           // guarded by mutex_
  // executor only
  std::vector<Message> taken_;
  std::size_t heard_ = 0;  // of them
};

}  // namespace keelway::http
