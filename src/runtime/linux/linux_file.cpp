// Open files, and what is done to names.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "runtime/linux/descriptor.h"
#include "runtime/linux/linux_files.h"

namespace keelway::runtime {
namespace {

class LinuxFile final : public File {
 public:
  LinuxFile(int fd, std::string path, bool fresh)
      : fd_(fd), path_(std::move(path)), fresh_(fresh) {}

  base::Result<std::size_t> read_at(std::uint64_t offset, std::span<char> into) override {
    std::size_t got = 0;
    while (got < into.size()) {
      const ssize_t n = ::pread(fd_.get(), into.data() + got, into.size() - got,
                                static_cast<off_t>(offset + got));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return refuse_file("read", path_, errno);
      if (n == 0) break;
      got += static_cast<std::size_t>(n);
    }
    return got;
  }

  base::Result<void> write_at(std::uint64_t offset, std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t n = ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return refuse_file("write", path_, errno);
      bytes.remove_prefix(static_cast<std::size_t>(n));
      offset += static_cast<std::uint64_t>(n);
    }
    return {};
  }

  base::Result<void> truncate(std::uint64_t size) override {
    if (::ftruncate(fd_.get(), static_cast<off_t>(size)) == 0) return {};
    return refuse_file("truncate", path_, errno);
  }

  base::Result<void> sync() override {
    if (::fdatasync(fd_.get()) != 0) return refuse_file("sync", path_, errno);
    if (!fresh_) return {};
    if (auto named = LinuxFiles().sync_folder(folder_of(path_)); !named) return named;
    fresh_ = false;
    return {};
  }

  base::Result<std::uint64_t> size() override {
    struct stat found{};
    if (::fstat(fd_.get(), &found) != 0) return refuse_file("look at", path_, errno);
    return static_cast<std::uint64_t>(found.st_size);
  }

 private:
  const Descriptor fd_;
  const std::string path_;
  bool fresh_;  // its name is not durable yet
};

}  // namespace

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

std::unexpected<base::Error> refuse_file(const std::string& what, const std::string& path,
                                         int error) {
  const auto code = error == ENOENT                      ? base::ErrorCode::not_found
                    : error == EACCES || error == EPERM  ? base::ErrorCode::unauthorized
                    : error == ENOSPC || error == EDQUOT ? base::ErrorCode::exhausted
                                                         : base::ErrorCode::internal;
  return base::fail(code, "cannot " + what + " " + path + ": " + std::strerror(error));
}

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

base::Result<std::unique_ptr<File>> LinuxFiles::open(const std::string& path, FileAccess access) {
  int fd = ::open(path.c_str(), (access == FileAccess::read ? O_RDONLY : O_RDWR) | O_CLOEXEC);
  bool fresh = false;
  if (fd < 0 && errno == ENOENT && access == FileAccess::create) {
    fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    fresh = true;
  }
  if (fd < 0) return refuse_file("open", path, errno);
  return std::make_unique<LinuxFile>(fd, path, fresh);
}

base::Result<bool> LinuxFiles::exists(const std::string& path) {
  if (::access(path.c_str(), F_OK) == 0) return true;
  if (errno == ENOENT || errno == ENOTDIR) return false;
  return refuse_file("look at", path, errno);
}

base::Result<std::vector<std::string>> LinuxFiles::list(const std::string& folder) {
  DIR* open = ::opendir(folder.c_str());
  if (open == nullptr) return refuse_file("list", folder, errno);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(open)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  const int error = errno;
  ::closedir(open);
  if (error != 0) return refuse_file("list", folder, error);
  std::sort(names.begin(), names.end());
  return names;
}

base::Result<void> LinuxFiles::sync_folder(const std::string& folder) {
  const Descriptor open(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (open.get() < 0 || ::fsync(open.get()) != 0) return refuse_file("sync", folder, errno);
  return {};
}

}  // namespace keelway::runtime
