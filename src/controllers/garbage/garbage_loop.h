// What is owned goes with its owners: background, foreground, orphan.
#pragma once

#include <memory>
#include <vector>

#include "reconcile/loop.h"

namespace keelway::controllers {

// `built_in`: every stored resource that can own or be owned; CRDs in the view add theirs.
std::unique_ptr<reconcile::KeyedLoop> make_garbage_loop(std::vector<client::Resource> built_in);

}  // namespace keelway::controllers
