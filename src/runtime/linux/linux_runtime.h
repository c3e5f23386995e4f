// The Runtime of production: epoll core threads, worker threads, sockets, OpenSSL, files.
//
//   auto runtime = runtime::make_linux_runtime({.take_signals = true});
//   auto executor = runtime->make_executor("server");
//   executor->post([&] { ... build what lives on it, http::serve(...) ... });
//   runtime->wait_for_signal();
//   runtime::run_and_wait(*executor, [&] { ... destroy what lives on it ... });
//   executor.reset();
//
// What lives on an executor holds a reference to it: it is destroyed on the executor, before it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "runtime/files.h"
#include "runtime/network.h"
#include "runtime/runtime.h"

namespace keelway::runtime {

struct LinuxOptions {
  int core_threads = 2;  // of each lane; executors are pinned to them in turn
  int worker_threads = 2;
  // Seeds every executor's random(); from the OS where absent. Keys never come from it.
  std::optional<std::uint64_t> seed = {};
  // Blocks SIGTERM and SIGINT in the calling thread and in all threads that start later, so that
  // wait_for_signal() hears them. Only main sets it, before it starts any other thread.
  bool take_signals = false;
};

class LinuxRuntime : public Runtime {
 public:
  // Blocks the calling thread until SIGTERM or SIGINT arrives (its number) or request_stop() was
  // called (0). Needs take_signals. May be called again, to hear a second, impatient signal.
  virtual int wait_for_signal() = 0;
  virtual void request_stop() = 0;  // any thread
};

// Outlives everything that was made with it. Makes the process ignore SIGPIPE.
std::unique_ptr<LinuxRuntime> make_linux_runtime(LinuxOptions options = {});

// Posts `task` and blocks until it has run. Never from a task of the same core thread.
void run_and_wait(Executor& executor, Task task);

}  // namespace keelway::runtime
