#include "runtime/linux/linux_files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace keelway::runtime {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

std::unexpected<base::Error> refuse(const std::string& what, const std::string& path, int error) {
  const auto code = error == ENOENT                     ? base::ErrorCode::not_found
                    : error == EACCES || error == EPERM ? base::ErrorCode::unauthorized
                    : error == ENOSPC                   ? base::ErrorCode::exhausted
                                                        : base::ErrorCode::internal;
  return base::fail(code, "cannot " + what + " " + path + ": " + std::strerror(error));
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

base::Result<std::string> read_all(int fd, const std::string& path) {
  std::string bytes;
  std::array<char, 16384> buffer;
  while (true) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return refuse("read", path, errno);
    if (got == 0) return bytes;
    bytes.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

class LinuxFolderLock : public FolderLock {
 public:
  explicit LinuxFolderLock(int fd) : fd_(fd) {}

 private:
  Descriptor fd_;
};

}  // namespace

base::Result<std::string> LinuxFiles::read(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return refuse("open", path, errno);
  return read_all(file.get(), path);
}

base::Result<void> LinuxFiles::write_private(const std::string& path, std::string bytes) {
  std::string temporary = path + ".XXXXXX";
  const Descriptor file(::mkostemp(temporary.data(), O_CLOEXEC));  // mode 0600
  if (file.get() < 0) return refuse("create", temporary, errno);
  if (!write_all(file.get(), bytes) || ::fsync(file.get()) != 0 ||
      ::rename(temporary.c_str(), path.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary.c_str());
    return refuse("write", path, error);
  }
  const std::string folder = folder_of(path);
  const Descriptor parent(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (parent.get() < 0 || ::fsync(parent.get()) != 0) return refuse("sync", folder, errno);
  return {};
}

base::Result<void> LinuxFiles::remove(const std::string& path) {
  if (::unlink(path.c_str()) != 0) return refuse("remove", path, errno);
  return {};
}

base::Result<void> LinuxFiles::make_folders(const std::string& path) {
  for (std::size_t end = 0; end != std::string::npos;) {
    end = path.find('/', end + 1);
    const std::string part = path.substr(0, end);
    if (part.empty() || part == "/") continue;
    if (::mkdir(part.c_str(), 0700) != 0 && errno != EEXIST) return refuse("make", part, errno);
  }
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0) return refuse("make", path, errno);
  if (!S_ISDIR(found.st_mode)) return refuse("make", path, ENOTDIR);
  return {};
}

base::Result<std::unique_ptr<FolderLock>> LinuxFiles::lock_folder(const std::string& path) {
  const std::string name = path + "/lock";
  Descriptor file(::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (file.get() < 0) return refuse("open", name, errno);
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return refuse("lock", name, errno);
    const auto holder = read_all(file.get(), name);
    const std::string pid = holder && !holder->empty() ? *holder : "unknown";
    return base::fail(base::ErrorCode::conflict,
                      "folder " + path + " is in use by process " + pid +
                          "; stop that process or choose another folder");
  }
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(file.get(), 0) != 0 || !write_all(file.get(), pid)) {
    return refuse("write", name, errno);
  }
  return std::make_unique<LinuxFolderLock>(file.release());
}

}  // namespace keelway::runtime
