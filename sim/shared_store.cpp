#include "sim/shared_store.h"

namespace keelway::sim {
namespace {

// How long a call waits before it is said to have failed.
constexpr auto call_timeout = std::chrono::seconds(2);

class ReachedKeyspace final : public store::Keyspace {
 public:
  ReachedKeyspace(std::unique_ptr<store::Keyspace> inner, runtime::Executor& executor,
                  const Weather& weather)
      : inner_(std::move(inner)), executor_(executor), weather_(weather) {}
  ~ReachedKeyspace() override { *alive_ = false; }

  void transact(store::Transaction transaction, Committed done) override {
    if (weather_.store_leaderless > 0) {
      executor_.reached("sim.store_leaderless");
      return fail(std::move(done));
    }
    if (!is_lost()) return inner_->transact(std::move(transaction), std::move(done));
    executor_.reached("sim.store_answer_lost");
    inner_->transact(std::move(transaction), [](base::Result<store::TransactionResult>) {});
    fail(std::move(done));
  }
  void range(store::RangeRequest request, Ranged done) override {
    if (weather_.store_leaderless > 0 || is_lost()) return fail(std::move(done));
    inner_->range(std::move(request), std::move(done));
  }
  std::unique_ptr<store::Watch> watch(store::WatchRequest request) override {
    return inner_->watch(std::move(request));
  }
  void head(std::move_only_function<void(base::Result<store::Revision>)> done) override {
    if (weather_.store_leaderless > 0 || is_lost()) return fail(std::move(done));
    inner_->head(std::move(done));
  }
  void compact(store::Revision revision,
               std::move_only_function<void(base::Result<void>)> done) override {
    inner_->compact(revision, std::move(done));
  }

 private:
  bool is_lost() {
    return weather_.store_lost > 0 &&
           executor_.random().below(1000) < static_cast<std::uint64_t>(weather_.store_lost);
  }
  template <class Done>
  void fail(Done done) {
    executor_.after(call_timeout, [done = std::move(done), alive = alive_]() mutable {
      if (*alive) {
        done(base::fail(base::ErrorCode::unavailable, "the shared store did not answer"));
      }
    });
  }

  std::unique_ptr<store::Keyspace> inner_;
  runtime::Executor& executor_;
  const Weather& weather_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

class ReachedEngine final : public store::Engine {
 public:
  ReachedEngine(store::Engine& shared, const Weather& weather)
      : shared_(shared), weather_(weather) {}

  std::unique_ptr<store::Keyspace> open(const std::string& keyspace,
                                        runtime::Executor& executor) override {
    return std::make_unique<ReachedKeyspace>(shared_.open(keyspace, executor), executor, weather_);
  }
  void drop(const std::string& keyspace, runtime::Executor& executor,
            std::move_only_function<void(base::Result<void>)> done) override {
    shared_.drop(keyspace, executor, std::move(done));
  }

 private:
  store::Engine& shared_;
  const Weather& weather_;
};

}  // namespace

std::unique_ptr<store::Engine> reach_shared_store(store::Engine& shared, runtime::Runtime&,
                                                  const Weather& weather) {
  return std::make_unique<ReachedEngine>(shared, weather);
}

}  // namespace keelway::sim
