#include "watch/cache.h"

#include <algorithm>
#include <map>
#include <set>

#include "schema/parsed_pool.h"
#include "watch/fanout.h"
#include "watch/unreadable.h"
#include "watch/window.h"

namespace keelway::watch {
namespace {

constexpr base::Duration retry_min = std::chrono::milliseconds(100);
constexpr base::Duration retry_max = std::chrono::seconds(10);
// A parsed document lives one to two periods after it was last asked for. A tree weighs several
// times its JSON.
constexpr base::Duration sweep_period = std::chrono::milliseconds(250);
constexpr std::size_t parsed_bytes_max = 8u << 20;

// Revisions for deletions that were not seen: where each stood is not known, but it stood at one
// that nothing else of what changed has. So every event has a revision of its own, and whoever has
// heard some of them and not all cannot resume as if it had.
class FreeRevisions {
 public:
  FreeRevisions(Revision after, Revision last) : next_(after + 1), last_(last) {}
  void take(Revision revision) { taken_.insert(revision); }
  // The highest that is free before `before`; `before` where there is none.
  Revision just_before(Revision before) {
    for (Revision revision = before - 1; revision >= next_; --revision) {
      if (taken_.insert(revision).second) return revision;
    }
    return before;
  }
  // The lowest that is free; the last one where there is none.
  Revision lowest() {
    while (next_ < last_ && taken_.contains(next_)) ++next_;
    return next_ < last_ ? next_++ : last_;
  }

 private:
  Revision next_;
  const Revision last_;
  std::set<Revision> taken_;
};

struct Waiter {
  std::move_only_function<void(bool)> done;
  runtime::TimerId timer = 0;
};

}  // namespace

class Cache::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(runtime::Executor& executor, store::Keyspace& keyspace, CacheLimits limits)
      : executor_(executor),
        keyspace_(keyspace),
        limits_(limits),
        window_(limits),
        fanout_(std::make_shared<Fanout>()) {}

  void start(std::move_only_function<void(base::Result<void>)> done) {
    // Held by objects that may outlive this, on other threads.
    parsed_ = std::make_shared<schema::ParsedPool>(parsed_bytes_max, [this] {
      executor_.post([weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->sweep_later();
      });
    });
    started_ = std::move(done);
    read_first();
  }
  void stop();
  base::Result<std::unique_ptr<CacheSubscription>> subscribe(SubscribeRequest request);
  void wait_for(Revision revision, std::optional<base::Duration> timeout,
                std::move_only_function<void(bool)> done);
  void wait_fresh(base::Duration timeout,
                  std::move_only_function<void(base::Result<Revision>)> done);

  void expect(store::Bytes bytes, value::Value document) {
    if (parsed_) parsed_->expect(std::move(bytes), std::move(document));
  }
  bool ready() const { return ready_; }
  const Window& window() const { return window_; }
  const Unreadable& unreadable() const { return unreadable_; }
  Fanout& fanout() { return *fanout_; }

 private:
  // Reading everything: pages of one snapshot, collected, then applied at once.
  struct Reading {
    std::vector<store::Entry> entries;
    Revision revision = 0;  // 0: whichever is the head
  };
  void read_first();
  void read();
  void read_page(std::shared_ptr<Reading> reading);
  void read_failed(base::Error error);
  void finish_reading(const Reading& reading);
  void load(const Reading& reading);
  void become_ready();
  void apply_differences(const Reading& reading);
  void follow();
  void read_again_later(bool soon);
  void apply(const store::EventBatch& batch);
  void tell(const std::vector<CacheEventPtr>& events, bool initial);
  void run_waiters();
  void catch_up(const Fanout::SubscriberPtr& subscriber);
  void end_who_cannot_go_on(Revision revision);
  void keep_for_the_end(const Fanout::SubscriberPtr& subscriber);
  void sweep_later();

  runtime::Executor& executor_;
  store::Keyspace& keyspace_;
  const CacheLimits limits_;
  Window window_;
  Unreadable unreadable_;
  const std::shared_ptr<Fanout> fanout_;
  // Subscribers that a loss ends, in the order of their coming; some have gone.
  std::vector<std::weak_ptr<Fanout::Subscriber>> resuming_;
  std::size_t resuming_max_ = 64;  // those that have gone are forgotten then
  std::unique_ptr<store::Watch> watch_;
  std::multimap<Revision, std::shared_ptr<Waiter>> waiters_;
  std::move_only_function<void(base::Result<void>)> started_;
  std::shared_ptr<schema::ParsedPool> parsed_;
  schema::FieldSets field_sets_;
  runtime::TimerId retry_ = 0;
  runtime::TimerId sweep_ = 0;
  base::Duration retry_wait_ = retry_min;
  // Ready once the window has reached this: what the first reading left to be replayed.
  Revision ready_at_ = 0;
  bool replay_ = true;  // false: the store has less history than was wished for
  bool ready_ = false;
  bool stopped_ = false;
};

void Cache::Impl::stop() {
  stopped_ = true;
  watch_.reset();
  if (parsed_) parsed_->close();
  if (sweep_ != 0) executor_.cancel(sweep_);
  if (retry_ != 0) executor_.cancel(retry_);
  for (auto& [revision, waiter] : waiters_) {
    if (waiter->timer != 0) executor_.cancel(waiter->timer);
  }
  waiters_.clear();
}

void Cache::Impl::sweep_later() {
  if (stopped_ || sweep_ != 0) return;
  sweep_ = executor_.after(sweep_period, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self || self->stopped_) return;
    self->sweep_ = 0;
    if (self->parsed_->sweep()) self->sweep_later();
  });
}

// The snapshot is taken some revisions before the head, and the events since then are replayed
// before anyone looks. So the window reaches back beyond the start, and those who watched the
// server before resume without a gap.
void Cache::Impl::read_first() {
  keyspace_.head([weak = weak_from_this()](base::Result<Revision> head) {
    const auto self = weak.lock();
    if (!self || self->stopped_) return;
    if (!head) return self->read_failed(std::move(head.error()));
    const auto wished =
        static_cast<Revision>(std::min(self->limits_.replayed_max, self->limits_.events_max));
    self->ready_at_ = *head;
    self->window_.clear();
    auto reading = std::make_shared<Reading>();
    if (!self->replay_ || wished == 0) return self->read_page(std::move(reading));
    reading->revision = *head - wished;
    if (reading->revision > 0) return self->read_page(std::move(reading));
    reading->revision = 0;
    self->finish_reading(*reading);
  });
}

void Cache::Impl::read() {
  if (!ready_) return read_first();
  read_page(std::make_shared<Reading>());
}

void Cache::Impl::read_page(std::shared_ptr<Reading> reading) {
  store::RangeRequest request;
  request.limit = limits_.page;
  request.revision = reading->revision;
  if (!reading->entries.empty()) request.start_after = reading->entries.back().key;
  auto done = [weak = weak_from_this(), reading](base::Result<store::RangeResult> page) mutable {
    const auto self = weak.lock();
    if (!self || self->stopped_) return;
    if (!page) return self->read_failed(std::move(page.error()));
    reading->revision = page->revision;
    std::move(page->entries.begin(), page->entries.end(), std::back_inserter(reading->entries));
    if (page->more) return self->read_page(std::move(reading));
    self->unreadable_.take_from(reading->entries);
    if (auto good = self->unreadable_.plausible(reading->entries.size()); !good) {
      return self->read_failed(std::move(good.error()));
    }
    self->finish_reading(*reading);
  };
  keyspace_.range(std::move(request), std::move(done));
}

void Cache::Impl::read_failed(base::Error error) {
  const bool compacted = error.code == base::ErrorCode::expired;
  if (compacted) {
    executor_.reached("watch.history_compacted");
    replay_ = false;
  }
  if (ready_ || compacted) return read_again_later(compacted);
  if (auto started = std::exchange(started_, nullptr)) started(std::unexpected(std::move(error)));
}

void Cache::Impl::read_again_later(bool soon) {
  watch_.reset();
  const base::Duration wait = soon ? base::Duration(0) : retry_wait_;
  if (!soon) retry_wait_ = std::min(retry_wait_ * 2, retry_max);
  retry_ = executor_.after(wait, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self || self->stopped_) return;
    self->retry_ = 0;
    self->read();
  });
}

void Cache::Impl::finish_reading(const Reading& reading) {
  retry_wait_ = retry_min;
  if (!ready_) {
    load(reading);
    follow();
    if (window_.revision() >= ready_at_) become_ready();
    return;
  }
  executor_.reached("watch.read_anew");
  apply_differences(reading);
  if (stopped_) return;
  follow();
  run_waiters();
}

void Cache::Impl::load(const Reading& reading) {
  for (const store::Entry& entry : reading.entries) {
    window_.load(entry.key, Object::parse(entry.value, entry.modified, parsed_, &field_sets_));
  }
  window_.cut(reading.revision);
}

void Cache::Impl::become_ready() {
  if (auto good = unreadable_.plausible(window_.count("")); !good) {
    watch_.reset();
    return read_failed(std::move(good.error()));
  }
  std::vector<CacheEventPtr> events;
  static_cast<void>(window_.scan({}, [&](std::string_view key, const ObjectPtr& object) {
    auto event = std::make_shared<CacheEvent>();
    event->key = key;
    event->object = object;
    event->revision = object->revision();
    events.push_back(std::move(event));
    return true;
  }));
  ready_ = true;
  fanout_->tell_observers(CacheBatch{events, window_.revision(), true});
  if (stopped_) return;
  run_waiters();
  if (stopped_) return;
  if (auto started = std::exchange(started_, nullptr)) started({});
}

// The feed was lost: what changed meanwhile reaches the subscribers as events, but their order
// and the states between are not known, so nobody may resume from before.
void Cache::Impl::apply_differences(const Reading& reading) {
  struct Change {
    Revision revision;
    std::string key;
    const store::Entry* entry;  // null: deleted
  };
  end_who_cannot_go_on(reading.revision);
  if (stopped_) return;
  std::vector<Change> changes;
  FreeRevisions free(window_.revision(), reading.revision);
  auto entry = reading.entries.begin();
  const auto end = reading.entries.end();
  const auto visit = [&](std::string_view key, const ObjectPtr& object) {
    while (entry != end && entry->key < key) {
      changes.push_back({entry->modified, entry->key, &*entry});
      ++entry;
    }
    if (entry == end || entry->key != key) {
      if (unreadable_.revision_of(key) != 0) return true;  // not gone: the last state stays
      changes.push_back({0, std::string(key), nullptr});
      return true;
    }
    if (entry->modified != object->revision()) {
      // Deleted and made again in between: two events.
      if (entry->created > object->revision()) {
        changes.push_back({entry->created, std::string(key), nullptr});
      }
      changes.push_back({entry->modified, entry->key, &*entry});
    }
    ++entry;
    return true;
  };
  static_cast<void>(window_.scan({}, visit));
  for (; entry != end; ++entry) changes.push_back({entry->modified, entry->key, &*entry});
  for (const Change& change : changes) {
    if (change.entry != nullptr) free.take(change.revision);
  }
  for (Change& change : changes) {
    if (change.entry == nullptr && change.revision != 0) {
      change.revision = free.just_before(change.revision);
    }
  }
  for (Change& change : changes) {
    if (change.revision == 0) change.revision = free.lowest();
  }
  std::stable_sort(changes.begin(), changes.end(),
                   [](const Change& a, const Change& b) { return a.revision < b.revision; });
  std::vector<CacheEventPtr> events;
  for (const Change& change : changes) {
    ObjectPtr object;
    if (change.entry != nullptr) {
      object = Object::parse(change.entry->value, change.revision, parsed_, &field_sets_);
    }
    if (auto event = window_.apply(change.key, std::move(object), change.revision)) {
      events.push_back(std::move(event));
    }
  }
  window_.cut(reading.revision);
  tell(events, false);
}

// Who came from another server with what is lost here goes on.
void Cache::Impl::end_who_cannot_go_on(Revision revision) {
  for (const auto& weak : std::exchange(resuming_, {})) {
    const Fanout::SubscriberPtr subscriber = weak.lock();
    if (!subscriber || subscriber->ended) continue;
    if (subscriber->position >= revision) {
      keep_for_the_end(subscriber);
      continue;
    }
    fanout_->end(subscriber, {base::ErrorCode::expired, "what happened after revision " +
                                                            std::to_string(subscriber->position) +
                                                            " is lost; list again"});
  }
}

void Cache::Impl::keep_for_the_end(const Fanout::SubscriberPtr& subscriber) {
  if (resuming_.size() >= resuming_max_) {
    std::erase_if(resuming_, [](const auto& weak) { return weak.expired(); });
    resuming_max_ = std::max<std::size_t>(64, 2 * resuming_.size());
  }
  resuming_.push_back(subscriber);
}

void Cache::Impl::follow() {
  store::WatchRequest request;
  request.after = window_.revision();
  request.on_events = [weak = weak_from_this()](const store::EventBatch& batch) {
    if (const auto self = weak.lock(); self && !self->stopped_) self->apply(batch);
  };
  request.on_end = [weak = weak_from_this()](base::Error error) {
    const auto self = weak.lock();
    if (!self || self->stopped_) return;
    const bool expired = error.code == base::ErrorCode::expired;
    if (expired && !self->ready_) self->replay_ = false;
    self->read_again_later(expired);
  };
  watch_ = keyspace_.watch(std::move(request));
}

void Cache::Impl::apply(const store::EventBatch& batch) {
  std::vector<CacheEventPtr> events;
  events.reserve(batch.events.size());
  for (const store::Event& change : batch.events) {
    if (unreadable_.takes(change)) continue;
    ObjectPtr object;
    if (change.type == store::Event::Type::put) {
      object = Object::parse(change.entry.value, change.entry.modified, parsed_, &field_sets_);
    }
    auto event = window_.apply(change.entry.key, std::move(object), change.entry.modified);
    if (event) events.push_back(std::move(event));
  }
  window_.advance(batch.revision);
  if (!ready_) {
    if (window_.revision() >= ready_at_) become_ready();
    return;
  }
  if (!events.empty()) tell(events, false);
  run_waiters();
}

void Cache::Impl::tell(const std::vector<CacheEventPtr>& events, bool initial) {
  if (events.empty()) return;
  const CacheBatch batch{events, window_.revision(), initial};
  fanout_->tell_observers(batch);
  fanout_->tell_subscribers(batch);
}

void Cache::Impl::run_waiters() {
  std::vector<std::shared_ptr<Waiter>> reached;
  while (!waiters_.empty() && waiters_.begin()->first <= window_.revision()) {
    reached.push_back(std::move(waiters_.begin()->second));
    waiters_.erase(waiters_.begin());
  }
  for (const auto& waiter : reached) {
    if (waiter->timer != 0) executor_.cancel(waiter->timer);
  }
  for (const auto& waiter : reached) {
    if (stopped_) return;
    waiter->done(true);
  }
}

base::Result<std::unique_ptr<CacheSubscription>> Cache::Impl::subscribe(SubscribeRequest request) {
  if (!ready_) {
    return base::fail(base::ErrorCode::unavailable, "the watch cache is not ready; try again");
  }
  if (request.after < window_.oldest_revision()) {
    executor_.reached("watch.resumed_too_late");
    return base::fail(base::ErrorCode::expired,
                      "watch after revision " + std::to_string(request.after) +
                          ": the window starts at " + std::to_string(window_.oldest_revision()) +
                          "; list again");
  }
  auto subscriber = std::make_shared<Fanout::Subscriber>();
  subscriber->scope = std::move(request.prefix);
  subscriber->field = std::move(request.field);
  subscriber->text = std::move(request.text);
  subscriber->position = request.after;
  subscriber->on_batch = std::move(request.on_batch);
  subscriber->on_end = std::move(request.on_end);
  if (!request.takes_differences) keep_for_the_end(subscriber);
  if (request.after < window_.revision()) {
    subscriber->behind = true;
    executor_.post([weak = weak_from_this(), subscriber] {
      const auto self = weak.lock();
      if (self && !self->stopped_ && !subscriber->ended) self->catch_up(subscriber);
    });
  }
  return fanout_->add(subscriber);
}

void Cache::Impl::catch_up(const Fanout::SubscriberPtr& subscriber) {
  if (subscriber->position < window_.oldest_revision()) {
    return fanout_->end(subscriber,
                        {base::ErrorCode::expired, "the window has moved on; list again"});
  }
  subscriber->behind = false;
  Fanout::deliver(subscriber, window_.events(subscriber->scope, subscriber->position),
                  window_.revision());
}

void Cache::Impl::wait_for(Revision revision, std::optional<base::Duration> timeout,
                           std::move_only_function<void(bool)> done) {
  if (revision <= window_.revision()) {
    executor_.post([weak = weak_from_this(), done = std::move(done)]() mutable {
      if (const auto self = weak.lock(); self && !self->stopped_) done(true);
    });
    return;
  }
  auto waiter = std::make_shared<Waiter>();
  waiter->done = std::move(done);
  const auto at = waiters_.emplace(revision, waiter);
  if (!timeout) return;
  waiter->timer = executor_.after(*timeout, [weak = weak_from_this(), at] {
    const auto self = weak.lock();
    if (!self || self->stopped_) return;
    const std::shared_ptr<Waiter> late = std::move(at->second);
    self->waiters_.erase(at);
    late->done(false);
  });
}

void Cache::Impl::wait_fresh(base::Duration timeout,
                             std::move_only_function<void(base::Result<Revision>)> done) {
  keyspace_.head([weak = weak_from_this(), timeout,
                  done = std::move(done)](base::Result<Revision> head) mutable {
    const auto self = weak.lock();
    if (!self || self->stopped_) return;
    if (!head) return done(std::move(head));
    if (*head <= self->window_.revision()) return done(*head);
    self->wait_for(*head, timeout, [done = std::move(done), head = *head](bool reached) mutable {
      if (reached) return done(head);
      done(base::fail(base::ErrorCode::unavailable, "the watch cache did not reach revision " +
                                                        std::to_string(head) +
                                                        " in time; try again"));
    });
  });
}

Cache::Cache(runtime::Executor& executor, store::Keyspace& keyspace, CacheLimits limits)
    : impl_(std::make_shared<Impl>(executor, keyspace, limits)) {}
Cache::~Cache() {
  impl_->stop();
}

std::unique_ptr<CacheSubscription> Cache::observe(
    std::move_only_function<void(const CacheBatch&)> sink) {
  auto subscriber = std::make_shared<Fanout::Subscriber>();
  subscriber->on_batch = std::move(sink);
  return impl_->fanout().add_observer(subscriber);
}

void Cache::start(std::move_only_function<void(base::Result<void>)> done) {
  impl_->start(std::move(done));
}
bool Cache::ready() const {
  return impl_->ready();
}
Revision Cache::revision() const {
  return impl_->window().revision();
}
Revision Cache::oldest_revision() const {
  return impl_->window().oldest_revision();
}
ObjectPtr Cache::get(std::string_view key) const {
  return impl_->window().get(key);
}
void Cache::expect(store::Bytes bytes, value::Value document) {
  impl_->expect(std::move(bytes), std::move(document));
}
Revision Cache::unreadable(std::string_view key) const {
  return impl_->unreadable().revision_of(key);
}
std::size_t Cache::unreadable_count() const {
  return impl_->unreadable().size();
}
std::size_t Cache::count(std::string_view prefix) const {
  return impl_->window().count(prefix);
}

base::Result<void> Cache::scan(
    const Scan& scan,
    const std::function<bool(std::string_view key, const ObjectPtr& object)>& visit) const {
  return impl_->window().scan(scan, visit);
}

base::Result<std::unique_ptr<CacheSubscription>> Cache::subscribe(SubscribeRequest request) {
  return impl_->subscribe(std::move(request));
}

void Cache::wait_for(Revision revision, std::optional<base::Duration> timeout,
                     std::move_only_function<void(bool reached)> done) {
  impl_->wait_for(revision, timeout, std::move(done));
}

void Cache::wait_fresh(base::Duration timeout,
                       std::move_only_function<void(base::Result<Revision>)> done) {
  impl_->wait_fresh(timeout, std::move(done));
}

}  // namespace keelway::watch
