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

// Server-side apply. `config`: the applied document after decoding and pruning, before defaults;
// `live`: the stored object, null pointer on create. Answers the merged object with its
// managedFields, undefaulted and unvalidated. A no-op answers `live` with its timestamps.
// Failures: 409 Conflict with a FieldManagerConflict cause per field (never with `force`), 400 if
// config carries managedFields, 500 if it has duplicate list keys, as upstream.
Answer<value::Value> apply(const Kind& kind, const value::Value* live, const value::Value& config,
                           const ManagerContext& context, bool force);

// The object of a create (`old` null), update or patch, as it will be stored, with managedFields
// after the change; what the client sent there is only read for [] and [{}], which reset
// tracking. If nothing changed but managedFields, they and their times stay.
value::Value track_update(const Kind& kind, const value::Value* old, value::Value updated,
                          const ManagerContext& context);

}  // namespace keelway::schema
