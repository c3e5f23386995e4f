// Stands between a house and its store: hears every answer that the house gets, and follows each
// keyspace with a watch of its own. What it learns goes to oracles that outlive the process.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "runtime/runtime.h"
#include "sim/oracles/fences.h"
#include "sim/oracles/store.h"
#include "store/store.h"

namespace keelway::sim {

// By keyspace.
using StoreOracles = std::map<std::string, StoreOracle, std::less<>>;

// The oracles outlive it. Opened itself, it is the only server's way to the store.
class Witness : public store::Engine {
 public:
  // Forgets the history of every keyspace up to a little before its head.
  virtual void compact() = 0;
  // The way of one of several servers. The witness outlives it.
  virtual std::unique_ptr<store::Engine> way_of(const std::string& server) = 0;
};
std::unique_ptr<Witness> make_witness(std::unique_ptr<store::Engine> inner,
                                      runtime::Runtime& runtime, StoreOracles& oracles,
                                      FenceOracle* fences = nullptr);

}  // namespace keelway::sim
