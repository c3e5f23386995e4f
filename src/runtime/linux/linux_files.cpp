#include "runtime/linux/linux_files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "runtime/linux/descriptor.h"

namespace keelway::runtime {
namespace {

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
    if (got < 0) return refuse_file("read", path, errno);
    if (got == 0) return bytes;
    bytes.append(buffer.data(), static_cast<std::size_t>(got));
  }
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
  if (file.get() < 0) return refuse_file("open", path, errno);
  return read_all(file.get(), path);
}

base::Result<void> LinuxFiles::write_private(const std::string& path, std::string bytes) {
  std::string temporary = path + ".XXXXXX";
  const Descriptor file(::mkostemp(temporary.data(), O_CLOEXEC));  // mode 0600
  if (file.get() < 0) return refuse_file("create", temporary, errno);
  if (!write_all(file.get(), bytes) || ::fsync(file.get()) != 0 ||
      ::rename(temporary.c_str(), path.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary.c_str());
    return refuse_file("write", path, error);
  }
  return sync_folder(folder_of(path));
}

base::Result<void> LinuxFiles::remove(const std::string& path) {
  if (::unlink(path.c_str()) != 0) return refuse_file("remove", path, errno);
  return {};
}

base::Result<void> LinuxFiles::make_folders(const std::string& path) {
  for (std::size_t end = 0; end != std::string::npos;) {
    end = path.find('/', end + 1);
    const std::string part = path.substr(0, end);
    if (part.empty() || part == "/") continue;
    if (::mkdir(part.c_str(), 0700) != 0 && errno != EEXIST)
      return refuse_file("make", part, errno);
  }
  struct stat found{};
  if (::stat(path.c_str(), &found) != 0) return refuse_file("make", path, errno);
  if (!S_ISDIR(found.st_mode)) return refuse_file("make", path, ENOTDIR);
  return {};
}

base::Result<std::unique_ptr<FolderLock>> LinuxFiles::lock_folder(const std::string& path) {
  const std::string name = path + "/lock";
  Descriptor file(::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (file.get() < 0) return refuse_file("open", name, errno);
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return refuse_file("lock", name, errno);
    const auto holder = read_all(file.get(), name);
    const std::string pid = holder && !holder->empty() ? *holder : "unknown";
    return base::fail(base::ErrorCode::conflict,
                      "folder " + path + " is in use by process " + pid +
                          "; stop that process or choose another folder");
  }
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(file.get(), 0) != 0 || !write_all(file.get(), pid)) {
    return refuse_file("write", name, errno);
  }
  return std::make_unique<LinuxFolderLock>(file.release());
}

}  // namespace keelway::runtime
