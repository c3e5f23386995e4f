// The contract of the store: etcd's model over keys and bytes. One Engine is one disk (or etcd);
// a Keyspace is one cluster's part of it. It never sees a kind. Nothing is told before durable.
// Revisions are positive and grow with every transaction that a keyspace commits, perhaps in leaps;
// every key that a transaction writes has its revision. Whoever was told a revision, by any call,
// may wait for the keyspace's watches to reach it: they do, if need be with a batch without events.
// All callbacks run on the executor that the Keyspace was opened on, never inside the call itself.
// A Keyspace and its watches are used and destroyed on that executor; once it is destroyed none
// of its callbacks comes any more, but a transaction that it was given still commits. Watches may
// outlive their Keyspace (they fall silent), and both must be gone before the Engine.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "runtime/runtime.h"

namespace keelway::store {

using Revision = std::int64_t;
using Bytes = std::shared_ptr<const std::string>;  // immutable, shared by every reader

struct Entry {
  std::string key;
  Bytes value;            // null: it is there, but it does not open (sealed/sealed.h)
  Revision created = 0;   // of the transaction that made the key (again, after a deletion)
  Revision modified = 0;  // of the transaction that wrote this value
};

// Holds while the key was last modified at `modified`; 0: while the key is absent.
struct Compare {
  std::string key;
  Revision modified = 0;
};

struct Put {
  std::string key;
  Bytes value;
  // The key is deleted (a revision of its own, with an event) this long after the write, unless
  // it is written again before. Survives a restart.
  std::optional<base::Duration> time_to_live;
};
struct Delete {
  std::string key;  // absent keys are ignored
};

struct Transaction {
  std::vector<Compare> compares;
  std::vector<Put> puts;
  std::vector<Delete> deletes;  // a key is written at most once in a transaction
};

struct TransactionResult {
  bool committed = false;
  // Of this transaction; where it was not committed, the keyspace's current revision.
  Revision revision = 0;
  // Where not committed: the current entries of the compared keys that differ, absent ones left
  // out. (Instead of a result, unavailable may mean that nobody knows whether it was committed.)
  std::vector<Entry> conflicts;
};

struct RangeRequest {
  std::string prefix;       // every key that starts with it
  std::string start_after;  // only keys greater than this; empty: from the start
  std::size_t limit = 0;    // 0: all
  Revision revision = 0;    // 0: the current one. Compacted: ErrorCode::expired
};
struct RangeResult {
  std::vector<Entry> entries;  // in key order
  bool more = false;
  Revision revision = 0;  // of the snapshot
};

struct Event {
  enum class Type { put, deletion } type = Type::put;
  Entry entry;                    // of a deletion: key and `modified` only
  std::optional<Entry> previous;  // the value before, where there was one
};
// All events of one or more whole revisions, in order; a revision is never split.
struct EventBatch {
  std::vector<Event> events;
  Revision revision = 0;  // every event up to here has been delivered
};

// Destroying it ends the watch; nothing is delivered afterwards.
class Watch {
 public:
  virtual ~Watch() = default;
};

struct WatchRequest {
  std::string prefix;
  Revision after = 0;     // events with a greater revision
  bool previous = false;  // events carry the values before; slower, never without events
  std::move_only_function<void(const EventBatch&)> on_events;
  // The watch is dead: expired (compacted past `after`, or the reader fell too far behind) or
  // unavailable.
  std::move_only_function<void(base::Error)> on_end;
};

class Keyspace {
 public:
  virtual ~Keyspace() = default;
  using Committed = std::move_only_function<void(base::Result<TransactionResult>)>;
  using Ranged = std::move_only_function<void(base::Result<RangeResult>)>;
  virtual void transact(Transaction transaction, Committed done) = 0;
  virtual void range(RangeRequest request, Ranged done) = 0;
  virtual std::unique_ptr<Watch> watch(WatchRequest request) = 0;
  // No less than any revision that anyone committed before the call; read from the truth itself.
  virtual void head(std::move_only_function<void(base::Result<Revision>)> done) = 0;
  // History before `revision` may go; current values stay.
  virtual void compact(Revision revision,
                       std::move_only_function<void(base::Result<void>)> done) = 0;
};

class Engine {
 public:
  virtual ~Engine() = default;
  // Opens (and creates, at the first write) the keyspace. Callbacks come on `executor`.
  virtual std::unique_ptr<Keyspace> open(const std::string& keyspace,
                                         runtime::Executor& executor) = 0;
  // Removes every trace of a keyspace; open handles of it answer not_found afterwards.
  virtual void drop(const std::string& keyspace, runtime::Executor& executor,
                    std::move_only_function<void(base::Result<void>)> done) = 0;
};

}  // namespace keelway::store
