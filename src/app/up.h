// `keelway up`: a server over a data folder, until it is told to stop.
#pragma once

#include <string>

#include "app/config.h"
#include "app/server_store.h"
#include "base/error.h"

namespace keelway::app {

struct UpOptions {
  Config config;
  std::string data_folder;
  StoreChoice store;
  bool verbose = false;
  int core_threads = 2;  // of each lane
};

// Blocks until SIGTERM or SIGINT; then drains and answers. Prints the ready line to stdout.
base::Result<void> up(UpOptions options);

}  // namespace keelway::app
