#include "store/feed.h"

#include <algorithm>
#include <atomic>
#include <string_view>
#include <unordered_set>

namespace keelway::store {

struct Feed::Cursor {
  std::shared_ptr<Mailbox> mailbox;
  WatchRequest request;             // on its executor only
  std::atomic<bool> ended = false;  // written by the owner of the watch, and at the end
  Revision position = 0;            // guarded by Feed::mutex_
  bool scheduled = false;           // guarded by Feed::mutex_
};

class Feed::Handle final : public Watch {
 public:
  Handle(std::shared_ptr<Feed> feed, std::shared_ptr<Cursor> cursor)
      : feed_(std::move(feed)), cursor_(std::move(cursor)) {}
  ~Handle() override {
    cursor_->ended = true;
    feed_->remove(cursor_.get());
  }

 private:
  std::shared_ptr<Feed> feed_;
  std::shared_ptr<Cursor> cursor_;
};

Feed::Feed(Revision head, Revision compacted, History history, FeedLimits limits)
    : history_(std::move(history)),
      limits_(limits),
      floor_(head),
      head_(head),
      compacted_(compacted) {}

std::unique_ptr<Watch> Feed::watch(std::shared_ptr<Mailbox> mailbox, WatchRequest request) {
  auto cursor = std::make_shared<Cursor>();
  cursor->mailbox = std::move(mailbox);
  cursor->position = request.after;
  cursor->request = std::move(request);
  {
    std::lock_guard lock(mutex_);
    if (cursor->request.previous && !tail_complete_) drop_tail();
    cursors_.push_back(cursor);
    if (cursor->position < head_ || closed_) schedule(cursor);
  }
  return std::make_unique<Handle>(shared_from_this(), std::move(cursor));
}

void Feed::publish(std::vector<Event> events, Revision revision, bool with_previous) {
  std::lock_guard lock(mutex_);
  KEELWAY_INVARIANT(revision > head_, "revisions are published in order");
  if (!with_previous && any_wants_previous()) return absent(revision);
  head_ = revision;
  Chunk chunk{revision, std::move(events), 0};
  for (const Event& event : chunk.events) {
    chunk.bytes +=
        256 + event.entry.key.size() + (event.entry.value ? event.entry.value->size() : 0);
  }
  tail_events_ += chunk.events.size();
  tail_bytes_ += chunk.bytes;
  tail_.push_back(std::move(chunk));
  tail_complete_ = tail_complete_ && with_previous;
  if (trims()) {
    while (tail_.size() > 1 &&
           (tail_events_ > limits_.events_max || tail_bytes_ > limits_.bytes_max)) {
      drop_front();
    }
  }
  if (limits_.forgetful && cursors_.empty()) drop_tail();
  for (const auto& cursor : cursors_) schedule(cursor);
}

void Feed::publish_absent(Revision revision) {
  std::lock_guard lock(mutex_);
  absent(revision);
}

void Feed::absent(Revision revision) {
  KEELWAY_INVARIANT(history_ && revision > head_, "absent events can be read from the history");
  head_ = revision;
  drop_tail();
  for (const auto& cursor : cursors_) schedule(cursor);
}

void Feed::drop_tail() {
  while (!tail_.empty()) drop_front();
  floor_ = head_;
}

bool Feed::any_wants_previous() const {
  return std::any_of(cursors_.begin(), cursors_.end(),
                     [](const auto& cursor) { return cursor->request.previous; });
}

bool Feed::wants_previous() const {
  std::lock_guard lock(mutex_);
  return any_wants_previous();
}

Revision Feed::floor() const {
  std::lock_guard lock(mutex_);
  return floor_;
}

Revision Feed::head() const {
  std::lock_guard lock(mutex_);
  return head_;
}

bool Feed::wanted() const {
  std::lock_guard lock(mutex_);
  return !history_ || !cursors_.empty();
}

void Feed::forget(Revision revision) {
  std::lock_guard lock(mutex_);
  compacted_ = std::max(compacted_, revision);
  while (!tail_.empty() && tail_.front().revision <= compacted_) drop_front();
  floor_ = std::max(floor_, std::min(compacted_, head_));
  for (const auto& cursor : cursors_) {
    if (cursor->position < compacted_) schedule(cursor);
  }
}

void Feed::close(base::Error error) {
  std::lock_guard lock(mutex_);
  if (closed_) return;
  closed_ = std::move(error);
  for (const auto& cursor : cursors_) schedule(cursor);
}

void Feed::schedule(const std::shared_ptr<Cursor>& cursor) {
  if (cursor->scheduled) return;
  cursor->scheduled = true;
  cursor->mailbox->post([self = shared_from_this(), cursor] { self->pump(cursor); });
}

void Feed::pump(const std::shared_ptr<Cursor>& cursor) {
  if (cursor->ended) return;
  std::unique_lock lock(mutex_);
  cursor->scheduled = false;
  const Revision before = cursor->position;
  base::Result<EventBatch> batch = next_batch(*cursor, lock);
  if (!batch) {
    lock.unlock();
    cursor->ended = true;
    remove(cursor.get());
    if (cursor->request.on_end) cursor->request.on_end(std::move(batch.error()));
    return;
  }
  if (batch->revision <= before) return;
  cursor->position = batch->revision;
  if (trims()) trim();
  if (cursor->position < head_) schedule(cursor);
  lock.unlock();
  cursor->request.on_events(*batch);
}

base::Result<EventBatch> Feed::next_batch(Cursor& cursor, std::unique_lock<std::mutex>& lock) {
  if (closed_) return std::unexpected(*closed_);
  const std::string& prefix = cursor.request.prefix;
  const Revision oldest =
      history_ || !limits_.forgetful ? compacted_ : std::max(compacted_, floor_);
  if (cursor.position < oldest) {
    return base::fail(base::ErrorCode::expired,
                      "watch after revision " + std::to_string(cursor.position) +
                          ": history starts at " + std::to_string(oldest) + "; read again");
  }
  if (cursor.position >= head_) return EventBatch{};
  if (cursor.position >= floor_) {
    EventBatch batch;
    take_tail(cursor, batch);
    return batch;
  }
  const Revision after = cursor.position;
  lock.unlock();
  base::Result<EventBatch> batch = history_(after, limits_.batch_max, cursor.request.previous);
  lock.lock();
  if (!batch) return batch;
  // Compacted while we read: what came may have holes.
  if (after < compacted_) return next_batch(cursor, lock);
  std::erase_if(batch->events,
                [&](const Event& event) { return !event.entry.key.starts_with(prefix); });
  return batch;
}

void Feed::take_tail(const Cursor& cursor, EventBatch& batch) const {
  auto chunk =
      std::upper_bound(tail_.begin(), tail_.end(), cursor.position,
                       [](Revision position, const Chunk& c) { return position < c.revision; });
  for (; chunk != tail_.end(); ++chunk) {
    if (batch.events.size() >= limits_.batch_max) return;
    for (const Event& event : chunk->events) {
      if (!event.entry.key.starts_with(cursor.request.prefix)) continue;
      batch.events.push_back(event);
      if (!cursor.request.previous) batch.events.back().previous.reset();
    }
    batch.revision = chunk->revision;
  }
}

void Feed::remove(const Cursor* cursor) {
  std::lock_guard lock(mutex_);
  std::erase_if(cursors_, [&](const auto& other) { return other.get() == cursor; });
  if (trims()) trim();
}

void Feed::drop_front() {
  tail_events_ -= tail_.front().events.size();
  tail_bytes_ -= tail_.front().bytes;
  floor_ = tail_.front().revision;
  tail_.pop_front();
  if (tail_.empty()) tail_complete_ = true;
}

// What every cursor has read goes: the watches hold the objects now.
void Feed::trim() {
  Revision read = head_;
  for (const auto& cursor : cursors_) read = std::min(read, cursor->position);
  while (!tail_.empty() && tail_.front().revision <= read) drop_front();
}

std::string prefix_end(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xff) end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

base::Result<void> check_transaction(const Transaction& transaction) {
  for (const Put& put : transaction.puts) {
    if (put.key.empty()) return base::fail(base::ErrorCode::invalid, "put of an empty key");
    if (!put.value) return base::fail(base::ErrorCode::invalid, "put without a value: " + put.key);
  }
  if (transaction.puts.size() + transaction.deletes.size() < 2) return {};
  std::unordered_set<std::string_view> written;
  for (const Put& put : transaction.puts) {
    if (!written.insert(put.key).second) {
      return base::fail(base::ErrorCode::invalid, "key written twice in a transaction: " + put.key);
    }
  }
  for (const Delete& deletion : transaction.deletes) {
    if (!written.insert(deletion.key).second) {
      return base::fail(base::ErrorCode::invalid,
                        "key written twice in a transaction: " + deletion.key);
    }
  }
  return {};
}

}  // namespace keelway::store
