// The watches of the engine: one over everything, fanned out to the keyspaces' feeds, and one more
// for each caller who asks for what is older, until it has caught up.
#include <algorithm>
#include <charconv>

#include "store/etcd/core.h"
#include "store/etcd/messages.h"

namespace keelway::store::etcd {
namespace {

// So long the watch may be behind before a write of our own shows how far it has come.
constexpr base::Duration tick_wait = std::chrono::milliseconds(20);
// And so long where etcd did not take that write.
constexpr base::Duration tick_again = std::chrono::seconds(1);
// Until a watch that etcd refused is asked for again.
constexpr base::Duration follow_again = std::chrono::seconds(1);

Event to_event(const WatchEvent& heard, std::size_t prefix) {
  Event event;
  event.entry.key = heard.entry.key.substr(prefix);
  event.entry.modified = heard.entry.modified;
  if (heard.deletion) {
    event.type = Event::Type::deletion;
  } else {
    event.entry.created = heard.entry.created;
    event.entry.value = std::make_shared<const std::string>(heard.entry.value);
  }
  if (heard.previous) {
    event.previous =
        Entry{event.entry.key, std::make_shared<const std::string>(heard.previous->value),
              heard.previous->created, heard.previous->modified};
  }
  return event;
}

}  // namespace

// The watch starts at the head of now; a keyspace that is read later starts where it has come to.
void Core::follow_all() {
  client_->call(method::range, encode_range({options_.prefix + "t"}), Repeat::freely,
                [weak = weak_from_this()](base::Result<std::string> reply) {
                  const auto self = weak.lock();
                  if (!self) return;
                  base::Result<Ranged> head =
                      reply ? decode_range(*reply)
                            : base::Result<Ranged>(std::unexpected(reply.error()));
                  const auto unread = std::exchange(self->unread_, {});
                  if (!head) {
                    for (const SpacePtr& space : unread) {
                      self->mark_known(*space, std::unexpected(head.error()));
                    }
                    self->executor_.after(follow_again, [weak] {
                      if (const auto me = weak.lock()) me->follow_all();
                    });
                    return;
                  }
                  self->progress_ = self->compaction_mark_ = head->revision;
                  Follow follow;
                  follow.key = self->options_.prefix;
                  follow.end = prefix_end(follow.key);
                  follow.position = head->revision;
                  follow.on_events = [weak](const WatchReply& reply, bool restarted) {
                    if (const auto me = weak.lock()) me->hear(reply, restarted);
                  };
                  follow.on_compacted = [weak](Revision revision) {
                    if (const auto me = weak.lock()) me->lost_history(revision);
                    return true;
                  };
                  self->following_ = true;
                  self->watcher_->follow(std::move(follow));
                  for (const SpacePtr& space : unread) self->read_mark(space);
                  self->compact_history();
                });
}

void Core::hear(const WatchReply& reply, bool restarted) {
  if (restarted) {
    for (const SpacePtr& space : touched_) space->forget_heard();
    touched_.clear();
  }
  for (const WatchEvent& event : reply.events) hear_event(event);
  if (reply.fragment) return;
  for (const SpacePtr& space : std::exchange(touched_, {})) publish(*space);
  progress_ = reply.events.back().entry.modified;
  keep_promises();
}

void Core::hear_event(const WatchEvent& event) {
  const std::string_view key = event.entry.key;
  if (!key.starts_with(spaces_)) return;
  const auto slash = key.find('/', spaces_.size());
  if (slash == std::string_view::npos || slash + 1 >= key.size()) return;
  const auto found = by_name_.find(std::string(key.substr(spaces_.size(), slash - spaces_.size())));
  if (found == by_name_.end()) return;
  const SpacePtr space = found->second;
  const Revision revision = event.entry.modified;
  const char part = key[slash + 1];
  if (part == 'a') hear_mark(*space, event);
  // Of an earlier keyspace of this name.
  const bool stale = space->state == Space::State::unknown ||
                     space->state == Space::State::dropped ||
                     (space->state == Space::State::absent && revision <= space->absent) ||
                     (space->state == Space::State::alive && revision < space->born);
  if (stale) return;
  if (space->events_revision != revision) publish(*space);
  space->events_revision = revision;
  if (part == 'd') space->events.push_back(to_event(event, slash + 2));
  if (touched_.empty() || touched_.back() != space) touched_.push_back(space);
}

void Core::hear_mark(Space& space, const WatchEvent& event) {
  const Revision revision = event.entry.modified;
  if (space.state == Space::State::unknown || space.state == Space::State::dropped) return;
  if (event.deletion) {
    if (space.state == Space::State::alive && revision > space.born) mark_dropped(space);
    if (space.state == Space::State::absent) space.absent = std::max(space.absent, revision);
    return;
  }
  if (space.state == Space::State::alive && event.entry.created != space.born) {
    if (event.entry.created > space.born) mark_dropped(space);
    return;
  }
  if (space.state == Space::State::absent && event.entry.created <= space.absent) return;
  Ranged mark;
  mark.entries.push_back(event.entry);
  take_mark(space, mark, revision);
}

// All of one revision of a keyspace, as far as the watch has told it.
void Core::publish(Space& space) {
  auto events = std::exchange(space.events, {});
  const Revision revision = std::exchange(space.events_revision, 0);
  if (revision <= space.feed->head()) return;
  space.last_event = revision;
  space.feed->publish(std::move(events), revision, false);
}

// Events up to `revision` are gone: whoever has not had them reads again.
void Core::lost_history(Revision revision) {
  progress_ = revision;
  std::vector<SpacePtr> again;
  for (const auto& [name, space] : by_name_) {
    if (!space->feed) continue;
    space->forget_heard();
    space->feed->forget(revision);
    if (space->feed->head() < revision) space->feed->publish({}, revision, false);
    space->last_event = std::max(space->last_event, revision);
    again.push_back(space);
  }
  touched_.clear();
  // It may have been dropped and made again meanwhile.
  for (const SpacePtr& space : again) {
    client_->call(method::range, encode_range({space->mark()}), Repeat::freely,
                  [weak = weak_from_this(), space](base::Result<std::string> reply) {
                    const auto self = weak.lock();
                    if (!self || !reply) return;
                    const auto mark = decode_range(*reply);
                    if (!mark || space->state != Space::State::alive) return;
                    static_cast<void>(self->learn(*space, space->born, *mark));
                  });
  }
  keep_promises();
}

// `revision` was told to somebody who may wait for the watches to show it, though nothing of the
// keyspace may have that revision.
void Core::promise(const SpacePtr& space, Revision revision) {
  if (!space->feed || space->state == Space::State::dropped) return;
  if (revision <= space->feed->head()) return;
  if (revision <= progress_) {
    if (space->events_revision == 0) space->feed->publish({}, revision, false);
    return;
  }
  if (space->promised == 0) promised_.push_back(space);
  space->promised = std::max(space->promised, revision);
  if (tick_due_) return;
  tick_due_ = true;
  executor_.after(tick_wait, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->tick();
  });
}

void Core::keep_promises() {
  if (promised_.empty()) return;
  const auto kept = [this](const SpacePtr& space) {
    if (space->promised > progress_) return false;
    const Revision revision = std::exchange(space->promised, 0);
    if (space->state != Space::State::dropped && revision > space->feed->head()) {
      space->feed->publish({}, revision, false);
    }
    return true;
  };
  promised_.erase(std::remove_if(promised_.begin(), promised_.end(), kept), promised_.end());
}

// Somebody else wrote last in this etcd, so no event of ours shows that the watch has come so far.
void Core::tick() {
  if (promised_.empty()) {
    tick_due_ = false;
    return;
  }
  TxnEncoder txn;
  txn.put(options_.prefix + "t", "", 0);
  client_->call(method::transact, txn.take(), Repeat::freely,
                [weak = weak_from_this()](const base::Result<std::string>& reply) {
                  const auto self = weak.lock();
                  if (!self) return;
                  const auto ticked = reply
                                          ? decode_transaction(*reply)
                                          : base::Result<TxnReply>(std::unexpected(reply.error()));
                  // What was promised meanwhile may be later than this tick.
                  const Revision shown = ticked ? ticked->revision : 0;
                  self->tick_due_ = std::any_of(
                      self->promised_.begin(), self->promised_.end(),
                      [shown](const SpacePtr& space) { return space->promised > shown; });
                  if (!self->tick_due_) return;
                  self->executor_.after(ticked ? tick_wait : tick_again, [weak] {
                    if (const auto me = weak.lock()) me->tick();
                  });
                });
}

void Core::watch(const WatchPtr& state) {
  when_known(state->space, [weak = weak_from_this(), state](base::Result<void> known) {
    const auto self = weak.lock();
    if (!self || state->gone) return;
    if (!known) return self->end(state, known.error());
    self->watch_known(state);
  });
}

void Core::watch_known(const WatchPtr& state) {
  const Space& space = *state->space;
  Revision after = state->request.after;
  if (after < space.floor) return join(state, after);  // which ends it with expired
  // There is nothing of this keyspace before its birth.
  const Revision born = space.state == Space::State::alive
                            ? space.born - 1
                            : std::max(space.absent, space.feed->head());
  after = std::max(after, born);
  if (!state->request.previous && after >= space.feed->floor()) {
    if (after > state->request.after) {
      // What was told of the time before the keyspace is reached already.
      state->mailbox->post([state, batch = EventBatch{{}, after}] {
        if (!state->ended) state->request.on_events(batch);
      });
    }
    return join(state, after);
  }
  state->position = after;
  catch_up(state);
}

void Core::join(const WatchPtr& state, Revision after) {
  WatchRequest request;
  request.prefix = state->request.prefix;
  request.after = after;
  // The feed is the state's own: what it calls must not keep the state.
  request.on_events = [weak = std::weak_ptr(state)](const EventBatch& batch) {
    const auto told = weak.lock();
    if (told && !told->ended) told->request.on_events(batch);
  };
  request.on_end = [weak = std::weak_ptr(state)](base::Error error) {
    const auto told = weak.lock();
    if (told && !told->ended && told->request.on_end) told->request.on_end(std::move(error));
  };
  state->feed = state->space->feed->watch(state->mailbox, std::move(request));
}

void Core::end(const WatchPtr& state, base::Error error) {
  if (std::exchange(state->gone, true)) return;
  if (state->follow != 0) watcher_->forget(std::exchange(state->follow, 0));
  state->mailbox->post([state, error = std::move(error)]() mutable {
    if (!state->ended && state->request.on_end) state->request.on_end(std::move(error));
  });
}

void Core::unwatch(const WatchPtr& state) {
  state->gone = true;
  state->feed.reset();
  if (state->follow != 0) watcher_->forget(std::exchange(state->follow, 0));
}

// A watch of its own reads the history. A write of ours, later than what is asked for, shows where
// it has caught up with the feed.
void Core::catch_up(const WatchPtr& state) {
  const Space& space = *state->space;
  Follow follow;
  follow.key = space.prefix;
  follow.end = prefix_end(space.prefix);
  follow.position = state->position;
  follow.previous = state->request.previous;
  follow.on_events = [weak = weak_from_this(), state](const WatchReply& reply, bool restarted) {
    if (const auto self = weak.lock()) self->hear_behind(state, reply, restarted);
  };
  follow.on_compacted = [weak = weak_from_this(), state](Revision revision) {
    state->follow = 0;
    if (const auto self = weak.lock()) {
      self->end(state, {base::ErrorCode::expired,
                        "watch after revision " + std::to_string(state->position) +
                            ": history starts at " + std::to_string(revision) + "; read again"});
    }
    return false;
  };
  state->follow = watcher_->follow(std::move(follow));
  if (!state->request.previous) tick_behind(state);
}

void Core::tick_behind(const WatchPtr& state) {
  const Space& space = *state->space;
  if (state->gone || state->follow == 0 || space.state != Space::State::alive) return;
  TxnEncoder txn;
  txn.compare_created(space.mark(), space.born);
  txn.put(space.tick(), "", 0);
  client_->call(method::transact, txn.take(), Repeat::freely,
                [weak = weak_from_this(), state](const base::Result<std::string>& reply) {
                  const auto self = weak.lock();
                  if (!self || reply) return;
                  self->executor_.after(tick_again, [weak, state] {
                    if (const auto me = weak.lock()) me->tick_behind(state);
                  });
                });
}

void Core::hear_behind(const WatchPtr& state, const WatchReply& reply, bool restarted) {
  if (state->gone) return;
  if (restarted) state->batch = {};
  const std::size_t prefix = state->space->data("").size();
  const std::string wanted = state->space->data(state->request.prefix);
  for (const WatchEvent& event : reply.events) {
    const std::string_view key = event.entry.key;
    if (key == state->space->mark() && event.deletion) {
      return end(state, state->space->dropped());
    }
    if (key.starts_with(wanted)) state->batch.events.push_back(to_event(event, prefix));
  }
  if (reply.fragment) return;
  const Space& space = *state->space;
  state->position = reply.events.back().entry.modified;
  const bool caught_up = !state->request.previous && state->position >= space.last_event;
  if (caught_up) state->position = std::max(state->position, space.feed->head());
  state->batch.revision = state->position;
  state->mailbox->post([state, batch = std::exchange(state->batch, {})] {
    if (!state->ended) state->request.on_events(batch);
  });
  if (!caught_up) return;
  watcher_->forget(std::exchange(state->follow, 0));
  join(state, state->position);
}

// Every server does it; who comes second finds it done.
void Core::compact_history() {
  if (options_.compact_interval.count() <= 0) return;
  executor_.after(options_.compact_interval, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    const Revision old = std::exchange(self->compaction_mark_, self->progress_);
    if (old > 0 && old < self->progress_) {
      self->client_->call(method::compact, encode_compaction(old), Repeat::freely,
                          [](base::Result<std::string>) {});
    }
    self->compact_history();
  });
}

}  // namespace keelway::store::etcd
