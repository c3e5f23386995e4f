// The last step of every write, and the steps before it that all writes share.
#pragma once

#include <string>
#include <vector>

#include "apiserver/core.h"
#include "apiserver/operation.h"
#include "store/store.h"

namespace keelway::apiserver {

struct Committed {
  bool ok = false;
  Revision revision = 0;
  std::vector<store::Entry> conflicts;    // not ok: what stands there now
  bool lost(std::string_view key) const;  // `key` exists and differs from what was compared
};
// Runs `done` once the cache shows the write, or shows the state that refused it. With a `fence`
// that has fallen nothing is written, and the answer is 503.
void commit(Core& core, FencePtr fence, store::Transaction transaction,
            std::move_only_function<void(Answer<Committed>)> done);

// The object as the write left it, even if the cache has a later one.
ObjectPtr written_object(Core& core, const std::string& key, const store::Bytes& bytes,
                         Revision revision);

// A write of a caller in process is about to be committed: it and others in process read what it
// leaves at once.
void expect_written(Core& core, const Operation& op, const store::Bytes& bytes,
                    const Value& object);

// Names the API server itself in the store's words.
schema::Status status_of(const base::Error& error);

// What a write comes to: the object (served version) and the transaction that makes it true.
struct Prepared {
  Value object;
  std::string key;
  store::Bytes bytes;  // null: the key is removed
  store::Transaction transaction;
  bool unchanged = false;  // nothing to write
};

// Both run defaults, hooks, ownership, admission, allocation and validation, in that order.
// `object`: decoded. The key and the namespace are compared.
Answer<Prepared> prepare_create(Core& core, Operation& op, Value object, bool tracked = false);

struct UpdateSubject {
  ObjectPtr current;        // stored
  const Value& old;         // as served
  Value next;               // as served; candidate
  std::string subresource;  // whose part may change
  bool tracked = false;     // managedFields are right already (apply)
};
// Where the last finalizer of a deleted object goes, the object goes.
Answer<Prepared> prepare_update(Core& core, Operation& op, UpdateSubject subject);

// Admission plugins over `object`; old null on a create, object null on a removal.
Answer<void> admit(Core& core, const Operation& op, admission::Operation operation,
                   const std::string& subresource, Value& object, const Value* old);

client::Resource resource_of(const schema::Kind& kind);

}  // namespace keelway::apiserver
