#include "store/sealed/sealed.h"

#include <utility>

namespace keelway::store {
namespace {

// What the handles of one sealed keyspace share.
class Opener {
 public:
  Opener(std::shared_ptr<const Seal> seal, std::string keyspace)
      : seal_(std::move(seal)), keyspace_(std::move(keyspace)) {}

  Bytes close(const std::string& key, const Bytes& plain) {
    return seal_->close(keyspace_, key, plain);
  }
  base::Result<void> open(Entry& entry) {
    if (!entry.value) return {};
    base::Result<Bytes> plain = seal_->open(keyspace_, entry.key, entry.value);
    if (!plain) return std::unexpected(plain.error());
    entry.value = std::move(*plain);
    return {};
  }
  base::Result<void> open(std::vector<Entry>& entries) {
    for (Entry& entry : entries) {
      if (auto opened = open(entry); !opened) return opened;
    }
    return {};
  }

 private:
  const std::shared_ptr<const Seal> seal_;
  const std::string keyspace_;
};
using OpenerPtr = std::shared_ptr<Opener>;

// A watch that may end before its inner watch does: by a value that does not open.
class SealedWatch final : public Watch {
 public:
  struct State {
    WatchRequest request;
    OpenerPtr opener;
    bool ended = false;
  };
  SealedWatch(std::shared_ptr<State> state, std::unique_ptr<Watch> inner)
      : state_(std::move(state)), inner_(std::move(inner)) {}
  ~SealedWatch() override { state_->ended = true; }

  static void deliver(State& state, const EventBatch& batch) {
    if (state.ended) return;
    EventBatch opened;
    opened.revision = batch.revision;
    opened.events = batch.events;
    for (Event& event : opened.events) {
      // The value before is a convenience: one that does not open is left out.
      if (event.previous && !state.opener->open(*event.previous)) event.previous.reset();
      if (auto result = state.opener->open(event.entry); !result) {
        return break_off(state, std::move(opened), std::move(result.error()), event.entry.modified);
      }
    }
    state.request.on_events(opened);
  }

 private:
  // Whole revisions before the broken value, then the end.
  static void break_off(State& state, EventBatch opened, base::Error error, Revision at) {
    std::erase_if(opened.events, [&](const Event& event) { return event.entry.modified >= at; });
    opened.revision = at - 1;
    if (!opened.events.empty()) state.request.on_events(opened);
    if (!std::exchange(state.ended, true) && state.request.on_end) {
      state.request.on_end(std::move(error));
    }
  }

  const std::shared_ptr<State> state_;
  const std::unique_ptr<Watch> inner_;
};

class SealedKeyspace final : public Keyspace {
 public:
  SealedKeyspace(std::unique_ptr<Keyspace> inner, OpenerPtr opener)
      : inner_(std::move(inner)), opener_(std::move(opener)) {}

  void transact(Transaction transaction, Committed done) override {
    for (Put& put : transaction.puts) {
      if (put.value) put.value = opener_->close(put.key, put.value);
    }
    inner_->transact(std::move(transaction), [opener = opener_, done = std::move(done)](
                                                 base::Result<TransactionResult> result) mutable {
      if (result) {
        if (auto opened = opener->open(result->conflicts); !opened) {
          return done(std::unexpected(opened.error()));
        }
      }
      done(std::move(result));
    });
  }

  void range(RangeRequest request, Ranged done) override {
    inner_->range(std::move(request), [opener = opener_, done = std::move(done)](
                                          base::Result<RangeResult> result) mutable {
      if (result) {
        if (auto opened = opener->open(result->entries); !opened) {
          return done(std::unexpected(opened.error()));
        }
      }
      done(std::move(result));
    });
  }

  std::unique_ptr<Watch> watch(WatchRequest request) override {
    auto state = std::make_shared<SealedWatch::State>();
    state->request = std::move(request);
    state->opener = opener_;
    WatchRequest inner;
    inner.prefix = state->request.prefix;
    inner.after = state->request.after;
    inner.previous = state->request.previous;
    inner.on_events = [state](const EventBatch& batch) { SealedWatch::deliver(*state, batch); };
    inner.on_end = [state](base::Error error) {
      if (!std::exchange(state->ended, true) && state->request.on_end) {
        state->request.on_end(std::move(error));
      }
    };
    return std::make_unique<SealedWatch>(state, inner_->watch(std::move(inner)));
  }

  void head(std::move_only_function<void(base::Result<Revision>)> done) override {
    inner_->head(std::move(done));
  }
  void compact(Revision revision, std::move_only_function<void(base::Result<void>)> done) override {
    inner_->compact(revision, std::move(done));
  }

 private:
  const std::unique_ptr<Keyspace> inner_;
  const OpenerPtr opener_;
};

class SealedEngine final : public Engine {
 public:
  SealedEngine(std::unique_ptr<Engine> inner, std::shared_ptr<const Seal> seal)
      : inner_(std::move(inner)), seal_(std::move(seal)) {}

  std::unique_ptr<Keyspace> open(const std::string& keyspace,
                                 runtime::Executor& executor) override {
    return std::make_unique<SealedKeyspace>(inner_->open(keyspace, executor),
                                            std::make_shared<Opener>(seal_, keyspace));
  }
  void drop(const std::string& keyspace, runtime::Executor& executor,
            std::move_only_function<void(base::Result<void>)> done) override {
    inner_->drop(keyspace, executor, std::move(done));
  }

 private:
  const std::unique_ptr<Engine> inner_;
  const std::shared_ptr<const Seal> seal_;
};

struct Checking {
  Keyspace& inner;
  const std::string keyspace;
  const std::shared_ptr<const Seal> seal;
  std::move_only_function<void(base::Result<SealCheck>)> done;
  SealCheck result;
};

void check_page(std::shared_ptr<Checking> checking, std::string start_after, Revision revision) {
  RangeRequest request;
  request.start_after = std::move(start_after);
  request.limit = 1'000;
  request.revision = revision;
  Keyspace& inner = checking->inner;
  inner.range(std::move(request), [checking](base::Result<RangeResult> page) mutable {
    if (!page) return checking->done(std::unexpected(page.error()));
    for (const Entry& entry : page->entries) {
      const auto opened = checking->seal->open(checking->keyspace, entry.key, entry.value);
      if (opened)
        ++checking->result.opened;
      else
        checking->result.broken.push_back(opened.error().message);
    }
    if (!page->more) return checking->done(std::move(checking->result));
    check_page(checking, page->entries.back().key, page->revision);
  });
}

}  // namespace

base::Result<std::unique_ptr<Engine>> make_sealed(std::unique_ptr<Engine> inner,
                                                  runtime::Runtime& runtime, KeyRing ring) {
  auto seal = Seal::make(runtime, std::move(ring));
  if (!seal) return std::unexpected(seal.error());
  return std::make_unique<SealedEngine>(std::move(inner), std::move(*seal));
}

void check_sealed(Keyspace& inner, const std::string& keyspace, std::shared_ptr<const Seal> seal,
                  std::move_only_function<void(base::Result<SealCheck>)> done) {
  check_page(std::make_shared<Checking>(inner, keyspace, std::move(seal), std::move(done)), "", 0);
}

}  // namespace keelway::store
