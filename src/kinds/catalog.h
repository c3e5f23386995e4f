// The kinds that this program is born with, per Kubernetes minor version.
#pragma once

#include <string_view>
#include <vector>

#include "base/error.h"
#include "schema/kind.h"

namespace keelway::kinds {

inline constexpr int minor_first = 32;
inline constexpr int minor_last = 33;

// Kinds and fields of Kubernetes 1.MINOR; null for a minor outside minor_first..minor_last.
// Costs a copy of the tables: make one per minor and share it among clusters.
schema::KindSetPtr catalog(int minor);

// The hub's own kinds (hub.keelway.dev/v1) beside the common ones of minor_last.
schema::KindSetPtr hub_catalog();

}  // namespace keelway::kinds
