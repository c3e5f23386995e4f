#pragma once

#include "runtime/files.h"

namespace keelway::runtime {

class LinuxFiles : public Files {
 public:
  base::Result<std::string> read(const std::string& path) override;
  base::Result<void> write_private(const std::string& path, std::string bytes) override;
  base::Result<void> remove(const std::string& path) override;
  base::Result<void> make_folders(const std::string& path) override;
  base::Result<std::unique_ptr<FolderLock>> lock_folder(const std::string& path) override;
  base::Result<std::unique_ptr<File>> open(const std::string& path, FileAccess access) override;
  base::Result<bool> exists(const std::string& path) override;
  base::Result<std::vector<std::string>> list(const std::string& folder) override;
  base::Result<void> sync_folder(const std::string& folder) override;
};

}  // namespace keelway::runtime
