// The fleet executor's part of a House: the control planes of every cluster, and, while this server
// holds its place among those that share the store, the loops over the hub.
#pragma once

#include <memory>
#include <string>

#include "app/config.h"
#include "app/connections.h"
#include "app/key_directory.h"
#include "app/seams.h"

namespace keelway::app {

struct FleetParts {
  const Seams& seams;
  const Config& config;
  runtime::Executor& executor;
  Connections& connections;  // the hub is announced
  const KeyDirectory& keys;
  std::string door;  // HOST:PORT of this server's AWS door, for people to read
};

// Belongs to the executor.
class FleetSide {
 public:
  virtual ~FleetSide() = default;
  virtual void start() = 0;
  virtual void begin_leaving() = 0;  // every cluster's readyz fails from now on
  // No cluster takes new connections from now on, and watches end; stop() waits for the rest.
  virtual void begin_draining() = 0;
  // Loops first, then the place among the servers, so that others need not wait, then what serves.
  virtual void stop(runtime::Task stopped) = 0;
};

std::unique_ptr<FleetSide> make_fleet_side(FleetParts parts);

// What a server is called that was given no name: the address of its door, as an object's name.
std::string server_name_of(const std::string& door);

}  // namespace keelway::app
