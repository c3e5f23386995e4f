// The kinds that this program is born with, per Kubernetes minor version.
#pragma once

#include "schema/kind.h"

namespace keelway::kinds {

inline constexpr int minor_first = 32;
inline constexpr int minor_last = 33;

// Kinds and fields of Kubernetes 1.MINOR; null for a minor outside minor_first..minor_last.
// May cost a copy of the tables: make one per minor and share it among clusters.
//
// all() lists what has a resource. A kind is stored if its verbs contain "get"; those with only
// "create" (TokenReview, SubjectAccessReview, Binding) are answered and forgotten. Kinds without
// a resource (Eviction, Scale, TokenRequest, Status, DeleteOptions) are found by_kind; the
// options, Status and PartialObjectMetadata in every group and version, as clients write them.
schema::KindSetPtr catalog(int minor);

// The hub's own kinds (hub.keelway.dev/v1) beside what every API server has: namespaces,
// configuration, events, leases, RBAC and reviews, as of minor_last.
schema::KindSetPtr hub_catalog();

}  // namespace keelway::kinds
