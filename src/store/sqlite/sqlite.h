// The embedded store: every keyspace of a server in one SQLite file, an append-only log with its
// key index in memory and group commit.
#pragma once

#include <memory>
#include <string>

#include "store/store.h"

namespace keelway::store {

struct SqliteOptions {
  std::string path;  // ":memory:" lives as long as the engine
  // The file lies in runtime.files() instead of with the operating system: a simulated disk. No
  // other process may look into it meanwhile.
  bool in_runtime_files = false;
  // Of waiting writes; more are refused with unavailable.
  std::size_t pending_bytes_max = 256u << 20;
  // A keyspace is compacted by itself when it has more superseded versions than this and than
  // garbage_factor times its live keys; the youngest history_min revisions stay.
  std::size_t garbage_min = 20'000;
  double garbage_factor = 1.0;
  Revision history_min = 5'000;
  int checkpoint_pages = 512;  // of the write-ahead log, between two checkpoints
  int reclaim_step = 256;      // rows that one background step erases
};

// Opens the file, makes it where there is none, and reads its index. The engine must outlive its
// keyspaces and watches; what it was given is on disk when its destructor returns. After a failed
// commit it refuses every write until it is opened anew; reads go on.
base::Result<std::unique_ptr<Engine>> open_sqlite(runtime::Runtime& runtime, SqliteOptions options);

}  // namespace keelway::store
