// What a new cluster is born with, written once, in a handful of transactions.
#pragma once

#include "apiserver/core.h"

namespace keelway::apiserver {

// The cache is ready. Writes what is absent of: the namespaces, default/kubernetes, and what is
// given. `done` when the cache shows it. With a fence nothing is written once that has fallen.
void write_bootstrap(Core& core, Foundation foundation, FencePtr fence,
                     std::move_only_function<void(base::Result<void>)> done);

// Whether somebody has: nobody can remove these namespaces.
bool is_founded(const Core& core);

}  // namespace keelway::apiserver
