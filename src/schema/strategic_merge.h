// Strategic merge patch: a merge patch that knows, from the kind's tables, which lists merge by
// key, and that obeys directives ($patch, $retainKeys, $deleteFromPrimitiveList,
// $setElementOrder). Built-in kinds only: the caller refuses others.
#pragma once

#include "schema/kind.h"
#include "schema/status.h"
#include "value/value.h"

namespace keelway::schema {

// 400 or 422 on a patch that does not fit, else the patched document. Neither defaulted, pruned
// nor validated.
Answer<value::Value> strategic_merge(const Kind& kind, const value::Value& current,
                                     const value::Value& patch);

}  // namespace keelway::schema
