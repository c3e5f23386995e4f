// One way to write a test for both runtimes: everything runs on `executor`, the test thread asks.
#pragma once

#include <chrono>
#include <future>

#include "runtime/linux/linux_runtime.h"
#include "runtime/virtual/world.h"

namespace keelway::runtime::testing {

class Rig {
 public:
  virtual ~Rig() = default;
  virtual Runtime& runtime() = 0;
  virtual Executor& executor() = 0;
  // Runs `task` on the executor and waits for its end.
  virtual void run(std::function<void()> task) = 0;
  // Until `done()`, asked on the executor, is true; false where that takes too long.
  virtual bool wait(std::function<bool()> done) = 0;
};

class VirtualRig : public Rig {
 public:
  explicit VirtualRig(std::uint64_t seed = 1)
      : world_(make_world(seed)),
        host_(world_->make_host("host")),
        executor_(host_->runtime().make_executor("test")) {}
  Runtime& runtime() override { return host_->runtime(); }
  Executor& executor() override { return *executor_; }
  void run(std::function<void()> task) override {
    bool ran = false;
    executor_->post([&] {
      task();
      ran = true;
    });
    world_->run_while_waiting([&] { return ran; });
  }
  bool wait(std::function<bool()> done) override { return world_->run_while_waiting(done); }
  World& world() { return *world_; }

 private:
  std::unique_ptr<World> world_;
  std::unique_ptr<Host> host_;
  std::unique_ptr<Executor> executor_;
};

class LinuxRig : public Rig {
 public:
  LinuxRig() : runtime_(make_linux_runtime()), executor_(runtime_->make_executor("test")) {}
  Runtime& runtime() override { return *runtime_; }
  Executor& executor() override { return *executor_; }
  void run(std::function<void()> task) override {
    std::promise<void> ran;
    executor_->post([&] {
      task();
      ran.set_value();
    });
    ran.get_future().wait();
  }
  bool wait(std::function<bool()> done) override {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < limit) {
      bool yes = false;
      run([&] { yes = done(); });
      if (yes) return true;
      std::this_thread::yield();
    }
    return false;
  }

 private:
  std::unique_ptr<LinuxRuntime> runtime_;
  std::unique_ptr<Executor> executor_;
};

}  // namespace keelway::runtime::testing
