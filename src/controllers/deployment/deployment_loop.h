// Deployments: rollouts of pod templates by replica sets.
#pragma once

#include <memory>

#include "reconcile/loop.h"

namespace keelway::controllers {

std::unique_ptr<reconcile::KeyedLoop> make_deployment_loop();

}  // namespace keelway::controllers
