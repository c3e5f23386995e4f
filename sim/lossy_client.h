// A client in bad weather: calls get lost, before or after they took effect, answers and feeds come
// late, and a node hangs or lies about the time.
#pragma once

#include <memory>
#include <string>

#include "client/client.h"
#include "runtime/runtime.h"
#include "sim/oracles/fences.h"
#include "sim/weather.h"

namespace keelway::sim {

// Who watches the house for the oracles: its feeds are never late.
inline constexpr const char* observer = "sim-observer";
// `user`: who calls. `fences`: hears what the loops and nodes of `server` have written; null where
// it is the only one.
std::unique_ptr<client::Client> make_lossy(std::unique_ptr<client::Client> inner,
                                           runtime::Executor& executor, const Weather& weather,
                                           std::string user, std::string server = "",
                                           FenceOracle* fences = nullptr);

}  // namespace keelway::sim
