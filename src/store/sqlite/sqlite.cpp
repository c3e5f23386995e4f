#include "store/sqlite/sqlite.h"

#include "store/sqlite/core.h"

namespace keelway::store {
namespace {

class SqliteKeyspace final : public Keyspace {
 public:
  SqliteKeyspace(std::shared_ptr<Core> core, const std::string& name, runtime::Executor& executor)
      : core_(std::move(core)),
        space_(core_->open(name)),
        executor_(executor),
        mailbox_(std::make_shared<Mailbox>(executor)) {}
  ~SqliteKeyspace() override {
    mailbox_->close();
    core_->end_turn();
  }

  void transact(Transaction transaction, Committed done) override {
    core_->transact(space_, std::move(transaction), executor_.wall_now(), mailbox_,
                    std::move(done));
    if (std::exchange(in_turn_, true)) return;
    mailbox_->post([this] {
      in_turn_ = false;
      core_->end_turn();
    });
  }
  void range(RangeRequest request, Ranged done) override {
    core_->range(space_, std::move(request), mailbox_, std::move(done));
  }
  std::unique_ptr<Watch> watch(WatchRequest request) override {
    return space_->feed->watch(mailbox_, std::move(request));
  }
  void head(std::move_only_function<void(base::Result<Revision>)> done) override {
    mailbox_->post([core = core_, space = space_, done = std::move(done)]() mutable {
      done(core->head(space));
    });
  }
  void compact(Revision revision, std::move_only_function<void(base::Result<void>)> done) override {
    core_->compact(space_, revision, mailbox_, std::move(done));
  }

 private:
  const std::shared_ptr<Core> core_;
  const SpacePtr space_;
  runtime::Executor& executor_;
  const std::shared_ptr<Mailbox> mailbox_;
  bool in_turn_ = false;  // end_turn() is on its way
};

class SqliteEngine final : public Engine {
 public:
  SqliteEngine(runtime::Runtime& runtime, SqliteOptions options)
      : executor_(runtime.make_executor("store-sqlite")),
        core_(std::make_shared<Core>(runtime, *executor_, std::move(options))) {}
  ~SqliteEngine() override {
    core_->stop();
    executor_.reset();
  }
  base::Result<void> start() { return core_->start(); }

  std::unique_ptr<Keyspace> open(const std::string& keyspace,
                                 runtime::Executor& executor) override {
    return std::make_unique<SqliteKeyspace>(core_, keyspace, executor);
  }
  void drop(const std::string& keyspace, runtime::Executor& executor,
            std::move_only_function<void(base::Result<void>)> done) override {
    core_->drop(keyspace, std::make_shared<Mailbox>(executor), std::move(done));
  }

 private:
  std::unique_ptr<runtime::Executor> executor_;
  const std::shared_ptr<Core> core_;
};

}  // namespace

base::Result<std::unique_ptr<Engine>> open_sqlite(runtime::Runtime& runtime,
                                                  SqliteOptions options) {
  auto engine = std::make_unique<SqliteEngine>(runtime, std::move(options));
  if (auto started = engine->start(); !started) return std::unexpected(started.error());
  return engine;
}

}  // namespace keelway::store
