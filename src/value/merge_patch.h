// JSON merge patch (RFC 7386).
#pragma once

#include "value/value.h"

namespace keelway::value {

Value apply_merge_patch(const Value& document, const Value& patch);

// The patch that turns `from` into `to`; an empty object if they are equal. Members of `to` that
// are null cannot be expressed and are lost.
Value diff_merge_patch(const Value& from, const Value& to);

}  // namespace keelway::value
