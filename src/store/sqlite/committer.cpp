// The one committer of the embedded store: takes what was validated, writes it in one SQLite
// transaction, then answers. Runs on a worker.
#include <algorithm>

#include "store/sqlite/core.h"

namespace keelway::store {
namespace {

constexpr std::size_t batch_max = 4096;  // units a SQLite transaction
constexpr int batches_per_job = 8;       // before the worker is left to others
constexpr std::size_t turn_max = 64;     // units that wait for the end of their turn

base::Error refusal(const std::string& since, const base::Error& cause) {
  return {base::ErrorCode::unavailable, "the store refuses writes since " + since + ": " +
                                            cause.message +
                                            "; mend the disk, then start the server again"};
}

// Whether there is anything to write; else the batch only waited for what came before it.
bool wrote(const std::vector<CommitOp>& batch) {
  return std::any_of(batch.begin(), batch.end(), [](const CommitOp& op) {
    return !op.rows.empty() || op.kind != CommitOp::Kind::write;
  });
}

}  // namespace

void Core::enqueue(CommitOp op) {
  const bool in_turn = op.kind == CommitOp::Kind::write && op.mailbox;
  pending_bytes_ += op.bytes;
  pending_.push_back(std::move(op));
  if (!in_turn || pending_.size() >= turn_max) wake_committer();
}

void Core::end_turn() {
  std::lock_guard lock(mutex_);
  if (!pending_.empty()) wake_committer();
}

void Core::wake_committer() {
  due_ = true;
  start_job();
}

void Core::start_job() {
  if (committing_ || stopped_) return;
  committing_ = true;
  runtime_.workers().run(executor_, [self = shared_from_this()] { self->commit_job(); }, [] {});
}

void Core::commit_job() {
  std::size_t committed = 0;
  for (int i = 0; i < batches_per_job && is_due(); ++i) {
    const std::size_t units = commit_pending();
    if (units == 0) break;
    committed += units;
  }
  // Faster than writes can make garbage, or the log would grow under steady load.
  reclaim_some(std::max(static_cast<std::size_t>(options_.reclaim_step), 2 * committed));
  std::lock_guard lock(mutex_);
  committing_ = false;
  const bool reclaims = !failed_ && !full_ && (!reclaimable_.empty() || !purged_.empty());
  if (due_ || reclaims) start_job();
}

bool Core::is_due() {
  std::lock_guard lock(mutex_);
  return std::exchange(due_, false);
}

std::size_t Core::commit_pending() {
  std::lock_guard committing(commit_mutex_);
  std::vector<CommitOp> batch;
  std::vector<SpacePtr> owed;  // only what holds commit_mutex_ adds some
  std::optional<base::Error> failure, full;
  {
    std::lock_guard lock(mutex_);
    while (!pending_.empty() && batch.size() < batch_max) {
      pending_bytes_ -= pending_.front().bytes;
      batch.push_back(std::move(pending_.front()));
      pending_.pop_front();
    }
    if (batch.empty()) return 0;
    due_ = due_ || !pending_.empty();  // more than one batch was due
    in_flight_ = true;
    owed = owed_drops_;
    failure = failed_;
  }
  if (!failure) {
    std::lock_guard lock(writer_->database().mutex);
    const base::Result<void> written = write_batch(batch, owed);
    if (!written) {
      writer_->roll_back();
      if (written.error().code == base::ErrorCode::exhausted) full = written.error();
      failure = refusal("a commit failed", written.error());
    }
  }
  if (full) {
    const std::size_t units = batch.size();
    take_back(std::move(batch), *full);
    return units;
  }
  settle_batch(batch, failure ? &*failure : nullptr);
  if (!failure) checkpoint();
  return batch.size();
}

base::Result<void> Core::write_batch(std::vector<CommitOp>& batch,
                                     const std::vector<SpacePtr>& owed) {
  if (!wrote(batch)) return {};
  if (auto begun = writer_->begin(); !begun) return begun;
  if (auto dropped = write_drops(owed); !dropped) return dropped;
  for (CommitOp& op : batch) {
    if (auto written = write_op(op); !written) return written;
  }
  return writer_->commit();
}

base::Result<void> Core::write_op(CommitOp& op) {
  const Space& space = *op.space;
  switch (op.kind) {
    case CommitOp::Kind::compact:
      return writer_->put_keyspace({space.id, space.name, op.revision});
    case CommitOp::Kind::drop:
      return writer_->erase_keyspace(space.id);
    case CommitOp::Kind::write:
      break;
  }
  if (op.create) {
    if (auto made = writer_->put_keyspace({space.id, space.name, 0}); !made) return made;
  }
  op.with_previous = complete_values(op);
  for (const LogRow& row : op.rows) {
    if (auto appended = writer_->append(row); !appended) return appended;
  }
  return {};
}

// Some watches want the values before. Mostly somebody still holds them, else they are read here;
// where that fails these watches read the revision from the log later.
bool Core::complete_values(CommitOp& op) {
  if (!op.space->feed->wants_previous()) return false;
  for (std::size_t i = 0; i < op.events.size(); ++i) {
    std::optional<Entry>& previous = op.events[i].previous;
    if (!previous || previous->value) continue;
    base::Result<std::optional<LogRow>> row = writer_->row(op.rows[i].previous);
    if (!row || !*row || !(*row)->value) return false;
    previous->value = std::move((*row)->value);
  }
  return true;
}

void Core::note_outcome(std::vector<CommitOp>& batch, const base::Error* failure) {
  std::lock_guard lock(mutex_);
  in_flight_ = false;
  if (failure != nullptr && !failed_) failed_ = *failure;
  if (failure == nullptr && wrote(batch)) {
    full_ = false;
    for (const SpacePtr& space : std::exchange(owed_drops_, {})) purged_.insert(space->id);
  }
  for (CommitOp& op : batch) {
    if (failure != nullptr) break;
    Space& space = *op.space;
    if (op.kind == CommitOp::Kind::drop) purged_.insert(space.id);
    if (op.kind == CommitOp::Kind::compact) {
      space.compacting = false;
      space.compacted_durable = std::max(space.compacted_durable, op.revision);
    }
    if (op.kind == CommitOp::Kind::write && !op.rows.empty()) space.durable = op.revision;
    if (!space.dropped && space.index.reclaimable(space.compacted_durable)) {
      reclaimable_.insert(space.id);
    }
  }
}

void Core::settle_batch(std::vector<CommitOp>& batch, const base::Error* failure) {
  note_outcome(batch, failure);
  Answers answers;
  for (CommitOp& op : batch) {
    if (failure == nullptr && op.kind == CommitOp::Kind::write && !op.rows.empty()) {
      Feed& feed = *op.space->feed;
      if (!feed.wanted())
        feed.publish_absent(op.revision);
      else
        feed.publish(std::move(op.events), op.revision, op.with_previous);
      compact_automatically(op.space);
    }
    answers.add(std::move(op.mailbox), std::move(op.settle));
  }
  // After the events, so that whoever has its answer finds its write in the views.
  answers.post(failure);
}

void Core::compact_automatically(const SpacePtr& space) {
  Revision revision = 0;
  {
    std::lock_guard lock(mutex_);
    const std::size_t garbage = space->index.garbage();
    const double wanted = options_.garbage_factor * static_cast<double>(space->index.live());
    if (space->dropped || space->compacting || stopped_) return;
    if (garbage <= options_.garbage_min || static_cast<double>(garbage) <= wanted) return;
    // The older half goes, unless that is too young.
    revision =
        std::min(space->index.superseded_at(garbage / 2), space->durable - options_.history_min);
    if (revision <= space->compacted) return;
    space->compacting = true;
  }
  compact(space, revision, nullptr, nullptr);
}

// One small step of erasing rows that nobody can read any more.
void Core::reclaim_some(std::size_t count) {
  std::lock_guard committing(commit_mutex_);
  std::vector<Position> positions;  // with what a full disk has left over
  SpacePtr clean;
  KeyspaceId purge = 0;
  {
    std::lock_guard lock(mutex_);
    if (stopped_ || failed_ || full_) return;
    positions = std::exchange(unerased_, {});
    const bool leftover = !positions.empty();
    if (!leftover && !reclaimable_.empty()) {
      const KeyspaceId id = *reclaimable_.begin();
      const SpacePtr& space = by_id_.at(id);
      positions = space->index.reclaim(space->compacted_durable, count);
      if (!space->index.reclaimable(space->compacted_durable)) {
        reclaimable_.erase(id);
        clean = space;
      }
    } else if (!leftover && !purged_.empty()) {
      purge = *purged_.begin();
    } else if (!leftover) {
      return;
    }
  }
  base::Result<bool> written;  // false: the purge is through
  {
    std::lock_guard lock(writer_->database().mutex);
    written = write_reclaimed(positions, purge);
    if (!written) writer_->roll_back();
  }
  if (!written) {
    std::lock_guard lock(mutex_);
    full_ = written.error().code == base::ErrorCode::exhausted;
    unerased_ = std::move(positions);
    if (!full_) failed_ = refusal("compaction failed", written.error());
    return;
  }
  if (!*written) {
    std::lock_guard lock(mutex_);
    purged_.erase(purge);
  }
  checkpoint();
  if (clean) compact_automatically(clean);
}

base::Result<bool> Core::write_reclaimed(const std::vector<Position>& positions,
                                         KeyspaceId purged) {
  if (auto begun = writer_->begin(); !begun) return std::unexpected(begun.error());
  for (const Position position : positions) {
    if (auto erased = writer_->erase(position); !erased) return std::unexpected(erased.error());
  }
  base::Result<bool> left = true;
  if (purged != 0) left = writer_->erase_some(purged, options_.reclaim_step);
  if (!left) return left;
  if (auto committed = writer_->commit(); !committed) return std::unexpected(committed.error());
  return left;
}

void Core::checkpoint(bool now) {
  base::Result<void> done;
  {
    std::lock_guard lock(writer_->database().mutex);
    if (!now && writer_->database().wal_pages() < options_.checkpoint_pages) return;
    done = writer_->database().checkpoint();
  }
  // A full disk keeps the write-ahead log as it is. After any other failure nobody knows what
  // has reached the disk, so the log must not be trusted to be copied another time.
  if (done || done.error().code == base::ErrorCode::exhausted) return;
  std::lock_guard lock(mutex_);
  if (!failed_) failed_ = refusal("a checkpoint failed", done.error());
}

void Core::stop() {
  own_mailbox_->close();
  while (commit_pending() != 0) {
  }
  std::lock_guard committing(commit_mutex_);
  std::lock_guard lock(mutex_);
  stopped_ = true;
}

}  // namespace keelway::store
