// From a request to what answers it: the kind, whether the verb is offered, and the verb.
#pragma once

#include "access/identity.h"
#include "apiserver/core.h"
#include "apiserver/operation.h"

namespace keelway::apiserver {

// What authorization is asked about.
access::Attributes attributes_of(const Operation& op);
access::Attributes attributes_of(const RequestInfo& info, const Query& query);

// Finds the kind; 404 where nothing is served at that path, 405 where the verb is not offered.
Answer<void> route(Core& core, Operation& op);
// Runs a routed operation that is no watch.
void run_operation(Core& core, OperationPtr op, OutcomeCallback done);

// What is wrong with the query of this verb (dryRun, fieldValidation, fieldManager), if anything.
Answer<void> check_query(const Operation& op);

}  // namespace keelway::apiserver
