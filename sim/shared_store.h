// A server's way to a store that it shares with others, in bad weather: without a leader nothing is
// answered, and answers get lost after they took effect. A server that is cut off hears nothing
// more of it, and what it asks fails or arrives when the cut is over.
#pragma once

#include <memory>

#include "runtime/runtime.h"
#include "sim/weather.h"
#include "store/store.h"

namespace keelway::sim {

// `shared` and `weather` outlive it. `server`: who goes this way.
std::unique_ptr<store::Engine> reach_shared_store(store::Engine& shared, std::string server,
                                                  const Weather& weather);

}  // namespace keelway::sim
