// Who owns which field: server-side apply and metadata.managedFields.
//
// Ownership is by path, typed by the kind's tables; values of unknown type are granular maps and
// atomic lists. All versions of a kind are taken to have the same fields.
#pragma once

#include <string>

#include "base/time.h"
#include "schema/kind.h"
#include "schema/status.h"
#include "value/value.h"

namespace keelway::schema {

struct ManagerContext {
  std::string manager;      // at most 128 bytes, checked by the caller
  std::string subresource;  // "", "status", "scale"
  base::WallTime now;
};

// Server-side apply. `config`: the document as the client sent it, neither defaulted nor pruned;
// `live`: the stored object, null pointer on create. Answers the merged object with its
// managedFields, undefaulted, with quantities as they were typed, unvalidated. A no-op answers
// `live` with its timestamps.
// Failures: 409 Conflict with a FieldManagerConflict cause per field (never with `force`), 400 if
// config carries managedFields, 500 without a reason on undeclared fields, wrong types and
// duplicate list keys, as upstream.
Answer<value::Value> apply(const Kind& kind, const value::Value* live, const value::Value& config,
                           const ManagerContext& context, bool force);

// The object of a create (`old` null), update or patch with its managedFields after the change.
// To be called with the decoded and defaulted object before admission and before the kind's own
// preparation: what the server fills in after that belongs to nobody. managedFields that the
// client sent are taken as they are (a list [] or [{}] resets tracking); where it sent none, the
// old object's go on.
value::Value track_update(const Kind& kind, const value::Value* old, value::Value updated,
                          const ManagerContext& context);

// `updated`, with the managedFields of `old` if the two objects differ in nothing but
// managedFields' times. To be called last, so that a write without effect is no write.
value::Value keep_times_if_unchanged(const value::Value& old, value::Value updated);

}  // namespace keelway::schema
