// Small whole-file operations for keys and configuration. Databases have their own path:
// store/sqlite over a VFS. Blocking; called at start and from workers, not from busy loops.
#pragma once

#include <memory>
#include <string>

#include "base/error.h"

namespace keelway::runtime {

// Held while the process uses a data folder; released on destruction or process death.
class FolderLock {
 public:
  virtual ~FolderLock() = default;
};

class Files {
 public:
  virtual ~Files() = default;
  virtual base::Result<std::string> read(const std::string& path) = 0;
  // Atomic (temporary file, fsync, rename, fsync of the folder), mode 0600.
  virtual base::Result<void> write_private(const std::string& path, std::string bytes) = 0;
  virtual base::Result<void> remove(const std::string& path) = 0;
  virtual base::Result<void> make_folders(const std::string& path) = 0;  // mode 0700
  // ErrorCode::conflict where another process holds it; the message names its pid.
  virtual base::Result<std::unique_ptr<FolderLock>> lock_folder(const std::string& path) = 0;
};

}  // namespace keelway::runtime
