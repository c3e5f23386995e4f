// Files: small whole ones for keys and configuration, and open ones for databases. Blocking;
// called at start and from workers, not from busy loops. A full disk is ErrorCode::exhausted.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace keelway::runtime {

// Held while the process uses a data folder; released on destruction or process death.
class FolderLock {
 public:
  virtual ~FolderLock() = default;
};

// An open file. One thread at a time. Nothing is durable before sync() has succeeded; after one
// that failed, what was written since the last good one may be lost although it can be read, and
// a later success says nothing about it.
class File {
 public:
  virtual ~File() = default;
  // How many bytes were there: fewer than asked for only at the end of the file.
  virtual base::Result<std::size_t> read_at(std::uint64_t offset, std::span<char> into) = 0;
  // All of them, or an error after which any part of them may be there.
  virtual base::Result<void> write_at(std::uint64_t offset, std::string_view bytes) = 0;
  virtual base::Result<void> truncate(std::uint64_t size) = 0;
  // Contents and size, and the name where this handle has made the file.
  virtual base::Result<void> sync() = 0;
  virtual base::Result<std::uint64_t> size() = 0;
};

enum class FileAccess { read, write, create };  // create: write, and make it where it is missing

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

  virtual base::Result<std::unique_ptr<File>> open(const std::string& path, FileAccess access) = 0;
  virtual base::Result<bool> exists(const std::string& path) = 0;
  // The names in a folder, sorted, without "." and "..".
  virtual base::Result<std::vector<std::string>> list(const std::string& folder) = 0;
  // Makes what was created and removed in it durable.
  virtual base::Result<void> sync_folder(const std::string& folder) = 0;
};

}  // namespace keelway::runtime
