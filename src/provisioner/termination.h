// The end of a NodeClaim: keep new pods away, drain through evictions, give the machine back.
#pragma once

#include "client/view.h"
#include "reconcile/loop.h"

namespace keelway::provisioner {

// Whether the object is kept until its claim has ended.
bool has_termination_finalizer(const value::Value& object);
// The document as it stands, without that finalizer; another writer's change is not overwritten.
reconcile::Action drop_termination_finalizer(const client::Resource& resource,
                                             value::Value document);

// `node` null: it never came, or has gone.
reconcile::Plan plan_termination(const client::View& view, const value::Value& claim,
                                 const client::ObjectPtr& node, base::WallTime now);

}  // namespace keelway::provisioner
