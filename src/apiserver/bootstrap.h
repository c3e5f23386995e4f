// What a new cluster is born with, written once, in a handful of transactions.
#pragma once

#include "apiserver/core.h"

namespace keelway::apiserver {

// The cache is ready. Writes what is absent of: the namespaces, default/kubernetes, and
// config.bootstrap. `done` when the cache shows it.
void write_bootstrap(Core& core, std::move_only_function<void(base::Result<void>)> done);

}  // namespace keelway::apiserver
