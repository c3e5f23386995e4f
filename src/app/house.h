// The whole server, assembled from its seams: the hub, the fleet with every cluster, the AWS door,
// the node host. Production and the simulator build the same House.
#pragma once

#include <memory>

#include "app/config.h"
#include "app/connections.h"
#include "app/key_directory.h"
#include "app/seams.h"
#include "aws/identity/token.h"

namespace keelway::app {

// What is known once the house answers.
struct HouseFacts {
  std::uint16_t port = 0;     // of the AWS door
  aws::AccessKey root;        // a root key of the default account
  std::string authority_pem;  // that signed the door's certificate
};

// start() and stop() may be called from any thread, once each, in this order. A stop() before
// `started` gives the start up: it is not told of any more. Both callbacks run on an executor
// of the house. Destroy it only after `stopped`, or where its runtime's executors can run no more.
class House {
 public:
  virtual ~House() = default;
  virtual void start(std::move_only_function<void(base::Result<HouseFacts>)> started) = 0;
  // Ends watches, answers what is in flight, stops every loop.
  virtual void stop(runtime::Task stopped) = 0;
  virtual const Connections& connections() const = 0;
};

// `seams` outlives the house.
std::unique_ptr<House> assemble(const Seams& seams, Config config);

}  // namespace keelway::app
