// SQLite over the files of a runtime, so that a simulated disk stands under the real engine.
//
// Every instance has a name of its own, by which a database is opened. The newest one is also
// SQLite's default, because SQLite seeds its own randomness (salts of the write-ahead log) from the
// default one: so a simulated history repeats. Locks and the index of the write-ahead log are kept
// in the process; another process stays out by the lock of the data folder.
#pragma once

#include <memory>
#include <string>

#include "runtime/runtime.h"

namespace keelway::store {

class Vfs {
 public:
  // Every database opened by it is closed before it goes.
  static std::unique_ptr<Vfs> make(runtime::Runtime& runtime);
  virtual ~Vfs() = default;
  virtual const std::string& name() const = 0;
};

}  // namespace keelway::store
