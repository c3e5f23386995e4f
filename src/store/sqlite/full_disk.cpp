// A disk without space. SQLite rolled the transaction back before any of it was committed, so
// the outcome is known: unlike after any other failure, what stands in memory is taken back and
// the engine goes on.
#include <algorithm>

#include "store/sqlite/core.h"

namespace keelway::store {

void Core::take_back(CommitOp& op) {
  Space& space = *op.space;
  if (op.kind == CommitOp::Kind::compact) space.compacting = false;
  if (op.kind == CommitOp::Kind::drop) owed_drops_.push_back(op.space);
  for (std::size_t i = op.rows.size(); i-- > 0;) {
    const LogRow& row = op.rows[i];
    space.index.undo(row.key, row.position);
    if (!space.dropped) set_expiry(space, row.key, op.expiries_before[i]);
  }
  if (op.create) space.created = false;
  space.assigned = space.durable;
}

void Core::take_back(std::vector<CommitOp> batch, const base::Error& cause) {
  const base::Error full{base::ErrorCode::unavailable,
                         "the disk of the store is full: " + cause.message +
                             "; reads go on, and writes will once there is space again"};
  {
    std::lock_guard lock(mutex_);
    // What waits was validated upon what is taken back.
    std::move(pending_.begin(), pending_.end(), std::back_inserter(batch));
    pending_.clear();
    pending_bytes_ = 0;
    in_flight_ = false;
    full_ = true;
    for (auto op = batch.rbegin(); op != batch.rend(); ++op) take_back(*op);
  }
  Answers answers;
  for (CommitOp& op : batch) answers.add(std::move(op.mailbox), std::move(op.settle));
  answers.post(&full);
  // Moving the write-ahead log into free pages of the database needs no space and makes some.
  checkpoint(true);
}

SpacePtr Core::owed_drop(const std::string& name) const {
  for (const SpacePtr& space : owed_drops_) {
    if (space->name == name) return space;
  }
  return nullptr;
}

base::Result<void> Core::write_drops(const std::vector<SpacePtr>& owed) {
  for (const SpacePtr& space : owed) {
    if (auto erased = writer_->erase_keyspace(space->id); !erased) return erased;
  }
  return {};
}

}  // namespace keelway::store
