// The handlers that strategy/subresources dispatches to, one or a few per file.
#pragma once

#include "apiserver/core.h"
#include "apiserver/operation.h"

namespace keelway::apiserver {

// strategy/scale: autoscaling/v1 Scale of workloads and custom resources
void scale_get(Core& core, OperationPtr op, OutcomeCallback done);
void scale_update(Core& core, OperationPtr op, OutcomeCallback done);
void scale_patch(Core& core, OperationPtr op, OutcomeCallback done);

// strategy/pod
void bind_pod(Core& core, OperationPtr op, OutcomeCallback done);
void bind_by_name(Core& core, OperationPtr op, OutcomeCallback done);  // POST bindings
void evict_pod(Core& core, OperationPtr op, OutcomeCallback done);
void read_log(Core& core, OperationPtr op, OutcomeCallback done);
void refuse_streaming(Core& core, OperationPtr op, OutcomeCallback done);

void request_token(Core& core, OperationPtr op, OutcomeCallback done);       // strategy/token
void finalize_namespace(Core& core, OperationPtr op, OutcomeCallback done);  // strategy/namespace
void answer_review(Core& core, OperationPtr op, OutcomeCallback done);       // strategy/review

}  // namespace keelway::apiserver
