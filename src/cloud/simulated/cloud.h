// A cloud that is made of Machine objects on the hub: launching creates one, terminating deletes
// it, and the node host boots a node for each that it sees.
#pragma once

#include <memory>
#include <string>

#include "client/client.h"
#include "cloud/cloud.h"

namespace keelway::cloud {

struct SimulatedOptions {
  std::string cluster;     // name of the Cluster object
  std::string name_space;  // of the Cluster object on the hub
  std::string region;
  CataloguePtr catalogue;
};

// `hub` and the cloud belong to one executor; `hub` outlives it.
std::unique_ptr<Cloud> make_simulated_cloud(client::Client& hub, SimulatedOptions options);

}  // namespace keelway::cloud
