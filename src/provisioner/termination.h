// The end of a NodeClaim: keep new pods away, drain through evictions, give the machine back.
#pragma once

#include "client/view.h"
#include "reconcile/loop.h"

namespace keelway::provisioner {

// `node` null: it never came, or has gone.
reconcile::Plan plan_termination(const client::View& view, const value::Value& claim,
                                 const client::ObjectPtr& node, base::WallTime now);

}  // namespace keelway::provisioner
