#include "store/sealed/sealed.h"

#include <unordered_map>
#include <utility>

namespace keelway::store {
namespace {

// What the handles of one sealed keyspace share.
class Opener {
 public:
  Opener(std::shared_ptr<const Seal> seal, std::string keyspace, const BrokenSeal& broken)
      : seal_(std::move(seal)), keyspace_(std::move(keyspace)), broken_(broken) {}

  Bytes close(const std::string& key, const Bytes& plain) {
    Bytes sealed = seal_->close(contexts_, keyspace_, key, plain);
    if (watches_ > 0) keep(sealed, plain);
    return sealed;
  }
  base::Result<void> open(Entry& entry) {
    if (!entry.value) return {};
    if (Bytes own = take(entry.value)) {
      entry.value = std::move(own);
      return {};
    }
    base::Result<Bytes> plain = seal_->open(contexts_, keyspace_, entry.key, entry.value);
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
  // A value that does not open becomes null.
  void open_or_tell(Entry& entry) {
    const auto opened = open(entry);
    if (opened) return;
    entry.value = nullptr;
    if (broken_) broken_(keyspace_, entry.key, opened.error());
  }

  // Whether own writes will come back as events.
  void add_watch() { ++watches_; }
  void remove_watch() { --watches_; }
  void drop(const Bytes& sealed) { take(sealed); }

 private:
  struct Kept {
    Bytes sealed, plain;  // the first so that its address stays taken
  };
  void keep(const Bytes& sealed, const Bytes& plain) {
    if (own_bytes_ > kOwnBytesMax) {
      own_.clear();
      own_bytes_ = 0;
    }
    own_.emplace(sealed.get(), Kept{sealed, plain});
    own_bytes_ += sealed->size() + plain->size();
  }
  Bytes take(const Bytes& sealed) {
    const auto found = own_.find(sealed.get());
    if (found == own_.end()) return nullptr;
    Bytes plain = std::move(found->second.plain);
    own_bytes_ -= sealed->size() + plain->size();
    own_.erase(found);
    return plain;
  }

  const std::shared_ptr<const Seal> seal_;
  const std::string keyspace_;
  const BrokenSeal broken_;
  SealContexts contexts_;
  // What this process sealed and expects to see again, unopened: by the very value that was handed
  // to the store. Never iterated. Above the bound all are forgotten, and opened as any other.
  static constexpr std::size_t kOwnBytesMax = 16u << 20;
  std::unordered_map<const std::string*, Kept> own_;
  std::size_t own_bytes_ = 0;
  int watches_ = 0;
};
using OpenerPtr = std::shared_ptr<Opener>;

// While it lives, own writes come back as events.
class SealedWatch final : public Watch {
 public:
  SealedWatch(OpenerPtr opener, std::unique_ptr<Watch> inner)
      : opener_(std::move(opener)), inner_(std::move(inner)) {
    opener_->add_watch();
  }
  ~SealedWatch() override { opener_->remove_watch(); }

 private:
  const OpenerPtr opener_;
  const std::unique_ptr<Watch> inner_;
};

class SealedKeyspace final : public Keyspace {
 public:
  SealedKeyspace(std::unique_ptr<Keyspace> inner, OpenerPtr opener)
      : inner_(std::move(inner)), opener_(std::move(opener)) {}

  void transact(Transaction transaction, Committed done) override {
    std::vector<Bytes> sealed;
    for (Put& put : transaction.puts) {
      if (put.value) sealed.push_back(put.value = opener_->close(put.key, put.value));
    }
    inner_->transact(std::move(transaction),
                     [opener = opener_, sealed = std::move(sealed),
                      done = std::move(done)](base::Result<TransactionResult> result) mutable {
                       // The event, if any watch waits for it, has mostly come before the answer.
                       for (const Bytes& value : sealed) opener->drop(value);
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
        for (Entry& entry : result->entries) opener->open_or_tell(entry);
      }
      done(std::move(result));
    });
  }

  std::unique_ptr<Watch> watch(WatchRequest request) override {
    auto deliver = [opener = opener_,
                    on_events = std::move(request.on_events)](const EventBatch& batch) mutable {
      EventBatch opened = batch;
      for (Event& event : opened.events) {
        // The value before is a convenience: one that does not open is left out.
        if (event.previous && !opener->open(*event.previous)) event.previous.reset();
        opener->open_or_tell(event.entry);
      }
      on_events(opened);
    };
    request.on_events = std::move(deliver);
    return std::make_unique<SealedWatch>(opener_, inner_->watch(std::move(request)));
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
  SealedEngine(std::unique_ptr<Engine> inner, std::shared_ptr<const Seal> seal, BrokenSeal broken)
      : inner_(std::move(inner)), seal_(std::move(seal)), broken_(std::move(broken)) {}

  std::unique_ptr<Keyspace> open(const std::string& keyspace,
                                 runtime::Executor& executor) override {
    return std::make_unique<SealedKeyspace>(inner_->open(keyspace, executor),
                                            std::make_shared<Opener>(seal_, keyspace, broken_));
  }
  void drop(const std::string& keyspace, runtime::Executor& executor,
            std::move_only_function<void(base::Result<void>)> done) override {
    inner_->drop(keyspace, executor, std::move(done));
  }

 private:
  const std::unique_ptr<Engine> inner_;
  const std::shared_ptr<const Seal> seal_;
  const BrokenSeal broken_;
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
                                                  runtime::Runtime& runtime, KeyRing ring,
                                                  BrokenSeal broken) {
  auto seal = Seal::make(runtime, std::move(ring));
  if (!seal) return std::unexpected(seal.error());
  return std::make_unique<SealedEngine>(std::move(inner), std::move(*seal), std::move(broken));
}

void check_sealed(Keyspace& inner, const std::string& keyspace, std::shared_ptr<const Seal> seal,
                  std::move_only_function<void(base::Result<SealCheck>)> done) {
  check_page(std::make_shared<Checking>(inner, keyspace, std::move(seal), std::move(done)), "", 0);
}

}  // namespace keelway::store
