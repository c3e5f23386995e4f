// What one server knows of one keyspace: the current objects, a window of recent events, and
// fan-out to those who watch. One copy of each object, shared with everyone.
//
// A Cache belongs to the executor that its Keyspace was opened on: every call is made and every
// callback runs there. It may be destroyed there at any time, but not from within a callback of
// its own; pending callbacks are dropped then.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "runtime/runtime.h"
#include "schema/object.h"
#include "store/store.h"
#include "watch/keys.h"

namespace keelway::watch {

using schema::Object;
using schema::ObjectPtr;
using store::Revision;

struct CacheEvent {
  enum class Type { added, modified, deleted } type = Type::added;
  std::string key;
  // Never null. Of a deletion: the last state, at the revision of the deletion.
  ObjectPtr object;
  ObjectPtr previous;  // null where added; as it was, with its own revision
  Revision revision = 0;
};
// One allocation an event, whoever watches. Its address identifies it, so that an encoding can
// be kept beside it.
using CacheEventPtr = std::shared_ptr<const CacheEvent>;

struct CacheBatch {
  const std::vector<CacheEventPtr>& events;  // whole revisions, in order
  Revision revision = 0;                     // everything up to here is included
  // The objects that were there when the cache started, as added events in key order, in one or
  // more batches; only observers see these. The cache is not ready before the last of them.
  bool initial = false;
};

struct CacheLimits {
  std::size_t events_max = 10'000;    // of the history window, then the oldest go
  std::size_t bytes_max = 64u << 20;  // of superseded objects that only history holds
  std::size_t page = 2'000;           // entries per range of the store
  // Revisions that start() replays from the store into the window, where it still has them, so
  // that watchers of the server before can resume. They cost what their old states weigh.
  std::size_t replayed_max = 1'000;
};

struct Scan {
  // Everything that starts with it. Fastest: a resource's or a namespace's prefix.
  std::string prefix;
  std::string start_after;  // only keys greater than this; empty: from the start
  Revision revision = 0;    // 0: now. Older ones are rebuilt from the history window
};

// Ends on destruction; nothing is delivered afterwards. May be destroyed in a callback.
class CacheSubscription {
 public:
  virtual ~CacheSubscription() = default;
};

struct SubscribeRequest {
  // "" (everything), a resource's prefix, a namespace's prefix, or one whole key.
  std::string prefix;
  // Narrows what is delivered to events whose object has, or had before, this text in the field
  // at a path of members ("spec.nodeName"; Object::field). An empty path: all events. A backlog
  // and the events beside them in a batch may come too: the subscriber still filters.
  std::string field = {}, text = {};
  // Events with a greater revision. May lie in the future.
  Revision after = 0;
  // A feed that was lost is made good by the differences between what was told and what is there.
  // For subscribers of this process: the revisions of those deletions are made up, so who resumes
  // at another server from one of them would hear of things twice or not at all.
  bool takes_differences = false;
  // Only batches with matching events come; progress beyond is Cache::revision(). What the window
  // already holds comes first, in a task of its own, never inside subscribe().
  std::move_only_function<void(const CacheBatch&)> on_batch;
  // The feed cannot be continued without a gap; list again. Nothing follows.
  std::move_only_function<void(base::Error)> on_end;
};

class Cache {
 public:
  Cache(runtime::Executor& executor, store::Keyspace& keyspace, CacheLimits limits = {});
  ~Cache();
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

  // Called for every applied batch before any subscriber, in order of registration; for views
  // that must agree with the cache at all times (permissions, served kinds). Registered before
  // start() it also sees the initial state. Must not change the set of observers meanwhile.
  [[nodiscard]] std::unique_ptr<CacheSubscription> observe(
      std::move_only_function<void(const CacheBatch&)> sink);

  // Reads everything, then follows. The window reaches back CacheLimits::replayed_max revisions.
  // `done` comes once: ready, or why the first read failed (then the cache is not ready). Where the
  // store's history does not reach back to the loss of a feed, observers and those who take them
  // hear the differences, other subscriptions end with expired, and resuming from before answers
  // that, too.
  void start(std::move_only_function<void(base::Result<void>)> done);
  bool ready() const;
  // Every write up to here is visible. Never goes back.
  Revision revision() const;
  // subscribe(after) and scans work from here on; before: expired.
  Revision oldest_revision() const;

  ObjectPtr get(std::string_view key) const;  // null where absent
  // What a write that is on its way will leave, without resourceVersion: whoever reads it soon need
  // not parse `bytes`. Of the write that is refused nothing remains.
  void expect(store::Bytes bytes, value::Value document);
  // Of the write that left a value which does not open under the key; 0: there is none. Such a key
  // has no object here, or the last one that could be read.
  Revision unreadable(std::string_view key) const;
  std::size_t unreadable_count() const;
  // Objects under a resource's prefix (O(1)), or under any other prefix (O(those)).
  std::size_t count(std::string_view prefix) const;
  // In key order until `visit` answers false. Fails with expired where scan.revision has left the
  // window, with unavailable where it lies in the future; both before the first visit. The cache
  // must not be changed from inside.
  base::Result<void> scan(
      const Scan& scan,
      const std::function<bool(std::string_view key, const ObjectPtr& object)>& visit) const;

  // Fails with expired where `after` is older than the window.
  [[nodiscard]] base::Result<std::unique_ptr<CacheSubscription>> subscribe(
      SubscribeRequest request);

  // Runs `done(true)` in a task once the cache has reached `revision`, `done(false)` after
  // `timeout`. Subscribers have seen the revision by then. Destroying the cache drops it.
  void wait_for(Revision revision, std::optional<base::Duration> timeout,
                std::move_only_function<void(bool reached)> done);
  // Asks the store for its head and waits for that: what the cache holds in `done` is no older
  // than this call. Fails as the store does, or with unavailable after `timeout`.
  void wait_fresh(base::Duration timeout,
                  std::move_only_function<void(base::Result<Revision>)> done);

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace keelway::watch
