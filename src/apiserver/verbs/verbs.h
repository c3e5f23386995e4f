// The verbs on stored resources. Each answers `done` exactly once, possibly inside the call.
#pragma once

#include <functional>
#include <string>

#include "apiserver/core.h"
#include "apiserver/operation.h"

namespace keelway::apiserver {

void create(Core& core, OperationPtr op, OutcomeCallback done);
void get(Core& core, OperationPtr op, OutcomeCallback done);
void list(Core& core, OperationPtr op, OutcomeCallback done);
void update(Core& core, OperationPtr op, OutcomeCallback done);  // also of "status"
void patch(Core& core, OperationPtr op, OutcomeCallback done);   // also of "status"
void remove(Core& core, OperationPtr op, OutcomeCallback done);
void remove_collection(Core& core, OperationPtr op, OutcomeCallback done);

// A create whose body is decoded and named already. `tracked`: managedFields are right.
void create_decoded(Core& core, OperationPtr op, Value body, bool tracked, OutcomeCallback done);
// A removal whose DeleteOptions are read already.
void remove_with(Core& core, OperationPtr op, Value options, OutcomeCallback done);

// Reads, changes and writes one object, anew after each lost race.
struct Modification {
  OperationPtr op;
  std::string subresource;  // whose part of the object may change
  bool tracked = false;     // `transform` sets managedFields itself
  int attempts_left = 6;
  // The candidate for `old` (as served, with resourceVersion). A resourceVersion in it that is not
  // old's is a conflict.
  std::function<Answer<Value>(const ObjectPtr& current, const Value& old)> transform;
  // Decoded object to create where there is none; null: NotFound.
  std::function<Answer<Value>()> missing;
  // May add what else must hold and be written.
  std::function<Answer<void>(store::Transaction&)> beside;
  OutcomeCallback done;
};
void modify(Core& core, std::shared_ptr<Modification> modification);

// Runs `ready` when reads from the cache satisfy `resource_version` ("" most recent, "0" any,
// "N" not older); answers the 504 of a revision that does not come.
void when_fresh(Core& core, std::string_view resource_version,
                std::move_only_function<void(Answer<void>)> ready);

}  // namespace keelway::apiserver
