#include "reconcile/keyed_runner.h"

#include <algorithm>

namespace keelway::reconcile {
namespace {

constexpr int kRunningMax = 64;          // keys of one loop with a round in flight
constexpr int kPlansPerTask = 32;        // then others of the executor get a turn
constexpr int kActionsInFlightMax = 64;  // of one round of independent actions
// A feed that stays silent this long after a write does not show it; planning goes on without.
constexpr base::Duration kOverdue = std::chrono::seconds(10);
constexpr int kFailuresToLog = 5;

bool is_status_update(const Action& action) {
  const auto* call = std::get_if<client::Call>(&action.what);
  return call != nullptr && call->verb == client::Verb::update && call->subresource == "status";
}

}  // namespace

struct KeyedRunner::Round {
  Key key;
  Plan plan;
  std::size_t next = 0;
  int in_flight = 0;
  int window = 1;
  bool halted = false;  // failed, lost or guarded
  bool failed = false;
  std::string message;
  const Action* refused = nullptr;  // the first
  struct Written {
    client::Revision revision = 0;
    Address where;
  };
  std::map<int, Written> visible;  // the last write, by feed

  void note(const Visible& at, const Action& action) {
    if (at.feed < 0) return;
    Written& last = visible[at.feed];
    if (at.revision < last.revision) return;
    last.revision = at.revision;
    if (const auto* call = std::get_if<client::Call>(&action.what)) last.where = address_of(*call);
  }
};

KeyedRunner::KeyedRunner(Context context, std::unique_ptr<KeyedLoop> loop, EffectExecutor effects)
    : context_(std::move(context)), loop_(std::move(loop)), effects_(std::move(effects)) {}

KeyedRunner::~KeyedRunner() {
  for (const auto& [key, entry] : entries_) {
    if (entry.timer != 0) context_.executor.cancel(entry.timer);
  }
  if (overdue_timer_ != 0) context_.executor.cancel(overdue_timer_);
}

void KeyedRunner::observe(const client::Change& change) {
  std::vector<Key> keys;
  loop_->keys_of(change, context_.feeds.view(), keys);
  for (const Key& key : keys) enqueue(key);
  std::vector<client::Resource> more = loop_->more_watches(change);
  if (!more.empty()) context_.watch_more(*this, std::move(more));
}

void KeyedRunner::advance() {
  if (!was_synced_ && context_.feeds.synced()) {
    was_synced_ = true;
    for (const Key& key : loop_->first_keys()) enqueue(key);
  }
  std::vector<Key> reached;
  for (auto at = waits_.begin(); at != waits_.end();) {
    const auto& [feed, revision, key] = at->first;
    if (!context_.feeds.reached(feed, revision)) {
      // The rest of this feed waits for higher revisions.
      at = waits_.lower_bound(Wait(feed + 1, 0, Key{}));
      continue;
    }
    reached.push_back(key);
    at = waits_.erase(at);
  }
  for (const Key& key : reached) {
    --entries_[key].waits;
    settle(key);
  }
  if (!queue_.empty()) pump_soon();
}

void KeyedRunner::enqueue(const Key& key) {
  Entry& entry = entries_[key];
  switch (entry.phase) {
    case Phase::idle:
      entry.phase = Phase::queued;
      if (entry.timer != 0) context_.executor.cancel(entry.timer);
      entry.timer = 0;
      queue_.push_back(key);
      pump_soon();
      break;
    case Phase::queued:
      break;
    case Phase::running:
    case Phase::waiting:
    case Phase::resting:
      entry.dirty = true;
      break;
  }
}

void KeyedRunner::pump_soon() {
  if (pump_posted_ || !context_.feeds.synced()) return;
  pump_posted_ = true;
  context_.executor.post([this, alive = context_.alive] {
    if (alive.expired()) return;
    pump_posted_ = false;
    pump();
  });
}

void KeyedRunner::pump() {
  for (int i = 0; i < kPlansPerTask && running_ < kRunningMax && !queue_.empty(); ++i) {
    const Key key = queue_.front();
    queue_.pop_front();
    plan(key);
  }
  if (!queue_.empty() && running_ < kRunningMax) pump_soon();
}

void KeyedRunner::plan(const Key& key) {
  Entry& entry = entries_[key];
  entry.phase = Phase::running;
  entry.dirty = false;
  entry.again.reset();
  auto round = std::make_shared<Round>();
  round->key = key;
  round->plan = loop_->plan(context_.feeds.view(), key, context_.executor.wall_now(),
                            context_.executor.random().next());
  ++running_;
  if (round->plan.actions.empty()) {
    finish(*round);
  } else {
    issue(round);
  }
}

void KeyedRunner::issue(const std::shared_ptr<Round>& round) {
  const std::vector<Action>& actions = round->plan.actions;
  const int window = round->plan.independent ? round->window : 1;
  while (round->in_flight < window && round->next < actions.size()) {
    const Action& action = actions[round->next++];
    if (round->halted && !(round->plan.independent && round->failed && is_status_update(action))) {
      continue;
    }
    ++round->in_flight;
    run_action(
        context_, effects_, loop_->name(), action,
        [this, round, &action](ActionResult result) { took(round, action, std::move(result)); });
  }
}

void KeyedRunner::took(const std::shared_ptr<Round>& round, const Action& action,
                       ActionResult result) {
  --round->in_flight;
  round->note(result.visible, action);
  if (result.kind == ActionResult::Kind::done) {
    // Slow start: each success makes room for two.
    round->window = std::min(round->window + 1, kActionsInFlightMax);
  } else {
    round->halted = true;
    if (result.kind != ActionResult::Kind::guarded) {
      if (result.kind == ActionResult::Kind::failed && round->refused == nullptr) {
        round->refused = &action;
        round->message = result.message;
      }
      if (!round->failed && round->refused == nullptr) round->message = std::move(result.message);
      round->failed = true;
    }
  }
  issue(round);
  const auto* call = std::get_if<client::Call>(&action.what);
  if (result.kind == ActionResult::Kind::lost && call != nullptr &&
      context_.feeds.feed_of(call->resource) >= 0) {
    context_.executor.reached("reconcile.call_lost");
    ++round->in_flight;
    read_back(context_, *call, [this, round, &action](ActionResult head) {
      --round->in_flight;
      round->note(head.visible, action);
      issue(round);
      finish_if_over(round);
    });
    return;
  }
  finish_if_over(round);
}

void KeyedRunner::finish_if_over(const std::shared_ptr<Round>& round) {
  if (round->in_flight > 0 || round->next < round->plan.actions.size()) return;
  if (round->refused != nullptr) tell_refusal(*round);
  finish(*round);
}

void KeyedRunner::tell_refusal(const Round& round) {
  const auto actions = std::make_shared<const std::vector<Action>>(
      loop_->on_refusal(context_.feeds.view(), round.key, *round.refused, round.message,
                        context_.executor.wall_now(), context_.executor.random().next()));
  for (const Action& action : *actions) {
    run_action(context_, effects_, loop_->name(), action, [actions](const ActionResult&) {});
  }
}

void KeyedRunner::finish(Round& round) {
  --running_;
  Entry& entry = entries_[round.key];
  entry.phase = Phase::waiting;
  if (round.failed) {
    ++entry.failures;
    entry.again = backoff(entry.failures, context_.executor.random());
    if (entry.failures % kFailuresToLog == 0) {
      context_.log.warning("an action keeps failing", {{"loop", std::string(loop_->name())},
                                                       {"namespace", round.key.name_space},
                                                       {"name", round.key.name},
                                                       {"error", round.message}});
    }
  } else {
    entry.failures = 0;
    if (const After* after = std::get_if<After>(&round.plan.next)) {
      entry.again = std::max(after->wait, base::Duration(0));
    } else if (const Stop* stop = std::get_if<Stop>(&round.plan.next)) {
      context_.log.warning("stopped until the object changes",
                           {{"loop", std::string(loop_->name())},
                            {"namespace", round.key.name_space},
                            {"name", round.key.name},
                            {"reason", stop->reason}});
    }
  }
  entry.rest = round.plan.actions.empty() ? base::Duration(0) : round.plan.rest;
  for (auto& [feed, written] : round.visible) {
    wait_for(round.key, {feed, written.revision}, std::move(written.where));
  }
  settle(round.key);
  if (!queue_.empty()) pump_soon();
}

void KeyedRunner::wait_for(const Key& key, Visible visible, Address where) {
  if (context_.feeds.reached(visible.feed, visible.revision)) return;
  const Wait wait(visible.feed, visible.revision, key);
  if (!waits_.emplace(wait, Waiting{context_.executor.now(), std::move(where)}).second) return;
  ++entries_[key].waits;
  arm_overdue();
}

void KeyedRunner::settle(const Key& key) {
  const auto found = entries_.find(key);
  Entry& entry = found->second;
  if (entry.phase != Phase::waiting || entry.waits > 0) return;
  if (const base::Duration rest = std::exchange(entry.rest, base::Duration(0));
      rest > base::Duration(0)) {
    entry.phase = Phase::resting;
    entry.timer = context_.executor.after(rest, [this, key] {
      Entry& rested = entries_[key];
      rested.timer = 0;
      rested.phase = Phase::waiting;
      settle(key);
    });
    return;
  }
  entry.phase = Phase::idle;
  // A change makes a successful key plan at once; a failing one keeps its backoff, or a loop whose
  // failing rounds write something would spin.
  if (entry.dirty && entry.failures == 0) {
    enqueue(key);
  } else if (entry.again) {
    entry.timer = context_.executor.after(*entry.again, [this, key] {
      entries_[key].timer = 0;
      enqueue(key);
    });
  } else {
    entries_.erase(found);
  }
}

void KeyedRunner::arm_overdue() {
  if (overdue_timer_ != 0) return;
  overdue_timer_ = context_.executor.after(kOverdue, [this] {
    overdue_timer_ = 0;
    look_at_overdue();
  });
}

// A key whose last write the store holds and the view does not show waits on, however late the view
// is: planned over the old state, it would do the same again.
void KeyedRunner::look_at_overdue() {
  const base::Instant now = context_.executor.now();
  std::size_t late = 0;
  for (auto& [wait, waiting] : waits_) {
    if (now - waiting.since < kOverdue) continue;
    waiting.since = now;
    ++late;
    look_behind(context_, waiting.where, [this, wait = wait](bool is_behind) {
      if (!is_behind) release(wait);
    });
  }
  if (late > 0) {
    context_.log.warning("the view does not show what was written",
                         {{"loop", std::string(loop_->name())}, {"keys", std::to_string(late)}});
  }
  if (!waits_.empty()) arm_overdue();
}

void KeyedRunner::release(const Wait& wait) {
  if (waits_.erase(wait) == 0) return;
  const Key& key = std::get<Key>(wait);
  Entry& entry = entries_[key];
  --entry.waits;
  entry.dirty = true;
  settle(key);
}

}  // namespace keelway::reconcile
