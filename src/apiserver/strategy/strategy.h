// What a write of one kind does beyond its own bytes, in the same transaction. Dispatch by
// group and resource; kinds without a word here need nothing.
#pragma once

#include <optional>

#include "apiserver/core.h"
#include "apiserver/operation.h"
#include "store/store.h"

namespace keelway::apiserver {

// A create (`old` null) or an update: may fill fields of `object` that only the server knows, and
// adds what must hold and be written beside.
Answer<void> strategy_write(Core& core, Operation& op, Value& object, const Value* old,
                            store::Transaction& transaction);
// The object goes for good.
void strategy_removed(Core& core, const schema::Kind& kind, const Value& old,
                      store::Transaction& transaction);
// How long an object of the kind lives without another write.
std::optional<base::Duration> strategy_time_to_live(const schema::Kind& kind);
// What the start of a deletion changes beside metadata ("phase: Terminating" of a namespace).
void strategy_deleting(const schema::Kind& kind, Value& object, base::WallTime now);

}  // namespace keelway::apiserver
