#include "sim/shared_store.h"

namespace keelway::sim {
namespace {

// How long a call waits before it is said to have failed.
constexpr auto call_timeout = std::chrono::seconds(2);
// How often something that waits looks whether that is over.
constexpr auto silence_poll = std::chrono::milliseconds(50);

class Way {
 public:
  Way(std::string server, const Weather& weather) : server_(std::move(server)), weather_(weather) {}
  const Weather& weather() const { return weather_; }
  bool is_silent() const { return weather_.store_leaderless > 0 || is_cut(); }
  bool is_cut() const {
    const auto cut = weather_.cut_off.find(server_);
    return cut != weather_.cut_off.end() && cut->second > 0;
  }

 private:
  const std::string server_;
  const Weather& weather_;
};

// Breaks where the way is cut or nobody leads, and goes on from what it told when that is over;
// unless the store has forgotten by then what comes next.
class ReachedWatch final : public store::Watch {
 public:
  ReachedWatch(std::shared_ptr<store::Keyspace> keyspace, runtime::Executor& executor,
               const Way& way, store::WatchRequest request)
      : keyspace_(std::move(keyspace)),
        executor_(executor),
        way_(way),
        request_(std::make_shared<store::WatchRequest>(std::move(request))) {
    open();
  }
  ~ReachedWatch() override {
    inner_.reset();
    if (timer_ != 0) executor_.cancel(timer_);
  }

 private:
  void open() {
    store::WatchRequest request;
    request.prefix = request_->prefix;
    request.after = request_->after;
    request.previous = request_->previous;
    // What it calls may end this watch.
    request.on_events = [this, own = request_](const store::EventBatch& batch) {
      if (way_.is_silent()) return again_later();
      if (timer_ != 0) return;
      own->after = std::max(own->after, batch.revision);
      own->on_events(batch);
    };
    request.on_end = [this, own = request_](const base::Error& error) {
      if (way_.is_silent()) return again_later();
      if (timer_ == 0) own->on_end(error);
    };
    inner_ = keyspace_->watch(std::move(request));
  }
  void again_later() {
    if (timer_ != 0) return;
    timer_ = executor_.after(silence_poll, [this] {
      timer_ = 0;
      if (way_.is_silent()) return again_later();
      executor_.reached("sim.store_watch_resumed");
      open();
    });
  }

  const std::shared_ptr<store::Keyspace> keyspace_;
  runtime::Executor& executor_;
  const Way& way_;
  const std::shared_ptr<store::WatchRequest> request_;  // `after`: told up to here
  std::unique_ptr<store::Watch> inner_;
  runtime::TimerId timer_ = 0;  // it is broken
};

class ReachedKeyspace final : public store::Keyspace {
 public:
  ReachedKeyspace(std::unique_ptr<store::Keyspace> inner, runtime::Executor& executor,
                  const Way& way)
      : inner_(std::move(inner)), executor_(executor), way_(way), weather_(way.weather()) {}
  ~ReachedKeyspace() override { *alive_ = false; }

  void transact(store::Transaction transaction, Committed done) override {
    if (way_.is_cut()) {
      executor_.reached("sim.store_cut");
      if (executor_.random().chance(0.5)) return fail(std::move(done));
      return send_later(std::move(transaction), std::move(done));
    }
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
    if (way_.is_silent() || is_lost()) return fail(std::move(done));
    inner_->range(std::move(request), std::move(done));
  }
  std::unique_ptr<store::Watch> watch(store::WatchRequest request) override {
    return std::make_unique<ReachedWatch>(inner_, executor_, way_, std::move(request));
  }
  void head(std::move_only_function<void(base::Result<store::Revision>)> done) override {
    if (way_.is_silent() || is_lost()) return fail(std::move(done));
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
  // Under way all the time: takes effect, or is refused, when the cut is over.
  void send_later(store::Transaction transaction, Committed done) {
    executor_.after(silence_poll, [this, transaction = std::move(transaction),
                                   done = std::move(done), alive = alive_]() mutable {
      if (!*alive) return;
      if (way_.is_cut()) return send_later(std::move(transaction), std::move(done));
      executor_.reached("sim.store_write_late");
      inner_->transact(std::move(transaction), std::move(done));
    });
  }
  template <class Done>
  void fail(Done done) {
    executor_.after(call_timeout, [done = std::move(done), alive = alive_]() mutable {
      if (*alive) {
        done(base::fail(base::ErrorCode::unavailable, "the shared store did not answer"));
      }
    });
  }

  const std::shared_ptr<store::Keyspace> inner_;  // its watches keep it, too
  runtime::Executor& executor_;
  const Way& way_;
  const Weather& weather_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

class ReachedEngine final : public store::Engine {
 public:
  ReachedEngine(store::Engine& shared, std::string server, const Weather& weather)
      : shared_(shared), way_(std::move(server), weather) {}

  std::unique_ptr<store::Keyspace> open(const std::string& keyspace,
                                        runtime::Executor& executor) override {
    return std::make_unique<ReachedKeyspace>(shared_.open(keyspace, executor), executor, way_);
  }
  void drop(const std::string& keyspace, runtime::Executor& executor,
            std::move_only_function<void(base::Result<void>)> done) override {
    shared_.drop(keyspace, executor, std::move(done));
  }

 private:
  store::Engine& shared_;
  const Way way_;
};

}  // namespace

std::unique_ptr<store::Engine> reach_shared_store(store::Engine& shared, std::string server,
                                                  const Weather& weather) {
  return std::make_unique<ReachedEngine>(shared, std::move(server), weather);
}

}  // namespace keelway::sim
