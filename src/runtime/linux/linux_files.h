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
};

}  // namespace keelway::runtime
