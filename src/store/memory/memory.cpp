#include "store/memory/memory.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "store/feed.h"
#include "store/mailbox.h"

namespace keelway::store {
namespace {

struct Version {
  Bytes value;  // null: deleted by `modified`
  Revision created = 0;
  Revision modified = 0;
};

base::Error dropped_error(const std::string& name) {
  return {base::ErrorCode::not_found, "keyspace " + name + " was dropped"};
}

// The whole state of one keyspace: every version of every key that is not compacted.
class Space {
 public:
  explicit Space(std::string name)
      : name_(std::move(name)), feed_(std::make_shared<Feed>(0, 0, Feed::History())) {}

  base::Result<TransactionResult> transact(const Transaction& transaction);
  base::Result<RangeResult> range(const RangeRequest& request) const;
  base::Result<Revision> head() const;
  base::Result<void> compact(Revision revision);
  void drop();
  Feed& feed() { return *feed_; }

 private:
  const Version* current(const std::string& key) const;
  const Version* at(const std::vector<Version>& versions, Revision revision) const;
  Event write(const std::string& key, Bytes value);
  void forget(Revision revision);

  const std::string name_;
  const std::shared_ptr<Feed> feed_;
  mutable std::mutex mutex_;
  // guarded by mutex_
  std::map<std::string, std::vector<Version>, std::less<>> keys_;  // versions oldest first
  Revision revision_ = 0;
  Revision compacted_ = 0;
  bool dropped_ = false;

 public:
  std::size_t history_revisions_max = 0;
};

const Version* Space::current(const std::string& key) const {
  const auto found = keys_.find(key);
  if (found == keys_.end() || !found->second.back().value) return nullptr;
  return &found->second.back();
}

const Version* Space::at(const std::vector<Version>& versions, Revision revision) const {
  for (auto version = versions.rbegin(); version != versions.rend(); ++version) {
    if (version->modified <= revision) return version->value ? &*version : nullptr;
  }
  return nullptr;
}

Event Space::write(const std::string& key, Bytes value) {
  Event event;
  std::vector<Version>& versions = keys_[key];
  Revision created = revision_;
  if (!versions.empty() && versions.back().value) {
    const Version& before = versions.back();
    event.previous = Entry{key, before.value, before.created, before.modified};
    created = before.created;
  }
  event.type = value ? Event::Type::put : Event::Type::deletion;
  event.entry = Entry{key, value, value ? created : 0, revision_};
  versions.push_back({std::move(value), created, revision_});
  return event;
}

base::Result<TransactionResult> Space::transact(const Transaction& transaction) {
  if (auto checked = check_transaction(transaction); !checked) {
    return std::unexpected(checked.error());
  }
  std::lock_guard lock(mutex_);
  if (dropped_) return std::unexpected(dropped_error(name_));
  TransactionResult result;
  bool holds = true;
  for (const Compare& compare : transaction.compares) {
    const Version* version = current(compare.key);
    if ((version != nullptr ? version->modified : 0) == compare.modified) continue;
    holds = false;
    if (version == nullptr) continue;
    result.conflicts.push_back({compare.key, version->value, version->created, version->modified});
  }
  if (!holds) {
    result.revision = revision_;
    return result;
  }
  std::vector<const Delete*> deletes;
  for (const Delete& deletion : transaction.deletes) {
    if (current(deletion.key) != nullptr) deletes.push_back(&deletion);
  }
  if (!transaction.puts.empty() || !deletes.empty()) {
    ++revision_;
    std::vector<Event> events;
    for (const Put& put : transaction.puts) events.push_back(write(put.key, put.value));
    for (const Delete* deletion : deletes) events.push_back(write(deletion->key, nullptr));
    feed_->publish(std::move(events), revision_);
    const auto kept = static_cast<Revision>(history_revisions_max);
    if (revision_ - compacted_ > 2 * kept) forget(revision_ - kept);
  }
  result.committed = true;
  result.revision = revision_;
  return result;
}

base::Result<RangeResult> Space::range(const RangeRequest& request) const {
  std::lock_guard lock(mutex_);
  if (dropped_) return std::unexpected(dropped_error(name_));
  if (request.revision > revision_) {
    return base::fail(base::ErrorCode::invalid,
                      "range at revision " + std::to_string(request.revision) +
                          " of the future; the head is " + std::to_string(revision_));
  }
  RangeResult result;
  result.revision = request.revision == 0 ? revision_ : request.revision;
  if (result.revision < compacted_) {
    return base::fail(base::ErrorCode::expired,
                      "range at revision " + std::to_string(request.revision) +
                          ": history starts at " + std::to_string(compacted_) + "; read again");
  }
  auto at_key = keys_.lower_bound(request.prefix);
  if (request.start_after >= request.prefix) at_key = keys_.upper_bound(request.start_after);
  for (; at_key != keys_.end() && at_key->first.starts_with(request.prefix); ++at_key) {
    const Version* version = at(at_key->second, result.revision);
    if (version == nullptr) continue;
    if (request.limit != 0 && result.entries.size() == request.limit) {
      result.more = true;
      break;
    }
    result.entries.push_back({at_key->first, version->value, version->created, version->modified});
  }
  return result;
}

base::Result<Revision> Space::head() const {
  std::lock_guard lock(mutex_);
  if (dropped_) return std::unexpected(dropped_error(name_));
  return revision_;
}

base::Result<void> Space::compact(Revision revision) {
  std::lock_guard lock(mutex_);
  if (dropped_) return std::unexpected(dropped_error(name_));
  if (revision > revision_) {
    return base::fail(base::ErrorCode::invalid, "compaction of the future: revision " +
                                                    std::to_string(revision) + ", the head is " +
                                                    std::to_string(revision_));
  }
  forget(revision);
  return {};
}

void Space::forget(Revision revision) {
  if (revision <= compacted_) return;
  compacted_ = revision;
  for (auto key = keys_.begin(); key != keys_.end();) {
    std::vector<Version>& versions = key->second;
    while (versions.size() > 1 && versions[1].modified <= revision)
      versions.erase(versions.begin());
    const bool gone =
        versions.size() == 1 && !versions[0].value && versions[0].modified <= revision;
    key = gone ? keys_.erase(key) : std::next(key);
  }
  feed_->forget(revision);
}

void Space::drop() {
  std::lock_guard lock(mutex_);
  dropped_ = true;
  keys_.clear();
  feed_->close(dropped_error(name_));
}

// Deletes keys whose time is over. Lives on the engine's executor; one timer, none when idle.
class Reaper : public std::enable_shared_from_this<Reaper> {
 public:
  explicit Reaper(runtime::Executor& executor) : executor_(executor) {}
  void arm(std::shared_ptr<Space> space, std::string key, Revision modified, base::Duration ttl) {
    due_.emplace(executor_.now() + ttl, Due{std::move(space), std::move(key), modified});
    wake();
  }

 private:
  struct Due {
    std::shared_ptr<Space> space;
    std::string key;
    Revision modified;
  };
  void wake() {
    if (timer_ != 0) executor_.cancel(timer_);
    timer_ = 0;
    if (due_.empty()) return;
    const base::Duration wait = due_.begin()->first - executor_.now();
    timer_ = executor_.after(std::max(wait, base::Duration(0)), [weak = weak_from_this()] {
      if (auto self = weak.lock()) self->reap();
    });
  }
  void reap() {
    timer_ = 0;
    while (!due_.empty() && due_.begin()->first <= executor_.now()) {
      const Due due = std::move(due_.begin()->second);
      due_.erase(due_.begin());
      Transaction transaction;
      transaction.compares.push_back({due.key, due.modified});
      transaction.deletes.push_back({due.key});
      // Written again or dropped meanwhile: nothing to do.
      static_cast<void>(due.space->transact(transaction));
    }
    wake();
  }

  runtime::Executor& executor_;
  std::multimap<base::Instant, Due> due_;
  runtime::TimerId timer_ = 0;
};

// What the engine's handles share.
struct Core {
  Core(runtime::Runtime& runtime, MemoryOptions o)
      : options(o),
        executor(runtime.make_executor("store-memory")),
        steps(std::make_shared<Mailbox>(*executor, o.delay_max)),
        reaper(std::make_shared<Reaper>(*executor)) {}
  ~Core() { steps->close(); }

  std::shared_ptr<Space> open(const std::string& name) {
    std::lock_guard lock(mutex);
    std::shared_ptr<Space>& space = spaces[name];
    if (!space) {
      space = std::make_shared<Space>(name);
      space->history_revisions_max = options.history_revisions_max;
    }
    return space;
  }

  const MemoryOptions options;
  const std::unique_ptr<runtime::Executor> executor;
  const std::shared_ptr<Mailbox> steps;
  const std::shared_ptr<Reaper> reaper;
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<Space>> spaces;  // guarded by mutex
};

class MemoryKeyspace final : public Keyspace {
 public:
  MemoryKeyspace(Core& core, std::shared_ptr<Space> space, runtime::Executor& executor)
      : core_(core),
        space_(std::move(space)),
        mailbox_(std::make_shared<Mailbox>(executor, core.options.delay_max)) {}
  ~MemoryKeyspace() override { mailbox_->close(); }

  void transact(Transaction transaction, Committed done) override {
    auto work = [space = space_, reaper = core_.reaper, steps = core_.steps, mailbox = mailbox_,
                 transaction = std::move(transaction), done = std::move(done)]() mutable {
      base::Result<TransactionResult> result = space->transact(transaction);
      if (result && result->committed) arm(space, reaper, steps, transaction, result->revision);
      mailbox->post([done = std::move(done), result = std::move(result)]() mutable {
        done(std::move(result));
      });
    };
    step(std::move(work));
  }

  void range(RangeRequest request, Ranged done) override {
    read(std::move(done),
         [request = std::move(request)](const Space& space) { return space.range(request); });
  }

  std::unique_ptr<Watch> watch(WatchRequest request) override {
    return space_->feed().watch(mailbox_, std::move(request));
  }

  void head(std::move_only_function<void(base::Result<Revision>)> done) override {
    read(std::move(done), [](const Space& space) { return space.head(); });
  }

  void compact(Revision revision, std::move_only_function<void(base::Result<void>)> done) override {
    mailbox_->post([space = space_, revision, done = std::move(done)]() mutable {
      done(space->compact(revision));
    });
  }

 private:
  static void arm(const std::shared_ptr<Space>& space, const std::shared_ptr<Reaper>& reaper,
                  const std::shared_ptr<Mailbox>& steps, const Transaction& transaction,
                  Revision revision) {
    for (const Put& put : transaction.puts) {
      if (!put.time_to_live) continue;
      steps->post([space, reaper, key = put.key, revision, ttl = *put.time_to_live] {
        reaper->arm(space, key, revision, ttl);
      });
    }
  }

  template <class Done, class Query>
  void read(Done done, Query query) {
    step([space = space_, mailbox = mailbox_, query = std::move(query),
          done = std::move(done)]() mutable {
      mailbox->post(
          [done = std::move(done), result = query(*space)]() mutable { done(std::move(result)); });
    });
  }

  // Applied at once, or after a random delay.
  void step(runtime::Task work) {
    if (core_.options.delay_max.count() > 0) return core_.steps->post(std::move(work));
    work();
  }

  Core& core_;
  const std::shared_ptr<Space> space_;
  const std::shared_ptr<Mailbox> mailbox_;
};

class MemoryEngine final : public Engine {
 public:
  MemoryEngine(runtime::Runtime& runtime, MemoryOptions options) : core_(runtime, options) {}

  std::unique_ptr<Keyspace> open(const std::string& keyspace,
                                 runtime::Executor& executor) override {
    return std::make_unique<MemoryKeyspace>(core_, core_.open(keyspace), executor);
  }

  void drop(const std::string& keyspace, runtime::Executor& executor,
            std::move_only_function<void(base::Result<void>)> done) override {
    {
      std::lock_guard lock(core_.mutex);
      const auto found = core_.spaces.find(keyspace);
      if (found != core_.spaces.end()) {
        found->second->drop();
        core_.spaces.erase(found);
      }
    }
    executor.post([done = std::move(done)]() mutable { done({}); });
  }

 private:
  Core core_;
};

}  // namespace

std::unique_ptr<Engine> make_memory(runtime::Runtime& runtime, MemoryOptions options) {
  return std::make_unique<MemoryEngine>(runtime, options);
}

}  // namespace keelway::store
