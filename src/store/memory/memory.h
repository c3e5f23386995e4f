// The store in memory: the model of the contract, for tests and simulation. Nothing survives it.
#pragma once

#include <memory>

#include "store/store.h"

namespace keelway::store {

struct MemoryOptions {
  // Every step (applying a transaction, each callback) waits for a random time below it, drawn
  // from the executor's randomness. Order between independent calls is not kept then.
  base::Duration delay_max{};
  // Older history is compacted by itself.
  std::size_t history_revisions_max = 50'000;
};

// Must outlive its keyspaces and watches; destroyed while none of its executors runs.
std::unique_ptr<Engine> make_memory(runtime::Runtime& runtime, MemoryOptions options = {});

}  // namespace keelway::store
