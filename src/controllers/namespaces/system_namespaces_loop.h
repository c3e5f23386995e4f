// The namespaces that every cluster has.
#pragma once

#include <memory>

#include "reconcile/loop.h"

namespace keelway::controllers {

// default, kube-system, kube-public, kube-node-lease: made again where they are missing.
std::unique_ptr<reconcile::KeyedLoop> make_system_namespaces_loop();

}  // namespace keelway::controllers
