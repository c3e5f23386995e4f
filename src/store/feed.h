// The watches of one keyspace: a tail of recent events in memory and a cursor for each watch,
// which reads the tail or, where it has left that, the engine's history. Any thread.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "store/mailbox.h"
#include "store/store.h"

namespace keelway::store {

struct FeedLimits {
  // The tail keeps at most this much for slow watches; what is dropped comes from history.
  std::size_t events_max = 20'000;
  std::size_t bytes_max = 64u << 20;
  std::size_t batch_max = 1'000;  // events a delivery, before whole revisions are completed
  // Without a history: what every watch has read goes, and a watch that falls behind the bounds or
  // asks for what is gone ends with expired. Otherwise the tail is kept until forget().
  bool forgetful = false;
};

class Feed : public std::enable_shared_from_this<Feed> {
 public:
  // Events after `after`, whole revisions, at most about `limit` events. Runs on the executor of
  // the watch that needs it.
  using History =
      std::function<base::Result<EventBatch>(Revision after, std::size_t limit, bool previous)>;
  // `head`: events up to it are only in the history. Without a history the tail is never
  // shortened but by forget().
  Feed(Revision head, Revision compacted, History history, FeedLimits limits = {});

  std::unique_ptr<Watch> watch(std::shared_ptr<Mailbox> mailbox, WatchRequest request);
  // All of one revision; calls come in the order of revisions. Without the values before, a
  // watch that wants them reads the revision from the history.
  void publish(std::vector<Event> events, Revision revision, bool with_previous = true);
  // As publish, of a revision whose events are only in the history.
  void publish_absent(Revision revision);
  // Watches after this revision, or a later one, are served from the tail.
  Revision floor() const;
  Revision head() const;
  // Whether anyone would read what is published, and with the values before.
  bool wanted() const;
  bool wants_previous() const;
  // Compaction: cursors before `revision` end with expired.
  void forget(Revision revision);
  // Ends every watch, now and later.
  void close(base::Error error);

 private:
  struct Cursor;
  class Handle;
  struct Chunk {
    Revision revision = 0;
    std::vector<Event> events;
    std::size_t bytes = 0;
  };
  void schedule(const std::shared_ptr<Cursor>& cursor);
  void pump(const std::shared_ptr<Cursor>& cursor);
  // Null: nothing to deliver. Under the lock.
  base::Result<EventBatch> next_batch(Cursor& cursor, std::unique_lock<std::mutex>& lock);
  void take_tail(const Cursor& cursor, EventBatch& batch) const;
  void remove(const Cursor* cursor);
  void absent(Revision revision);
  void drop_front();
  void drop_tail();
  bool any_wants_previous() const;
  void trim();
  bool trims() const { return history_ || limits_.forgetful; }

  const History history_;
  const FeedLimits limits_;
  mutable std::mutex mutex_;
  // guarded by mutex_
  std::vector<std::shared_ptr<Cursor>> cursors_;
  std::deque<Chunk> tail_;     // every event in (floor_, head_]
  bool tail_complete_ = true;  // the tail has the values before
  std::size_t tail_events_ = 0, tail_bytes_ = 0;
  Revision floor_, head_, compacted_;
  std::optional<base::Error> closed_;
};

// The first key after all that start with `prefix`; empty: there is none.
std::string prefix_end(std::string_view prefix);

// A transaction that writes one key twice, or puts no value, is no transaction.
base::Result<void> check_transaction(const Transaction& transaction);

}  // namespace keelway::store
