// `keelway check`, `keelway backup` and `keelway restore`: a data folder from outside.
#pragma once

#include <string>

#include "base/error.h"

namespace keelway::app {

// Looks into everything, also beside a running server, and prints what it found. True: all sound.
base::Result<bool> check(const std::string& folder, bool as_json);
// One file, mode 0600, with the state of one moment and the sealing key; beside a running server
// too. `to`: the file, which must not be there, or a folder that gets one with the time as name.
base::Result<void> backup(const std::string& folder, const std::string& to);
// Makes `folder` from such a file; refuses one that already holds data.
base::Result<void> restore(const std::string& from, const std::string& folder);

}  // namespace keelway::app
