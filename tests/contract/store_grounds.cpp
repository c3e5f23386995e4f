#include <condition_variable>
#include <mutex>

#include "contract/store_contract.h"
#include "runtime/linux/linux_runtime.h"
#include "runtime/virtual/world.h"

namespace keelway::contract {
namespace {

class VirtualGround final : public Ground {
 public:
  explicit VirtualGround(std::uint64_t seed)
      : world_(runtime::make_world(seed)),
        host_(world_->make_host("server")),
        executor_(host_->runtime().make_executor("test")) {}
  runtime::Runtime& runtime() override { return host_->runtime(); }
  runtime::Executor& executor() override { return *executor_; }
  bool wait(const std::function<bool()>& done) override { return world_->run_while_waiting(done); }
  void pass(base::Duration time) override { world_->run_for(time); }

 private:
  std::unique_ptr<runtime::World> world_;
  std::unique_ptr<runtime::Host> host_;
  std::unique_ptr<runtime::Executor> executor_;
};

class LinuxGround final : public Ground {
 public:
  LinuxGround()
      : runtime_(runtime::make_linux_runtime()), executor_(runtime_->make_executor("test")) {}
  runtime::Runtime& runtime() override { return *runtime_; }
  runtime::Executor& executor() override { return *executor_; }

  bool wait(const std::function<bool()>& done) override {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (std::chrono::steady_clock::now() < limit) {
      bool yes = false;
      runtime::run_and_wait(*executor_, [&] { yes = done(); });
      if (yes) return true;
      pass(std::chrono::milliseconds(1));
    }
    return false;
  }

  void pass(base::Duration time) override {
    std::mutex mutex;
    std::condition_variable passed;
    bool over = false;
    executor_->post([&] {
      executor_->after(time, [&] {
        const std::lock_guard lock(mutex);
        over = true;
        passed.notify_all();
      });
    });
    std::unique_lock lock(mutex);
    passed.wait(lock, [&] { return over; });
  }

 private:
  std::unique_ptr<runtime::LinuxRuntime> runtime_;
  std::unique_ptr<runtime::Executor> executor_;
};

}  // namespace

std::unique_ptr<Ground> make_virtual_ground(std::uint64_t seed) {
  return std::make_unique<VirtualGround>(seed);
}
std::unique_ptr<Ground> make_linux_ground() {
  return std::make_unique<LinuxGround>();
}

}  // namespace keelway::contract
