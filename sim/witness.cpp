#include "sim/witness.h"

namespace keelway::sim {
namespace {

// How much history a compaction leaves.
constexpr store::Revision revisions_kept = 3;

class WitnessKeyspace final : public store::Keyspace {
 public:
  WitnessKeyspace(std::unique_ptr<store::Keyspace> inner, StoreOracle& oracle)
      : inner_(std::move(inner)), oracle_(oracle) {}

  void transact(store::Transaction transaction, Committed done) override {
    auto copy = transaction;
    inner_->transact(std::move(transaction),
                     [this, copy = std::move(copy), done = std::move(done)](
                         base::Result<store::TransactionResult> result) mutable {
                       if (result && result->committed) {
                         oracle_.acknowledged(copy, result->revision);
                       }
                       done(std::move(result));
                     });
  }
  void range(store::RangeRequest request, Ranged done) override {
    inner_->range(std::move(request), std::move(done));
  }
  std::unique_ptr<store::Watch> watch(store::WatchRequest request) override {
    return inner_->watch(std::move(request));
  }
  void head(std::move_only_function<void(base::Result<store::Revision>)> done) override {
    inner_->head(std::move(done));
  }
  void compact(store::Revision revision,
               std::move_only_function<void(base::Result<void>)> done) override {
    inner_->compact(revision, std::move(done));
  }

 private:
  std::unique_ptr<store::Keyspace> inner_;
  StoreOracle& oracle_;
};

// Follows one keyspace through one life of the process.
class Follower {
 public:
  Follower(store::Engine& engine, const std::string& name, runtime::Executor& executor,
           StoreOracle& oracle)
      : executor_(executor), oracle_(oracle), keyspace_(engine.open(name, executor)) {
    begin();
  }

  void begin() {
    const store::Revision promised = oracle_.promised();
    keyspace_->head([this, promised](base::Result<store::Revision> head) {
      if (!head) return again([this] { begin(); });
      oracle_.begins(*head, promised);
      follow();
    });
  }

  void compact() {
    keyspace_->head([this](base::Result<store::Revision> head) {
      if (!head || *head <= revisions_kept) return;
      keyspace_->compact(*head - revisions_kept,
                         [this](base::Result<void>) { executor_.reached("sim.compacted"); });
    });
  }

 private:
  // A shared store does not always answer; one that is dead for good takes this process along.
  void again(runtime::Task task) { executor_.after(std::chrono::seconds(1), std::move(task)); }
  void follow() {
    store::WatchRequest request;
    request.after = oracle_.seen();
    request.on_events = [this](const store::EventBatch& batch) {
      oracle_.fed(batch, executor_.now());
    };
    request.on_end = [this](const base::Error& error) {
      if (error.code != base::ErrorCode::expired) return;
      executor_.reached("sim.witness_expired");
      executor_.post([this] { read_all(); });
    };
    watch_ = keyspace_->watch(std::move(request));
  }
  void read_all() {
    keyspace_->range({}, [this](base::Result<store::RangeResult> all) {
      if (!all) return again([this] { read_all(); });
      oracle_.rebased(*all);
      follow();
    });
  }

  runtime::Executor& executor_;
  StoreOracle& oracle_;
  std::unique_ptr<store::Keyspace> keyspace_;
  std::unique_ptr<store::Watch> watch_;
};

class WitnessEngine final : public Witness {
 public:
  WitnessEngine(std::unique_ptr<store::Engine> inner, runtime::Runtime& runtime,
                StoreOracles& oracles)
      : oracles_(oracles), inner_(std::move(inner)), executor_(runtime.make_executor("witness")) {}
  ~WitnessEngine() override { followers_.clear(); }

  std::unique_ptr<store::Keyspace> open(const std::string& keyspace,
                                        runtime::Executor& executor) override {
    StoreOracle& oracle = oracles_.try_emplace(keyspace, keyspace).first->second;
    executor_->post([this, keyspace, &oracle] {
      auto& follower = followers_[keyspace];
      if (!follower) {
        follower = std::make_unique<Follower>(*inner_, keyspace, *executor_, oracle);
      }
    });
    return std::make_unique<WitnessKeyspace>(inner_->open(keyspace, executor), oracle);
  }
  void drop(const std::string& keyspace, runtime::Executor& executor,
            std::move_only_function<void(base::Result<void>)> done) override {
    inner_->drop(keyspace, executor, std::move(done));
  }
  void compact() override {
    executor_->post([this] {
      for (const auto& [name, follower] : followers_) follower->compact();
    });
  }

 private:
  StoreOracles& oracles_;
  std::unique_ptr<store::Engine> inner_;
  std::unique_ptr<runtime::Executor> executor_;
  std::map<std::string, std::unique_ptr<Follower>> followers_;
};

}  // namespace

std::unique_ptr<Witness> make_witness(std::unique_ptr<store::Engine> inner,
                                      runtime::Runtime& runtime, StoreOracles& oracles) {
  return std::make_unique<WitnessEngine>(std::move(inner), runtime, oracles);
}

}  // namespace keelway::sim
