// The NodeClaim that asks for a planned node.
#pragma once

#include "provisioner/solver.h"
#include "reconcile/loop.h"

namespace keelway::provisioner {

// Named after the pool, with a suffix drawn from the seed.
value::Value claim_document(const PlannedNode& planned, const NodePool& pool, reconcile::Seed seed);

}  // namespace keelway::provisioner
