// A server's way to a store that it shares with others, in bad weather: without a leader nothing is
// answered, and answers get lost after they took effect.
#pragma once

#include <memory>

#include "runtime/runtime.h"
#include "sim/weather.h"
#include "store/store.h"

namespace keelway::sim {

// `shared` and `weather` outlive it.
std::unique_ptr<store::Engine> reach_shared_store(store::Engine& shared, runtime::Runtime& runtime,
                                                  const Weather& weather);

}  // namespace keelway::sim
