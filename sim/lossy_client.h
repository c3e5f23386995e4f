// A client whose calls get lost, before or after they took effect, and whose answers come late.
#pragma once

#include <memory>

#include "client/client.h"
#include "runtime/runtime.h"

namespace keelway::sim {

// Shared by every client of a run; changed by the scenario as time goes on.
struct Losses {
  double call_lost = 0;    // never reaches the server
  double answer_lost = 0;  // took effect, and nobody hears of it
  double doubled = 0;      // reaches the server twice
  base::Duration delay_max{0};
};

std::unique_ptr<client::Client> make_lossy(std::unique_ptr<client::Client> inner,
                                           runtime::Executor& executor, const Losses& losses);

}  // namespace keelway::sim
