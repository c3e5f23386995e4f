// Namespaces that are being deleted: their content goes, pods first, then they are finalized.
#pragma once

#include <memory>
#include <vector>

#include "reconcile/loop.h"

namespace keelway::controllers {

// `built_in`: the resources that can hold content; CRDs in the view add theirs.
std::unique_ptr<reconcile::KeyedLoop> make_namespace_loop(std::vector<client::Resource> built_in);

}  // namespace keelway::controllers
