// CustomResourceDefinitions: their names, that they are established, and their end.
#pragma once

#include <memory>

#include "reconcile/loop.h"

namespace keelway::controllers {

std::unique_ptr<reconcile::KeyedLoop> make_crd_loop();

}  // namespace keelway::controllers
