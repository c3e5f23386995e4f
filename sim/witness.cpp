#include "sim/witness.h"

namespace keelway::sim {
namespace {

// How much history a compaction leaves.
constexpr store::Revision revisions_kept = 3;

class WitnessKeyspace final : public store::Keyspace {
 public:
  WitnessKeyspace(std::unique_ptr<store::Keyspace> inner, StoreOracle& oracle,
                  std::function<void(store::Revision)> committed)
      : inner_(std::move(inner)), oracle_(oracle), committed_(std::move(committed)) {}

  void transact(store::Transaction transaction, Committed done) override {
    auto copy = transaction;
    inner_->transact(std::move(transaction),
                     [this, copy = std::move(copy), done = std::move(done)](
                         base::Result<store::TransactionResult> result) mutable {
                       if (result && result->committed) {
                         oracle_.acknowledged(copy, result->revision);
                         const bool writes = !copy.puts.empty() || !copy.deletes.empty();
                         if (committed_ && writes) committed_(result->revision);
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
  const std::function<void(store::Revision)> committed_;
};

// Follows one keyspace through one life of the process.
class Follower {
 public:
  Follower(store::Engine& engine, const std::string& name, runtime::Executor& executor,
           StoreOracle& oracle, FenceOracle* fences)
      : name_(name),
        executor_(executor),
        oracle_(oracle),
        fences_(fences),
        keyspace_(engine.open(name, executor)) {
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
      if (fences_ != nullptr) fences_->fed(name_, batch);
    };
    request.on_end = [this](const base::Error& error) {
      if (error.code != base::ErrorCode::expired) return again([this] { follow(); });
      executor_.reached("sim.witness_expired");
      executor_.post([this] { read_all(); });
    };
    watch_ = keyspace_->watch(std::move(request));
  }
  void read_all() {
    keyspace_->range({}, [this](base::Result<store::RangeResult> all) {
      if (!all) return again([this] { read_all(); });
      oracle_.rebased(*all);
      if (fences_ != nullptr) fences_->rebased(name_, *all);
      follow();
    });
  }

  const std::string name_;
  runtime::Executor& executor_;
  StoreOracle& oracle_;
  FenceOracle* const fences_;  // null: one server
  std::unique_ptr<store::Keyspace> keyspace_;
  std::unique_ptr<store::Watch> watch_;
};

class WitnessEngine final : public Witness {
 public:
  WitnessEngine(std::unique_ptr<store::Engine> inner, runtime::Runtime& runtime,
                StoreOracles& oracles, FenceOracle* fences)
      : oracles_(oracles),
        fences_(fences),
        inner_(std::move(inner)),
        executor_(runtime.make_executor("witness")) {}
  ~WitnessEngine() override { followers_.clear(); }

  std::unique_ptr<store::Keyspace> open(const std::string& keyspace,
                                        runtime::Executor& executor) override {
    return open_for("", keyspace, executor);
  }
  std::unique_ptr<store::Engine> way_of(const std::string& server) override;
  std::unique_ptr<store::Keyspace> open_for(const std::string& server, const std::string& keyspace,
                                            runtime::Executor& executor) {
    StoreOracle& oracle = oracles_.try_emplace(keyspace, keyspace).first->second;
    executor_->post([this, keyspace, &oracle] {
      auto& follower = followers_[keyspace];
      if (!follower) {
        follower = std::make_unique<Follower>(*inner_, keyspace, *executor_, oracle, fences_);
      }
    });
    std::function<void(store::Revision)> committed;
    if (fences_ != nullptr) {
      committed = [this, server, keyspace](store::Revision revision) {
        fences_->committed(keyspace, server, revision);
      };
    }
    return std::make_unique<WitnessKeyspace>(inner_->open(keyspace, executor), oracle,
                                             std::move(committed));
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
  FenceOracle* const fences_;
  std::unique_ptr<store::Engine> inner_;
  std::unique_ptr<runtime::Executor> executor_;
  std::map<std::string, std::unique_ptr<Follower>> followers_;
};

class ServersWay final : public store::Engine {
 public:
  ServersWay(WitnessEngine& witness, std::string server)
      : witness_(witness), server_(std::move(server)) {}
  std::unique_ptr<store::Keyspace> open(const std::string& keyspace,
                                        runtime::Executor& executor) override {
    return witness_.open_for(server_, keyspace, executor);
  }
  void drop(const std::string& keyspace, runtime::Executor& executor,
            std::move_only_function<void(base::Result<void>)> done) override {
    witness_.drop(keyspace, executor, std::move(done));
  }

 private:
  WitnessEngine& witness_;
  const std::string server_;
};

std::unique_ptr<store::Engine> WitnessEngine::way_of(const std::string& server) {
  return std::make_unique<ServersWay>(*this, server);
}

}  // namespace

std::unique_ptr<Witness> make_witness(std::unique_ptr<store::Engine> inner,
                                      runtime::Runtime& runtime, StoreOracles& oracles,
                                      FenceOracle* fences) {
  return std::make_unique<WitnessEngine>(std::move(inner), runtime, oracles, fences);
}

}  // namespace keelway::sim
