#include "runtime/linux/core_thread.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace keelway::runtime {
namespace {

// Of one executor, whichever comes first; then the thread's others and its sockets have their turn.
constexpr int kTasksPerSlice = 64;
constexpr base::Duration kSliceTime = std::chrono::milliseconds(4);
constexpr base::Duration kForever = base::Duration::max();

std::int64_t read_clock(clockid_t clock) {
  timespec at{};
  clock_gettime(clock, &at);
  return static_cast<std::int64_t>(at.tv_sec) * 1'000'000'000 + at.tv_nsec;
}

}  // namespace

base::Instant read_monotonic_clock() {
  return {read_clock(CLOCK_MONOTONIC)};
}
base::WallTime read_wall_clock() {
  return {read_clock(CLOCK_REALTIME) / 1000};
}

ExecutorCore::ExecutorCore(CoreThread& thread, std::string name, std::uint64_t seed)
    : thread_(thread),
      name_(std::move(name)),
      now_(read_monotonic_clock()),
      wall_now_(read_wall_clock()),
      random_(seed) {}

void ExecutorCore::post(Task task) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;  // the parameter drops the task after the lock is gone
    tasks_.push_back(std::move(task));
    if (scheduled_) return;
    scheduled_ = true;
  }
  thread_.enqueue(shared_from_this());
}

TimerId ExecutorCore::after(base::Duration delay, Task task) {
  if (delay < base::Duration::zero()) delay = base::Duration::zero();
  const base::Instant at = now_ + delay;
  TimerId id = 0;
  bool earliest = false;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return 0;
    id = ++last_timer_;
    earliest = timers_.empty() || at < timers_.begin()->first.first;
    timers_.emplace(std::pair(at, id), std::move(task));
    deadlines_.emplace(id, at);
  }
  if (earliest) thread_.set_wake(shared_from_this(), at);
  return id;
}

void ExecutorCore::cancel(TimerId timer) {
  Task dropped;  // destroyed after the lock is gone: its captures may call back into us
  const std::lock_guard lock(mutex_);
  const auto found = deadlines_.find(timer);
  if (found == deadlines_.end()) return;
  const auto entry = timers_.find({found->second, timer});
  dropped = std::move(entry->second);
  timers_.erase(entry);
  deadlines_.erase(found);
}

void ExecutorCore::close() {
  std::deque<Task> tasks;
  std::map<std::pair<base::Instant, TimerId>, Task> timers;
  {
    std::unique_lock lock(mutex_);
    closed_ = true;
    tasks.swap(tasks_);
    timers.swap(timers_);
    deadlines_.clear();
    if (!thread_.is_current()) idle_.wait(lock, [this] { return !running_; });
  }
  thread_.forget(this);
}

bool ExecutorCore::take_next(bool timers_first, Task& task) {
  const bool timer_due = !timers_.empty() && timers_.begin()->first.first <= now_;
  if (timer_due && (timers_first || tasks_.empty())) {
    auto node = timers_.extract(timers_.begin());
    deadlines_.erase(node.key().second);
    task = std::move(node.mapped());
    return true;
  }
  if (tasks_.empty()) return false;
  task = std::move(tasks_.front());
  tasks_.pop_front();
  return true;
}

bool ExecutorCore::run_slice() {
  std::unique_lock lock(mutex_);
  const base::Instant begun = read_monotonic_clock();
  for (int i = 0; i < kTasksPerSlice; ++i) {
    if (closed_) return false;
    now_ = read_monotonic_clock();
    if (now_ - begun > kSliceTime) return true;
    wall_now_ = read_wall_clock();
    Task task;
    if (!take_next(i % 2 == 0, task)) {
      scheduled_ = false;
      if (!timers_.empty()) {
        const base::Instant at = timers_.begin()->first.first;
        lock.unlock();
        thread_.set_wake(shared_from_this(), at);
      }
      return false;
    }
    running_ = true;
    lock.unlock();
    task();
    task = nullptr;  // its captures go while the executor still counts as running
    lock.lock();
    running_ = false;
    if (closed_) idle_.notify_all();
  }
  return !closed_;
}

CoreThread::CoreThread()
    : scratch_(new char[scratch_bytes]),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      event_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  KEELWAY_INVARIANT(epoll_ >= 0 && event_ >= 0, "the kernel gives an epoll and an eventfd");
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = 0;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, event_, &event);
  thread_ = std::thread([this] { loop(); });
}

CoreThread::~CoreThread() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake();
  thread_.join();
  ::close(event_);
  ::close(epoll_);
}

void CoreThread::wake() {
  const std::uint64_t one = 1;
  // A full counter means that the thread is woken already.
  [[maybe_unused]] const auto written = ::write(event_, &one, sizeof one);
}

std::uint64_t CoreThread::watch(int fd, std::weak_ptr<Watcher> watcher) {
  std::uint64_t token = 0;
  {
    const std::lock_guard lock(mutex_);
    token = ++last_token_;
    watchers_.emplace(token, std::move(watcher));
  }
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.u64 = token;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) == 0) return token;
  const std::lock_guard lock(mutex_);
  watchers_.erase(token);
  return 0;
}

void CoreThread::unwatch(int fd, std::uint64_t token) {
  epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
  const std::lock_guard lock(mutex_);
  watchers_.erase(token);
}

void CoreThread::enqueue(std::shared_ptr<ExecutorCore> core) {
  bool must_wake = false;
  {
    const std::lock_guard lock(mutex_);
    ready_.push_back(std::move(core));
    must_wake = sleeping_;
    sleeping_ = false;  // one wake is enough
  }
  if (must_wake) wake();
}

void CoreThread::set_wake(const std::shared_ptr<ExecutorCore>& core, base::Instant at) {
  const std::lock_guard lock(mutex_);
  auto [entry, added] = wakes_.try_emplace(core.get(), at, core);
  if (!added) {
    if (entry->second.first <= at) return;
    wake_order_.erase({entry->second.first, core.get()});
    entry->second.first = at;
  }
  wake_order_.emplace(at, core.get());
}

void CoreThread::forget(ExecutorCore* core) {
  std::shared_ptr<ExecutorCore> dropped;  // released after the lock
  const std::lock_guard lock(mutex_);
  for (auto& entry : ready_) {
    if (entry.get() == core) {
      dropped = std::move(entry);
      std::erase(ready_, nullptr);
      break;
    }
  }
  const auto found = wakes_.find(core);
  if (found == wakes_.end()) return;
  wake_order_.erase({found->second.first, core});
  wakes_.erase(found);
}

// Executors with due timers become ready; the answer is how long the thread may sleep.
base::Duration CoreThread::collect_due() {
  const base::Instant now = read_monotonic_clock();
  while (true) {
    std::shared_ptr<ExecutorCore> due;
    {
      const std::lock_guard lock(mutex_);
      if (wake_order_.empty() || wake_order_.begin()->first > now) {
        if (!ready_.empty() || stopping_) return base::Duration::zero();
        sleeping_ = true;
        return wake_order_.empty() ? kForever : wake_order_.begin()->first - now;
      }
      const auto found = wakes_.find(wake_order_.begin()->second);
      due = found->second.second.lock();
      wakes_.erase(found);
      wake_order_.erase(wake_order_.begin());
    }
    if (!due) continue;
    bool schedule = false;
    {
      const std::lock_guard lock(due->mutex_);
      schedule = !due->closed_ && !due->scheduled_;
      if (schedule) due->scheduled_ = true;
    }
    if (schedule) enqueue(std::move(due));
  }
}

void CoreThread::poll(base::Duration timeout) {
  std::array<epoll_event, 128> events;
  timespec wait{};
  const bool forever = timeout == kForever;
  if (!forever) {
    wait.tv_sec = timeout.count() / 1'000'000'000;
    wait.tv_nsec = timeout.count() % 1'000'000'000;
  }
  int count =
      epoll_pwait2(epoll_, events.data(), events.size(), forever ? nullptr : &wait, nullptr);
  if (count < 0 && (errno == ENOSYS || errno == EPERM)) {
    // A sandbox without the precise call: milliseconds, rounded up.
    const auto ms = forever ? -1
                            : static_cast<int>(std::min<std::int64_t>(
                                  (timeout.count() + 999'999) / 1'000'000, 3'600'000));
    count = epoll_wait(epoll_, events.data(), events.size(), ms);
  }
  {
    const std::lock_guard lock(mutex_);
    sleeping_ = false;
  }
  for (int i = 0; i < count; ++i) {
    const std::uint64_t token = events[i].data.u64;  // a copy: the struct is packed
    if (token == 0) {
      std::uint64_t ignored = 0;
      [[maybe_unused]] const auto got = ::read(event_, &ignored, sizeof ignored);
      continue;
    }
    std::shared_ptr<Watcher> watcher;
    {
      const std::lock_guard lock(mutex_);
      const auto found = watchers_.find(token);
      if (found != watchers_.end()) watcher = found->second.lock();
    }
    if (watcher) watcher->on_ready(events[i].events);
  }
}

void CoreThread::loop() {
  while (true) {
    std::deque<std::shared_ptr<ExecutorCore>> ready;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
      ready.swap(ready_);
    }
    for (auto& core : ready) {
      if (core->run_slice()) enqueue(std::move(core));
    }
    ready.clear();
    poll(collect_due());
  }
}

}  // namespace keelway::runtime
