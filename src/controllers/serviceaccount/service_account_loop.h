// The ServiceAccount "default" of each namespace.
#pragma once

#include <memory>

#include "reconcile/loop.h"

namespace keelway::controllers {

std::unique_ptr<reconcile::KeyedLoop> make_service_account_loop();

}  // namespace keelway::controllers
