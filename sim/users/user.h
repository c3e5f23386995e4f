// Somebody who uses a cluster while things go wrong, and complains of what must not be.
#pragma once

#include "base/random.h"
#include "sim/oracles/oracle.h"

namespace keelway::sim {

// Belongs to one executor of the users' machine; acts and hears there.
class User {
 public:
  virtual ~User() = default;
  // Does the next thing, if it is not waiting for an answer. Called every now and then.
  virtual void act(base::Random& random) = 0;
  // No more faults: finishes what is begun, starts nothing, and looks once more. Repeated until
  // done().
  virtual void conclude(base::Random& random) = 0;
  virtual bool done() const = 0;
  virtual const Complaint& complaint() const = 0;
  virtual const char* name() const = 0;
};

}  // namespace keelway::sim
