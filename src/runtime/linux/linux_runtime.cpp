#include "runtime/linux/linux_runtime.h"

#include <openssl/rand.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <future>

#include "runtime/linux/core_thread.h"
#include "runtime/linux/executor.h"
#include "runtime/linux/linux_files.h"
#include "runtime/linux/network.h"
#include "runtime/linux/workers.h"

namespace keelway::runtime {
namespace {

std::string strong_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  const int ok =
      RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  KEELWAY_INVARIANT(ok == 1, "the OS gives randomness");
  return bytes;
}

std::uint64_t strong_seed() {
  std::uint64_t seed = 0;
  for (const unsigned char byte : strong_bytes(sizeof seed)) seed = seed << 8 | byte;
  return seed;
}

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

// The soft limit is low for the sake of programs that use select(); this one does not.
void allow_many_descriptors() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// Blocked before any thread starts, because threads inherit the mask.
class SignalQueue {
 public:
  explicit SignalQueue(bool enabled) : stop_(eventfd(0, EFD_CLOEXEC)) {
    std::signal(SIGPIPE, SIG_IGN);
    if (!enabled) return;
    const sigset_t set = stop_signals();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    signals_ = signalfd(-1, &set, SFD_CLOEXEC);
    KEELWAY_INVARIANT(signals_ >= 0, "the kernel gives a signalfd");
  }
  ~SignalQueue() {
    if (signals_ >= 0) ::close(signals_);
    ::close(stop_);
  }
  SignalQueue(const SignalQueue&) = delete;

  int wait() {
    KEELWAY_INVARIANT(signals_ >= 0, "wait_for_signal() needs LinuxOptions::take_signals");
    while (true) {
      pollfd waits[2] = {{signals_, POLLIN, 0}, {stop_, POLLIN, 0}};
      if (::poll(waits, 2, -1) < 0) continue;
      if (waits[1].revents != 0) {
        std::uint64_t ignored = 0;
        [[maybe_unused]] const auto got = ::read(stop_, &ignored, sizeof ignored);
        return 0;
      }
      signalfd_siginfo info{};
      if (::read(signals_, &info, sizeof info) == sizeof info) {
        return static_cast<int>(info.ssi_signo);
      }
    }
  }

  void stop() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(stop_, &one, sizeof one);
  }

 private:
  const int stop_;
  int signals_ = -1;
};

// Those of one lane.
class CoreThreads {
 public:
  explicit CoreThreads(int count) {
    for (int i = 0; i < std::max(1, count); ++i) threads_.push_back(std::make_unique<CoreThread>());
  }
  CoreThread& next() { return *threads_[next_++ % threads_.size()]; }

 private:
  std::size_t next_ = 0;
  std::vector<std::unique_ptr<CoreThread>> threads_;
};

class Production : public LinuxRuntime {
 public:
  explicit Production(const LinuxOptions& options)
      : signals_(options.take_signals),
        seeds_(options.seed ? *options.seed : strong_seed()),
        work_(options.core_threads),
        connections_(options.core_threads),
        workers_(std::max(1, options.worker_threads)),
        network_(workers_) {}

  std::unique_ptr<Executor> make_executor(std::string name, Lane lane) override {
    const std::lock_guard lock(mutex_);
    CoreThread& thread = (lane == Lane::work ? work_ : connections_).next();
    return std::make_unique<LinuxExecutor>(
        std::make_shared<ExecutorCore>(thread, std::move(name), seeds_.next()));
  }
  Workers& workers() override { return workers_; }
  Network& network() override { return network_; }
  Files& files() override { return files_; }
  std::string random_bytes(std::size_t count) override { return strong_bytes(count); }
  int wait_for_signal() override { return signals_.wait(); }
  void request_stop() override { signals_.stop(); }

 private:
  SignalQueue signals_;
  std::mutex mutex_;
  base::Random seeds_;              // guarded by mutex_
  CoreThreads work_, connections_;  // next() is guarded by mutex_
  LinuxWorkers workers_;            // ends before the threads that it posts to
  LinuxNetwork network_;
  LinuxFiles files_;
};

}  // namespace

void run_and_wait(Executor& executor, Task task) {
  KEELWAY_INVARIANT(!core_of(executor)->thread().is_current(), "a thread cannot wait for itself");
  auto ran = std::make_shared<std::promise<void>>();  // the setter may end after the waiter
  executor.post([&task, ran] {
    task();
    ran->set_value();
  });
  ran->get_future().wait();
}

std::unique_ptr<LinuxRuntime> make_linux_runtime(LinuxOptions options) {
  allow_many_descriptors();
  return std::make_unique<Production>(options);
}

}  // namespace keelway::runtime
