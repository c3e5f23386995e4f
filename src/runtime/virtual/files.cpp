// The files of one life of a virtual host.
#include <algorithm>

#include "runtime/virtual/disk.h"

namespace keelway::runtime {
namespace {

base::Error dead_error(const std::string& path) {
  return {base::ErrorCode::cancelled, path + ": the process is dead"};
}

base::Error missing_error(const std::string& path) {
  return {base::ErrorCode::not_found, "cannot open " + path + ": no such file"};
}

std::string folder_prefix(const std::string& folder) {
  return folder.ends_with('/') ? folder : folder + "/";
}

class Lock : public FolderLock {
 public:
  Lock(std::shared_ptr<std::set<std::string>> locks, std::string path)
      : locks_(std::move(locks)), path_(std::move(path)) {}
  ~Lock() override { locks_->erase(path_); }

 private:
  const std::shared_ptr<std::set<std::string>> locks_;
  const std::string path_;
};

}  // namespace

class VirtualFile final : public File {
 public:
  VirtualFile(VirtualDisk& disk, LifePtr life, VirtualDisk::InodePtr inode, std::string path,
              bool writable)
      : disk_(disk),
        life_(std::move(life)),
        inode_(std::move(inode)),
        path_(std::move(path)),
        writable_(writable) {}

  base::Result<std::size_t> read_at(std::uint64_t offset, std::span<char> into) override {
    if (!life_->alive) return std::unexpected(dead_error(path_));
    if (auto admitted = disk_.admit(DiskCall::read, path_); !admitted) {
      return std::unexpected(admitted.error());
    }
    const std::string& bytes = inode_->bytes;
    if (offset >= bytes.size()) return 0;
    return bytes.copy(into.data(), into.size(), offset);
  }
  base::Result<void> write_at(std::uint64_t offset, std::string_view bytes) override {
    if (auto may = check_writable(); !may) return may;
    return disk_.write(*inode_, path_, offset, bytes);
  }
  base::Result<void> truncate(std::uint64_t size) override {
    if (auto may = check_writable(); !may) return may;
    if (auto admitted = disk_.admit(DiskCall::write, path_); !admitted) return admitted;
    disk_.resize(*inode_, size);
    return {};
  }
  base::Result<void> sync() override {
    if (!life_->alive) return std::unexpected(dead_error(path_));
    return disk_.sync(*inode_, path_);
  }
  base::Result<std::uint64_t> size() override {
    if (!life_->alive) return std::unexpected(dead_error(path_));
    return inode_->bytes.size();
  }

 private:
  base::Result<void> check_writable() const {
    if (!life_->alive) return std::unexpected(dead_error(path_));
    if (writable_) return {};
    return base::fail(base::ErrorCode::unauthorized, path_ + " is open for reading only");
  }

  VirtualDisk& disk_;
  const LifePtr life_;
  const VirtualDisk::InodePtr inode_;
  const std::string path_;
  const bool writable_;
};

class VirtualFiles final : public Files {
 public:
  VirtualFiles(VirtualDisk& disk, LifePtr life, std::string host)
      : disk_(disk), life_(std::move(life)), host_(std::move(host)) {}

  base::Result<std::string> read(const std::string& path) override {
    if (!life_->alive) return std::unexpected(dead_error(path));
    if (auto admitted = disk_.admit(DiskCall::read, path); !admitted) {
      return std::unexpected(admitted.error());
    }
    const std::string* bytes = disk_.content(path);
    if (bytes == nullptr) return std::unexpected(missing_error(path));
    return *bytes;
  }
  base::Result<void> write_private(const std::string& path, std::string bytes) override {
    if (!life_->alive) return std::unexpected(dead_error(path));
    for (const DiskCall call : {DiskCall::write, DiskCall::sync}) {
      if (auto admitted = disk_.admit(call, path); !admitted) return admitted;
    }
    const auto& capacity = disk_.faults().capacity;
    if (capacity && disk_.used() + bytes.size() > *capacity) {
      return base::fail(base::ErrorCode::exhausted, "cannot write " + path + ": no space left");
    }
    disk_.put(path, std::move(bytes));
    return {};
  }
  base::Result<void> remove(const std::string& path) override {
    if (!life_->alive) return std::unexpected(dead_error(path));
    auto node = disk_.names_.extract(path);
    if (node.empty()) return std::unexpected(missing_error(path));
    disk_.used_ -= node.mapped()->bytes.size();
    node.mapped()->removed = true;
    disk_.removed_.insert_or_assign(path, node.mapped());
    return {};
  }
  base::Result<void> make_folders(const std::string&) override { return {}; }

  base::Result<std::unique_ptr<FolderLock>> lock_folder(const std::string& path) override {
    if (!life_->alive) return std::unexpected(dead_error(path));
    if (!locks_->insert(path).second) {
      return base::fail(base::ErrorCode::conflict,
                        "folder " + path + " is in use by another process of " + host_);
    }
    return std::make_unique<Lock>(locks_, path);
  }

  base::Result<std::unique_ptr<File>> open(const std::string& path, FileAccess access) override {
    if (!life_->alive) return std::unexpected(dead_error(path));
    if (!disk_.exists(path)) {
      if (access != FileAccess::create) return std::unexpected(missing_error(path));
      disk_.names_[path] = std::make_shared<VirtualDisk::Inode>();
    }
    return std::make_unique<VirtualFile>(disk_, life_, disk_.names_.at(path), path,
                                         access != FileAccess::read);
  }
  base::Result<bool> exists(const std::string& path) override {
    if (!life_->alive) return std::unexpected(dead_error(path));
    return disk_.exists(path);
  }
  base::Result<std::vector<std::string>> list(const std::string& folder) override {
    if (!life_->alive) return std::unexpected(dead_error(folder));
    const std::string prefix = folder_prefix(folder);
    std::set<std::string> names;
    for (auto at = disk_.names_.lower_bound(prefix);
         at != disk_.names_.end() && at->first.starts_with(prefix); ++at) {
      names.insert(
          at->first.substr(prefix.size(), at->first.find('/', prefix.size()) - prefix.size()));
    }
    return std::vector<std::string>(names.begin(), names.end());
  }
  base::Result<void> sync_folder(const std::string& folder) override {
    if (!life_->alive) return std::unexpected(dead_error(folder));
    if (auto admitted = disk_.admit(DiskCall::sync, folder); !admitted) return admitted;
    if (disk_.faults().ignore_sync) return {};
    disk_.sync_names(folder_prefix(folder));
    return {};
  }

 private:
  VirtualDisk& disk_;
  const LifePtr life_;
  const std::string host_;
  const std::shared_ptr<std::set<std::string>> locks_ = std::make_shared<std::set<std::string>>();
};

std::unique_ptr<Files> VirtualDisk::files(LifePtr life, std::string host) {
  return std::make_unique<VirtualFiles>(*this, std::move(life), std::move(host));
}

}  // namespace keelway::runtime
