#include "contract/store_contract.h"
#include "store/memory/memory.h"
#include "store/sealed/sealed.h"
#include "store/sqlite/sqlite.h"

namespace keelway::contract {
namespace {

std::unique_ptr<store::Engine> memory(Ground& ground, const std::string&) {
  return store::make_memory(ground.runtime());
}

std::unique_ptr<store::Engine> delayed_memory(Ground& ground, const std::string&) {
  store::MemoryOptions options;
  options.delay_max = std::chrono::milliseconds(20);
  return store::make_memory(ground.runtime(), options);
}

// Small limits, so that compaction, erasing and checkpoints happen within a test.
std::unique_ptr<store::Engine> sqlite(Ground& ground, const std::string& folder) {
  store::SqliteOptions options;
  options.path = folder + "/store.db";
  options.checkpoint_pages = 4;
  options.reclaim_step = 3;
  auto engine = store::open_sqlite(ground.runtime(), options);
  EXPECT_TRUE(engine) << engine.error().message;
  return engine ? std::move(*engine) : nullptr;
}

// Over the runtime's own files: a simulated disk in the virtual world.
std::unique_ptr<store::Engine> vfs_sqlite(Ground& ground, const std::string& folder) {
  store::SqliteOptions options;
  options.path = folder + "/vfs.db";
  options.in_runtime_files = true;
  options.checkpoint_pages = 4;
  options.reclaim_step = 3;
  auto engine = store::open_sqlite(ground.runtime(), options);
  EXPECT_TRUE(engine) << engine.error().message;
  return engine ? std::move(*engine) : nullptr;
}

std::unique_ptr<store::Engine> memory_sqlite(Ground& ground, const std::string&) {
  store::SqliteOptions options;
  options.path = ":memory:";
  auto engine = store::open_sqlite(ground.runtime(), options);
  EXPECT_TRUE(engine) << engine.error().message;
  return engine ? std::move(*engine) : nullptr;
}

using Make = std::unique_ptr<store::Engine> (*)(Ground&, const std::string&);

template <Make inner>
std::unique_ptr<store::Engine> sealed(Ground& ground, const std::string& folder) {
  store::KeyRing ring;
  ring.keys[1] = std::string(32, 'k');
  ring.current = 1;
  auto engine = store::make_sealed(inner(ground, folder), ground.runtime(), ring);
  EXPECT_TRUE(engine) << engine.error().message;
  return engine ? std::move(*engine) : nullptr;
}

}  // namespace

std::vector<StoreSubject> store_subjects() {
  return {{"memory", false, memory},
          {"delayed_memory", false, delayed_memory},
          {"sqlite", true, sqlite},
          {"vfs_sqlite", true, vfs_sqlite},
          {"memory_sqlite", false, memory_sqlite},
          {"sealed_memory", false, sealed<memory>},
          {"sealed_sqlite", true, sealed<sqlite>}};
}

std::vector<int> store_seeds() {
  return {1, 2, 3};
}

}  // namespace keelway::contract
