// Objects whose stored value does not open: upstream's answers, and upstream's way to delete them.
#pragma once

#include "apiserver/core.h"

namespace keelway::apiserver {

bool is_unreadable(const Core& core, const Operation& op);
// The operation's object; null where it is absent or does not open.
ObjectPtr readable(const Core& core, const Operation& op);
// Why it is null: 404, or the 500 of a corrupt object.
schema::Status absent_status(const Core& core, const Operation& op);

// Whether the options of a deletion have ignoreStoreReadErrorWithClusterBreakingPotential.
bool ignores_read_errors(const Value& delete_options);
// Such a deletion can have no other option, and is never of a whole collection.
void check_ignoring_read_errors(const Value& delete_options, bool dry_run,
                                schema::FieldErrors& errors);
Answer<void> check_collection_options(const Value& delete_options);
// Such a deletion: without admission or finalizers, as nobody knows what the object says. Needs the
// verb unsafe-delete-ignore-read-errors beside delete. Of an object that opens: 422.
void remove_unreadable(Core& core, OperationPtr op, OutcomeCallback done);

}  // namespace keelway::apiserver
