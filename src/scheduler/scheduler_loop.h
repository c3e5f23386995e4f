// Gives pending pods a node: one plan over all of them.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "reconcile/loop.h"

namespace keelway::scheduler {

struct Options {
  std::string name = "default-scheduler";  // the schedulerName that pods ask for
  // Of one plan; what is left waits for the next, which follows at once.
  std::size_t bindings_max = 1000;
  std::size_t notices_max = 500;  // conditions of pods that fit nowhere
};

std::unique_ptr<reconcile::BatchLoop> make_scheduler_loop(Options options = {});

}  // namespace keelway::scheduler
