// The four kinds of patches on a document.
#pragma once

#include "apiserver/operation.h"

namespace keelway::apiserver {

enum class PatchType { json, merge, strategic, apply };
// 415 where the kind does not take it.
Answer<PatchType> read_patch_type(const Operation& op, const schema::Kind& kind);
// Not for apply. `kind` is that of the document.
Answer<Value> patched_document(const schema::Kind& kind, PatchType type, const Value& current,
                               const Value& patch);

}  // namespace keelway::apiserver
