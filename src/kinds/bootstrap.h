// What a new cluster holds before anyone writes to it.
#pragma once

#include <vector>

#include "value/value.h"

namespace keelway::kinds {

// Namespaces, priority classes, RBAC roles and bindings, in an order in which they can be
// created: a namespace before what lies in it. Without uid, creationTimestamp and managed fields.
// Aggregated cluster roles carry their rules already. `minor`: 33 for Kubernetes 1.33; the
// minors that catalog() knows have the same objects.
std::vector<value::Value> bootstrap_objects(int minor);

// CustomResourceDefinitions that every cluster has: Karpenter's and Auto Mode's kinds.
std::vector<value::Value> bootstrap_crds();

}  // namespace keelway::kinds
