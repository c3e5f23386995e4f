// Where log lines go: "2026-01-02T03:04:05.678Z info component message key=value key="two words"".
#pragma once

#include <functional>
#include <string>

#include "base/error.h"
#include "telemetry/log.h"

namespace keelway::telemetry {

Log::Sink make_stderr_sink(Level minimum);

// Many lines a second, which a write each would slow down: those below warn are kept until
// `flush` is called, which any thread may.
struct FileSink {
  Log::Sink sink;
  std::function<void()> flush;
};
// Appends; rotates at 64 MiB and keeps three old files.
base::Result<FileSink> make_file_sink(const std::string& path, Level minimum);

}  // namespace keelway::telemetry
