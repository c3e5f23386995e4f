// The heart of the embedded store: what is known of every keyspace, and the one committer.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "store/feed.h"
#include "store/mailbox.h"
#include "store/sqlite/answers.h"
#include "store/sqlite/key_index.h"
#include "store/sqlite/log_table.h"
#include "store/sqlite/sqlite.h"
#include "store/sqlite/vfs.h"

namespace keelway::store {

// One keyspace. Everything but the constants is guarded by Core::mutex_.
struct Space {
  Space(KeyspaceId i, std::string n) : id(i), name(std::move(n)) {}
  const KeyspaceId id;
  const std::string name;
  std::shared_ptr<Feed> feed;      // constant once the space is open; has its own lock
  KeyIndex index;                  // ahead of the disk by what waits to be committed
  Revision index_revision = 0;     // of the last row read at the start
  Revision assigned = 0;           // of the last validated transaction
  Revision durable = 0;            // of the last committed one: what readers see
  Revision compacted = 0;          // readers before it are refused
  Revision compacted_durable = 0;  // the same on disk: from here rows may go
  Position next = 0;
  bool created = false;  // its row is written or waits to be
  bool dropped = false;
  bool compacting = false;                                   // an automatic compaction waits
  std::unordered_map<std::string, std::int64_t> expires_us;  // keys with a time to live
};
using SpacePtr = std::shared_ptr<Space>;

// One unit of the commit queue. Without rows it only waits for what was validated before it.
struct CommitOp {
  enum class Kind { write, compact, drop } kind = Kind::write;
  SpacePtr space;
  Revision revision = 0;  // of the write; of the compaction
  bool create = false;    // the keyspace's row goes first
  std::vector<LogRow> rows;
  std::vector<std::int64_t> expiries_before;  // of the rows' keys, to take them back
  std::vector<Event> events;
  bool with_previous = false;  // events have the values before
  std::size_t bytes = 0;
  // Called through `mailbox` after the commit (null) or its failure. Null: nobody waits.
  std::shared_ptr<Mailbox> mailbox;
  Settle settle;
};

class Core : public std::enable_shared_from_this<Core> {
 public:
  // `executor` carries the timers; it goes after stop().
  Core(runtime::Runtime& runtime, runtime::Executor& executor, SqliteOptions options);
  base::Result<void> start();  // opens the file and reads the index
  void stop();                 // commits what waits and closes the file

  SpacePtr open(const std::string& name);
  using Committed = Keyspace::Committed;
  // `wall`: the time that times to live count from. A null mailbox wants no answer.
  void transact(const SpacePtr& space, Transaction transaction, base::WallTime wall,
                std::shared_ptr<Mailbox> mailbox, Committed done);
  void range(const SpacePtr& space, RangeRequest request, std::shared_ptr<Mailbox> mailbox,
             Keyspace::Ranged done);
  // Commits what transact() was asked for with a mailbox: the writes of one turn of an executor
  // share a commit, which is cheaper than to begin with the first alone.
  void end_turn();
  base::Result<Revision> head(const SpacePtr& space);
  void compact(const SpacePtr& space, Revision revision, std::shared_ptr<Mailbox> mailbox,
               std::move_only_function<void(base::Result<void>)> done);
  void drop(const std::string& name, std::shared_ptr<Mailbox> mailbox,
            std::move_only_function<void(base::Result<void>)> done);

 private:
  // Reading. A missing position is one whose value must be read from the log.
  struct Reading {
    SpacePtr space;
    RangeRequest request;
    RangeResult result;
    std::vector<std::pair<std::size_t, Position>> missing;
  };
  base::Result<Reading> look_up(const SpacePtr& space, const RangeRequest& request);
  // False: a row has been compacted away since, look it up again.
  base::Result<bool> read_values(Reading& reading);
  base::Result<RangeResult> read_fully(const SpacePtr& space, const RangeRequest& request);
  base::Result<EventBatch> history(const SpacePtr& space, Revision after, std::size_t limit,
                                   bool previous);
  base::Result<Bytes> read_value(Position position);

  // Validation. Under mutex_.
  base::Result<bool> holds(const Space& space, const Transaction& transaction,
                           TransactionResult& result);
  CommitOp prepare(const SpacePtr& space, Transaction transaction, base::WallTime wall);
  void add_row(CommitOp& op, std::string key, Bytes value, std::int64_t expires_us);
  void set_expiry(Space& space, const std::string& key, std::int64_t expires_us);
  void enqueue(CommitOp op);
  void wake_committer();  // what waits is due
  void start_job();       // commits what is due, then reclaims a little
  void compact_automatically(const SpacePtr& space);
  void forget(Space& space, Revision revision);

  // The committer. One job at a time.
  void commit_job();
  bool is_due();                 // and from now on no more
  std::size_t commit_pending();  // units; 0: nothing waited
  base::Result<void> write_batch(std::vector<CommitOp>& batch, const std::vector<SpacePtr>& owed);
  base::Result<void> write_op(CommitOp& op);
  base::Result<void> write_drops(const std::vector<SpacePtr>& owed);
  SpacePtr owed_drop(const std::string& name) const;  // null: none. Under mutex_
  bool complete_values(CommitOp& op);
  void settle_batch(std::vector<CommitOp>& batch, const base::Error* failure);
  void note_outcome(std::vector<CommitOp>& batch, const base::Error* failure);
  // A full disk. Nothing of the batch was written: what was validated is taken back, that which
  // waits too, and the next write tries again.
  void take_back(std::vector<CommitOp> batch, const base::Error& cause);
  void take_back(CommitOp& op);
  void reclaim_some(std::size_t count);
  base::Result<bool> write_reclaimed(const std::vector<Position>& positions, KeyspaceId purged);
  void checkpoint(bool now = false);

  base::Result<void> restore(LogRow row);
  void make_feed(const SpacePtr& space);

  // Times to live. On executor_.
  void arm();
  void expire();

  runtime::Runtime& runtime_;
  const SqliteOptions options_;
  runtime::Executor& executor_;
  const std::shared_ptr<Mailbox> own_mailbox_;
  std::unique_ptr<Vfs> vfs_;          // null: the operating system's files
  std::unique_ptr<LogTable> writer_;  // used under its database's mutex
  std::unique_ptr<LogTable> file_reader_;
  LogTable* reader_ = nullptr;  // the writer itself where the database is in memory

  // Locked in this order: commit_mutex_, mutex_, then that of a database; the committer holds a
  // database's alone, without mutex_.
  std::mutex commit_mutex_;  // held while a batch is written and settled
  std::mutex mutex_;
  // guarded by mutex_
  std::map<std::string, SpacePtr> spaces_;
  std::map<KeyspaceId, SpacePtr> by_id_;
  KeyspaceId next_id_ = 1;
  std::deque<CommitOp> pending_;
  std::size_t pending_bytes_ = 0;
  bool committing_ = false;  // a job is queued or runs
  bool due_ = false;         // what waits is to be committed now
  bool in_flight_ = false;   // a batch is being written
  bool stopped_ = false;
  std::optional<base::Error> failed_;
  bool full_ = false;                 // the last batch found no space
  std::vector<SpacePtr> owed_drops_;  // dropped, their rows in `keyspaces` are still there
  std::vector<Position> unerased_;    // gone from the index, their rows are still there
  std::set<KeyspaceId> reclaimable_;  // with rows that may be erased
  std::set<KeyspaceId> purged_;       // dropped, rows left
  std::set<std::tuple<std::int64_t, KeyspaceId, std::string>> expiries_;

  // executor_ only
  runtime::TimerId timer_ = 0;
  std::int64_t armed_us_ = 0;
};

}  // namespace keelway::store
