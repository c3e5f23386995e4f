// PodDisruptionBudgets: how many of their pods may go now.
#pragma once

#include <memory>

#include "reconcile/loop.h"

namespace keelway::controllers {

std::unique_ptr<reconcile::KeyedLoop> make_disruption_loop();

}  // namespace keelway::controllers
