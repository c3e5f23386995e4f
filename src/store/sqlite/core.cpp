// Validation, reads, times to live. The committer is in committer.cpp.
#include "store/sqlite/core.h"

#include <algorithm>

namespace keelway::store {
namespace {

constexpr base::Duration wait_max = std::chrono::hours(24);  // for a time to live, then it looks
constexpr base::Duration full_disk_pause = std::chrono::seconds(1);  // between two tries to expire

base::Error dropped_error(const Space& space) {
  return {base::ErrorCode::not_found, "keyspace " + space.name + " was dropped"};
}

template <class Done, class Answer>
void answer(const std::shared_ptr<Mailbox>& mailbox, Done done, Answer result) {
  if (!mailbox) return;
  mailbox->post(
      [done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
}

constexpr Revision revision_max = Revision(1) << 62;
constexpr std::int64_t expiry_max = std::int64_t(1) << 62;
constexpr KeyspaceId keyspace_id_end = KeyspaceId(1) << 22;
constexpr Position rows_left_min = 1 << 20;  // positions that a keyspace must still have

std::unexpected<base::Error> damaged(const std::string& what) {
  return base::fail(base::ErrorCode::internal,
                    "the database is damaged: " + what +
                        "; restore a backup, or see `keelway check` for all that is wrong");
}

// What no server writes into a row. Its columns are not sealed: a flipped bit may say anything.
const char* fault_of(const LogRow& row, Revision before) {
  const Position end = first_position(keyspace_of(row.position) + 1);
  if (row.position > end - rows_left_min) return "is beyond the keyspace's positions";
  if (row.revision <= 0 || row.revision > revision_max) return "has a revision that is none";
  if (row.revision < before) return "has a revision that goes back";
  if (row.created < 0 || row.created > row.revision) return "was created after it was written";
  if (row.expires_us < 0 || row.expires_us > expiry_max) return "expires at a time that is none";
  if (row.expires_us != 0 && row.created == 0) return "is a deletion with a time to live";
  if (row.key.empty()) return "has no key";
  return nullptr;
}

}  // namespace

Core::Core(runtime::Runtime& runtime, runtime::Executor& executor, SqliteOptions options)
    : runtime_(runtime),
      options_(std::move(options)),
      executor_(executor),
      own_mailbox_(std::make_shared<Mailbox>(executor)) {}

base::Result<void> Core::start() {
  if (options_.in_runtime_files) vfs_ = Vfs::make(runtime_);
  const std::string vfs = vfs_ ? vfs_->name() : system_vfs;
  base::Result<std::unique_ptr<LogTable>> writer = LogTable::open(options_.path, true, vfs);
  if (!writer) return std::unexpected(writer.error());
  writer_ = std::move(*writer);
  reader_ = writer_.get();
  if (options_.path != ":memory:") {
    base::Result<std::unique_ptr<LogTable>> reader = LogTable::open(options_.path, false, vfs);
    if (!reader) return std::unexpected(reader.error());
    file_reader_ = std::move(*reader);
    reader_ = file_reader_.get();
  }
  const auto keyspaces = writer_->keyspaces();
  if (!keyspaces) return std::unexpected(keyspaces.error());
  for (const KeyspaceRow& row : *keyspaces) {
    const bool good = row.id > 0 && row.id < keyspace_id_end && row.compacted >= 0 &&
                      row.compacted <= revision_max;
    if (!good) return damaged("keyspace " + row.name + " has an id or revision that is none");
    auto space = std::make_shared<Space>(row.id, row.name);
    space->compacted = space->compacted_durable = space->assigned = row.compacted;
    space->next = first_position(row.id) + 1;
    space->created = true;
    spaces_[row.name] = by_id_[row.id] = space;
    next_id_ = std::max(next_id_, row.id + 1);
  }
  base::Result<void> sound;
  const auto take = [this, &sound](LogRow row) {
    if (sound) sound = restore(std::move(row));
  };
  if (auto read = writer_->scan(take); !read) return read;
  if (!sound) return sound;
  for (const auto& [name, space] : spaces_) {
    space->durable = space->assigned;
    make_feed(space);
    if (space->index.reclaimable(space->compacted)) reclaimable_.insert(space->id);
  }
  std::lock_guard lock(mutex_);
  if (!reclaimable_.empty() || !purged_.empty()) start_job();
  if (!expiries_.empty())
    own_mailbox_->post([self = weak_from_this()] {
      if (const auto core = self.lock()) core->arm();
    });
  return {};
}

base::Result<void> Core::restore(LogRow row) {
  const KeyspaceId id = keyspace_of(row.position);
  if (id <= 0 || id >= keyspace_id_end) {
    return damaged("there is a row at position " + std::to_string(row.position));
  }
  next_id_ = std::max(next_id_, id + 1);
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) {
    purged_.insert(id);  // dropped before, not all rows are gone
    return {};
  }
  Space& space = *found->second;
  if (const char* fault = fault_of(row, space.index_revision)) {
    return damaged("row " + std::to_string(row.position) + " of keyspace " + space.name + " " +
                   fault);
  }
  space.index_revision = row.revision;
  space.index.restore(row.key, {row.created, row.revision, row.position});
  set_expiry(space, row.key, row.expires_us);
  space.assigned = std::max(space.assigned, row.revision);
  space.next = row.position + 1;
  return {};
}

void Core::make_feed(const SpacePtr& space) {
  auto history = [self = weak_from_this(), weak = std::weak_ptr(space)](
                     Revision after, std::size_t limit, bool previous) -> base::Result<EventBatch> {
    const auto core = self.lock();
    const auto keyspace = weak.lock();
    if (!core || !keyspace) return base::fail(base::ErrorCode::unavailable, "the store is closed");
    return core->history(keyspace, after, limit, previous);
  };
  space->feed = std::make_shared<Feed>(space->durable, space->compacted, std::move(history));
}

SpacePtr Core::open(const std::string& name) {
  std::lock_guard lock(mutex_);
  SpacePtr& space = spaces_[name];
  if (!space) {
    space = std::make_shared<Space>(next_id_++, name);
    space->next = first_position(space->id) + 1;
    by_id_[space->id] = space;
    make_feed(space);
  }
  return space;
}

base::Result<bool> Core::holds(const Space& space, const Transaction& transaction,
                               TransactionResult& result) {
  bool all = true;
  for (const Compare& compare : transaction.compares) {
    std::optional<KeyIndex::Found> found = space.index.find(compare.key);
    if ((found ? found->version.modified : 0) == compare.modified) continue;
    all = false;
    if (!found) continue;
    // A value that nobody holds is committed, and cannot be reclaimed while we have the lock.
    if (!found->value) {
      base::Result<Bytes> value = read_value(found->version.position);
      if (!value) return std::unexpected(value.error());
      found->value = std::move(*value);
    }
    result.conflicts.push_back(
        {compare.key, std::move(found->value), found->version.created, found->version.modified});
  }
  return all;
}

void Core::transact(const SpacePtr& space, Transaction transaction, base::WallTime wall,
                    std::shared_ptr<Mailbox> mailbox, Committed done) {
  using Result = base::Result<TransactionResult>;
  if (auto checked = check_transaction(transaction); !checked) {
    return answer(mailbox, std::move(done), Result(std::unexpected(checked.error())));
  }
  std::lock_guard lock(mutex_);
  std::optional<base::Error> refused;
  if (space->dropped)
    refused = dropped_error(*space);
  else if (failed_)
    refused = failed_;
  else if (stopped_)
    refused = base::Error{base::ErrorCode::unavailable, "the store is closed"};
  else if (mailbox && pending_bytes_ > options_.pending_bytes_max) {
    refused = base::Error{base::ErrorCode::unavailable,
                          "too many writes wait for the disk; try again later"};
  }
  if (refused) return answer(mailbox, std::move(done), Result(std::unexpected(*refused)));
  TransactionResult result;
  const base::Result<bool> all = holds(*space, transaction, result);
  if (!all) return answer(mailbox, std::move(done), Result(std::unexpected(all.error())));
  CommitOp op;
  op.space = space;
  if (*all) op = prepare(space, std::move(transaction), wall);
  result.committed = *all;
  result.revision = space->assigned;
  if (op.rows.empty() && pending_.empty() && !in_flight_) {
    return answer(mailbox, std::move(done), Result(std::move(result)));
  }
  // Even an answer without a write waits for what it saw to be durable.
  op.mailbox = std::move(mailbox);
  if (done) {
    op.settle = [done = std::move(done),
                 result = std::move(result)](const base::Error* failure) mutable {
      done(failure != nullptr ? Result(std::unexpected(*failure)) : Result(std::move(result)));
    };
  }
  enqueue(std::move(op));
}

CommitOp Core::prepare(const SpacePtr& space, Transaction transaction, base::WallTime wall) {
  CommitOp op;
  op.space = space;
  std::erase_if(transaction.deletes,
                [&](const Delete& deletion) { return !space->index.find(deletion.key); });
  if (transaction.puts.empty() && transaction.deletes.empty()) return op;
  op.revision = ++space->assigned;
  op.create = !std::exchange(space->created, true);
  for (Put& put : transaction.puts) {
    const std::int64_t expires_us =
        put.time_to_live ? std::max<std::int64_t>(1, (wall + *put.time_to_live).microseconds) : 0;
    add_row(op, std::move(put.key), std::move(put.value), expires_us);
  }
  for (Delete& deletion : transaction.deletes) add_row(op, std::move(deletion.key), nullptr, 0);
  return op;
}

void Core::add_row(CommitOp& op, std::string key, Bytes value, std::int64_t expires_us) {
  Space& space = *op.space;
  LogRow row;
  row.position = space.next++;
  row.revision = op.revision;
  row.expires_us = expires_us;
  const auto [version, before] = space.index.write(key, value, op.revision, row.position);
  row.created = version.created;
  Event event;
  event.type = value ? Event::Type::put : Event::Type::deletion;
  event.entry = {key, value, row.created, op.revision};
  const auto expiry = space.expires_us.find(key);
  op.expiries_before.push_back(expiry == space.expires_us.end() ? 0 : expiry->second);
  if (before) {
    row.previous = before->version.position;
    event.previous = Entry{key, before->value, before->version.created, before->version.modified};
  }
  set_expiry(space, key, expires_us);
  op.bytes += 128 + key.size() + (value ? value->size() : 0);
  row.key = std::move(key);
  row.value = std::move(value);
  op.rows.push_back(std::move(row));
  op.events.push_back(std::move(event));
}

void Core::set_expiry(Space& space, const std::string& key, std::int64_t expires_us) {
  if (expires_us == 0 && space.expires_us.empty()) return;  // the usual case
  if (const auto old = space.expires_us.find(key); old != space.expires_us.end()) {
    expiries_.erase({old->second, space.id, key});
    space.expires_us.erase(old);
  }
  if (expires_us == 0) return;
  space.expires_us[key] = expires_us;
  const auto [at, fresh] = expiries_.emplace(expires_us, space.id, key);
  if (at != expiries_.begin() || !space.feed) return;
  own_mailbox_->post([self = weak_from_this()] {
    if (const auto core = self.lock()) core->arm();
  });
}

// One timer for the earliest key; none when no key has a time to live.
void Core::arm() {
  std::int64_t earliest = 0;
  base::Duration pause(0);
  {
    std::lock_guard lock(mutex_);
    if (!expiries_.empty() && !stopped_ && !failed_) earliest = std::get<0>(*expiries_.begin());
    if (full_) pause = full_disk_pause;
  }
  if (earliest == armed_us_ && timer_ != 0) return;
  if (timer_ != 0) executor_.cancel(timer_);
  timer_ = 0;
  armed_us_ = earliest;
  if (earliest == 0) return;
  const base::Duration wait = base::WallTime{earliest} - executor_.wall_now();
  timer_ = executor_.after(std::clamp(wait, pause, wait_max), [self = weak_from_this()] {
    if (const auto core = self.lock()) core->expire();
  });
}

void Core::expire() {
  timer_ = 0;
  const std::int64_t now = executor_.wall_now().microseconds;
  std::vector<std::pair<SpacePtr, Transaction>> due;
  {
    std::lock_guard lock(mutex_);
    // They stay listed until the deletion is validated; one that fails puts them back.
    for (const auto& [at, id, key] : expiries_) {
      if (at > now) break;
      const SpacePtr& space = by_id_.at(id);
      const auto found = space->index.find(key);
      KEELWAY_INVARIANT(found, "a key that is not there has a time to live: " + key);
      Transaction transaction;
      transaction.compares.push_back({key, found->version.modified});
      transaction.deletes.push_back({key});
      due.emplace_back(space, std::move(transaction));
    }
  }
  for (auto& [space, transaction] : due) {
    transact(space, std::move(transaction), {}, nullptr, nullptr);
  }
  arm();
}

base::Result<Core::Reading> Core::look_up(const SpacePtr& space, const RangeRequest& request) {
  std::lock_guard lock(mutex_);
  if (space->dropped) return std::unexpected(dropped_error(*space));
  if (request.revision > space->durable) {
    return base::fail(base::ErrorCode::invalid,
                      "range at revision " + std::to_string(request.revision) +
                          " of the future; the head is " + std::to_string(space->durable));
  }
  Reading reading{space, request, {}, {}};
  RangeResult& result = reading.result;
  result.revision = request.revision == 0 ? space->durable : request.revision;
  if (result.revision < space->compacted) {
    return base::fail(base::ErrorCode::expired,
                      "range at revision " + std::to_string(request.revision) +
                          ": history starts at " + std::to_string(space->compacted) +
                          "; read again");
  }
  space->index.scan(
      request.prefix, request.start_after, result.revision, [&](const KeyIndex::Listed& listed) {
        if (request.limit != 0 && result.entries.size() == request.limit) {
          result.more = true;
          return false;
        }
        const VersionRef& version = listed.version;
        if (!listed.value) {
          reading.missing.emplace_back(result.entries.size(), version.position);
        }
        result.entries.push_back({listed.key, listed.value, version.created, version.modified});
        return true;
      });
  return reading;
}

base::Result<bool> Core::read_values(Reading& reading) {
  std::lock_guard lock(reader_->database().mutex);
  // One snapshot for all: else every row takes and gives back the locks of the file.
  Database& database = reader_->database();
  if (auto begun = database.execute("BEGIN"); !begun) return std::unexpected(begun.error());
  base::Result<bool> complete = true;
  for (const auto& [entry, position] : reading.missing) {
    base::Result<std::optional<LogRow>> row = reader_->row(position);
    if (!row)
      complete = std::unexpected(row.error());
    else if (!*row)
      complete = false;
    else
      reading.result.entries[entry].value = std::move((*row)->value);
    if (!complete || !*complete) break;
  }
  static_cast<void>(database.execute("END"));
  return complete;
}

base::Result<RangeResult> Core::read_fully(const SpacePtr& space, const RangeRequest& request) {
  for (int attempt = 0; attempt < 10; ++attempt) {
    base::Result<Reading> reading = look_up(space, request);
    if (!reading) return std::unexpected(reading.error());
    const base::Result<bool> complete = read_values(*reading);
    if (!complete) return std::unexpected(complete.error());
    if (*complete) return std::move(reading->result);
  }
  return base::fail(
      base::ErrorCode::internal,
      "keyspace " + space->name + ": rows of the log are missing; restore the file from a backup");
}

void Core::range(const SpacePtr& space, RangeRequest request, std::shared_ptr<Mailbox> mailbox,
                 Keyspace::Ranged done) {
  base::Result<Reading> reading = look_up(space, request);
  if (!reading || reading->missing.empty()) {
    base::Result<RangeResult> result;
    if (reading)
      result = std::move(reading->result);
    else
      result = std::unexpected(reading.error());
    return answer(mailbox, std::move(done), std::move(result));
  }
  auto work = [self = shared_from_this(), space, request = std::move(request),
               mailbox = std::move(mailbox), done = std::move(done)]() mutable {
    answer(mailbox, std::move(done), self->read_fully(space, request));
  };
  std::lock_guard lock(mutex_);
  if (!stopped_) runtime_.workers().run(executor_, std::move(work), [] {});
}

base::Result<Revision> Core::head(const SpacePtr& space) {
  std::lock_guard lock(mutex_);
  if (space->dropped) return std::unexpected(dropped_error(*space));
  return space->durable;
}

base::Result<EventBatch> Core::history(const SpacePtr& space, Revision after, std::size_t limit,
                                       bool previous) {
  Position end = 0;
  {
    std::lock_guard lock(mutex_);
    end = space->next;
  }
  std::lock_guard lock(reader_->database().mutex);
  return reader_->events(first_position(space->id), end, {after, limit, previous});
}

base::Result<Bytes> Core::read_value(Position position) {
  std::lock_guard lock(reader_->database().mutex);
  base::Result<std::optional<LogRow>> row = reader_->row(position);
  if (!row) return std::unexpected(row.error());
  if (!*row || !(*row)->value) {
    return base::fail(base::ErrorCode::internal,
                      "row " + std::to_string(position) +
                          " of the log is missing; restore the file from a backup");
  }
  return std::move((*row)->value);
}

void Core::compact(const SpacePtr& space, Revision revision, std::shared_ptr<Mailbox> mailbox,
                   std::move_only_function<void(base::Result<void>)> done) {
  using Result = base::Result<void>;
  std::lock_guard lock(mutex_);
  std::optional<base::Error> refused;
  if (space->dropped)
    refused = dropped_error(*space);
  else if (failed_)
    refused = failed_;
  else if (revision > space->durable) {
    refused = base::Error{base::ErrorCode::invalid,
                          "compaction of the future: revision " + std::to_string(revision) +
                              ", the head is " + std::to_string(space->durable)};
  }
  if (refused) return answer(mailbox, std::move(done), Result(std::unexpected(*refused)));
  if (stopped_ || revision <= space->compacted) return answer(mailbox, std::move(done), Result());
  forget(*space, revision);
  CommitOp op;
  op.kind = CommitOp::Kind::compact;
  op.space = space;
  op.revision = revision;
  op.mailbox = std::move(mailbox);
  if (done) {
    op.settle = [done = std::move(done)](const base::Error* failure) mutable {
      done(failure == nullptr ? Result() : std::unexpected(*failure));
    };
  }
  enqueue(std::move(op));
}

// Readers are refused at once; the rows go once the compaction itself is on disk.
void Core::forget(Space& space, Revision revision) {
  space.compacted = revision;
  space.feed->forget(revision);
}

void Core::drop(const std::string& name, std::shared_ptr<Mailbox> mailbox,
                std::move_only_function<void(base::Result<void>)> done) {
  std::lock_guard lock(mutex_);
  const auto found = spaces_.find(name);
  const SpacePtr space = found == spaces_.end() ? owed_drop(name) : found->second;
  if (!space) {
    return answer(mailbox, std::move(done), base::Result<void>());
  }
  if (failed_ || stopped_) {
    const base::Error error =
        failed_ ? *failed_ : base::Error{base::ErrorCode::unavailable, "the store is closed"};
    return answer(mailbox, std::move(done), base::Result<void>(std::unexpected(error)));
  }
  CommitOp op;
  op.kind = CommitOp::Kind::drop;
  op.space = space;
  op.mailbox = std::move(mailbox);
  if (done) {
    op.settle = [done = std::move(done)](const base::Error* failure) mutable {
      done(failure == nullptr ? base::Result<void>() : std::unexpected(*failure));
    };
  }
  if (space->dropped) return enqueue(std::move(op));  // as before, on a disk that was full then
  spaces_.erase(found);
  by_id_.erase(space->id);
  reclaimable_.erase(space->id);
  for (const auto& [key, at] : space->expires_us) expiries_.erase({at, space->id, key});
  space->expires_us.clear();
  space->dropped = true;
  space->feed->close(dropped_error(*space));
  if (!space->created)
    return answer(op.mailbox, std::move(op.settle), static_cast<const base::Error*>(nullptr));
  enqueue(std::move(op));
}

}  // namespace keelway::store
