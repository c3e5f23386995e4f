#include "store/sqlite/vfs.h"

#include <sqlite3.h>

#include <atomic>
#include <cstring>
#include <map>
#include <mutex>

#include "runtime/files.h"
#include "store/sqlite/vfs_shared.h"

namespace keelway::store {
namespace {

// SQLite's date functions follow it; the engine asks for no date.
constexpr sqlite3_int64 julian_milliseconds = 211'903'084'800'000;  // 2026-01-01
constexpr int path_max = 1024;
constexpr int sector_bytes = 512;

class FilesVfs final : public Vfs {
 public:
  explicit FilesVfs(runtime::Runtime& runtime);
  ~FilesVfs() override { sqlite3_vfs_unregister(&vfs_); }
  FilesVfs(const FilesVfs&) = delete;
  const std::string& name() const override { return name_; }

  runtime::Files& files() { return files_; }
  void fill(char* to, int count) {
    const std::string bytes = runtime_.random_bytes(static_cast<std::size_t>(count));
    std::memcpy(to, bytes.data(), bytes.size());
  }
  std::shared_ptr<SharedFile> shared(const std::string& path) {
    std::lock_guard lock(mutex_);
    std::shared_ptr<SharedFile> file = shared_[path].lock();
    if (!file) shared_[path] = file = std::make_shared<SharedFile>();
    return file;
  }
  std::string temporary() { return "temporary-" + std::to_string(++temporaries_); }
  // True: this was the last connection that maps it.
  bool unmap(SharedFile& file) {
    std::lock_guard lock(mutex_);
    return --file.mapped == 0;
  }
  void map(SharedFile& file) {
    std::lock_guard lock(mutex_);
    ++file.mapped;
  }

 private:
  runtime::Runtime& runtime_;
  runtime::Files& files_;  // of this life of a simulated process
  const std::string name_;
  std::mutex mutex_;
  std::map<std::string, std::weak_ptr<SharedFile>> shared_;
  int temporaries_ = 0;
  sqlite3_vfs vfs_ = {};
};

FilesVfs& self_of(sqlite3_vfs* vfs) {
  return *static_cast<FilesVfs*>(vfs->pAppData);
}

// What SQLite allocates for an open file begins with its sqlite3_file.
struct OpenFile {
  sqlite3_file base;
  FilesVfs* vfs;
  std::unique_ptr<runtime::File> file;
  std::shared_ptr<SharedFile> shared;
  std::string path;
  bool remove_at_close = false;
  bool mapped = false;
  int level = 0;
  unsigned shared_slots = 0, exclusive_slots = 0;
};

OpenFile& open_of(sqlite3_file* file) {
  return *reinterpret_cast<OpenFile*>(file);
}

int code_of(const base::Error& error, int otherwise) {
  return error.code == base::ErrorCode::exhausted ? SQLITE_FULL : otherwise;
}

int close_file(sqlite3_file* base) {
  OpenFile& file = open_of(base);
  if (file.shared) file.shared->unlock(file.level, 0);
  FilesVfs& vfs = *file.vfs;
  const std::string path = file.remove_at_close ? file.path : "";
  file.~OpenFile();
  if (!path.empty()) static_cast<void>(vfs.files().remove(path));
  return SQLITE_OK;
}

int read_file(sqlite3_file* base, void* into, int count, sqlite3_int64 offset) {
  const std::span<char> span(static_cast<char*>(into), static_cast<std::size_t>(count));
  const auto got = open_of(base).file->read_at(static_cast<std::uint64_t>(offset), span);
  if (!got) return SQLITE_IOERR_READ;
  if (*got == span.size()) return SQLITE_OK;
  std::memset(span.data() + *got, 0, span.size() - *got);
  return SQLITE_IOERR_SHORT_READ;
}

int write_file(sqlite3_file* base, const void* bytes, int count, sqlite3_int64 offset) {
  const std::string_view view(static_cast<const char*>(bytes), static_cast<std::size_t>(count));
  const auto done = open_of(base).file->write_at(static_cast<std::uint64_t>(offset), view);
  return done ? SQLITE_OK : code_of(done.error(), SQLITE_IOERR_WRITE);
}

int truncate_file(sqlite3_file* base, sqlite3_int64 size) {
  const auto done = open_of(base).file->truncate(static_cast<std::uint64_t>(size));
  return done ? SQLITE_OK : code_of(done.error(), SQLITE_IOERR_TRUNCATE);
}

// Whatever the reason, also a full disk: after it nobody knows what is durable.
int sync_file(sqlite3_file* base, int) {
  return open_of(base).file->sync() ? SQLITE_OK : SQLITE_IOERR_FSYNC;
}

int size_of_file(sqlite3_file* base, sqlite3_int64* size) {
  const auto found = open_of(base).file->size();
  if (!found) return SQLITE_IOERR_FSTAT;
  *size = static_cast<sqlite3_int64>(*found);
  return SQLITE_OK;
}

int lock_file(sqlite3_file* base, int level) {
  OpenFile& file = open_of(base);
  if (!file.shared->lock(file.level, level)) return SQLITE_BUSY;
  file.level = std::max(file.level, level);
  return SQLITE_OK;
}

int unlock_file(sqlite3_file* base, int level) {
  OpenFile& file = open_of(base);
  file.shared->unlock(file.level, level);
  file.level = std::min(file.level, level);
  return SQLITE_OK;
}

int check_reserved(sqlite3_file* base, int* reserved) {
  *reserved = open_of(base).shared->reserved() ? 1 : 0;
  return SQLITE_OK;
}

int control_file(sqlite3_file*, int, void*) {
  return SQLITE_NOTFOUND;
}

int sector_size(sqlite3_file*) {
  return sector_bytes;
}

// As SQLite assumes of every Linux disk: a write that is cut short leaves the bytes beside it.
int characteristics(sqlite3_file*) {
  return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

int map_region(sqlite3_file* base, int region, int bytes, int make, void volatile** at) {
  OpenFile& file = open_of(base);
  if (!std::exchange(file.mapped, true)) file.vfs->map(*file.shared);
  *at = file.shared->region(static_cast<std::size_t>(region), static_cast<std::size_t>(bytes),
                            make != 0);
  return SQLITE_OK;
}

int lock_slots(sqlite3_file* base, int first, int count, int flags) {
  OpenFile& file = open_of(base);
  const bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
  if ((flags & SQLITE_SHM_UNLOCK) != 0) {
    file.shared->unlock_slots(first, count, exclusive, file.shared_slots, file.exclusive_slots);
    return SQLITE_OK;
  }
  const bool got =
      file.shared->lock_slots(first, count, exclusive, file.shared_slots, file.exclusive_slots);
  return got ? SQLITE_OK : SQLITE_BUSY;
}

void barrier(sqlite3_file*) {
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

int unmap_regions(sqlite3_file* base, int) {
  OpenFile& file = open_of(base);
  constexpr int all_slots = 8;
  file.shared->unlock_slots(0, all_slots, false, file.shared_slots, file.exclusive_slots);
  file.shared->unlock_slots(0, all_slots, true, file.shared_slots, file.exclusive_slots);
  if (std::exchange(file.mapped, false) && file.vfs->unmap(*file.shared)) {
    file.shared->drop_regions();
  }
  return SQLITE_OK;
}

const sqlite3_io_methods& methods() {
  static const sqlite3_io_methods all = {
      .iVersion = 2,
      .xClose = close_file,
      .xRead = read_file,
      .xWrite = write_file,
      .xTruncate = truncate_file,
      .xSync = sync_file,
      .xFileSize = size_of_file,
      .xLock = lock_file,
      .xUnlock = unlock_file,
      .xCheckReservedLock = check_reserved,
      .xFileControl = control_file,
      .xSectorSize = sector_size,
      .xDeviceCharacteristics = characteristics,
      .xShmMap = map_region,
      .xShmLock = lock_slots,
      .xShmBarrier = barrier,
      .xShmUnmap = unmap_regions,
      .xFetch = nullptr,
      .xUnfetch = nullptr,
  };
  return all;
}

int open_file(sqlite3_vfs* vfs, const char* name, sqlite3_file* base, int flags, int* out_flags) {
  FilesVfs& self = self_of(vfs);
  base->pMethods = nullptr;  // nothing to close where this fails
  const std::string path = name != nullptr ? name : self.temporary();
  const auto access = (flags & SQLITE_OPEN_CREATE) != 0      ? runtime::FileAccess::create
                      : (flags & SQLITE_OPEN_READWRITE) != 0 ? runtime::FileAccess::write
                                                             : runtime::FileAccess::read;
  auto file = self.files().open(path, access);
  if (!file) return code_of(file.error(), SQLITE_CANTOPEN);
  OpenFile* open = new (base) OpenFile{};
  open->base.pMethods = &methods();
  open->vfs = &self;
  open->file = std::move(*file);
  open->path = path;
  open->remove_at_close = name == nullptr || (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
  open->shared = self.shared(path);
  if (out_flags != nullptr) *out_flags = flags;
  return SQLITE_OK;
}

int remove_file(sqlite3_vfs* vfs, const char* name, int sync) {
  runtime::Files& files = self_of(vfs).files();
  const std::string path = name;
  if (const auto removed = files.remove(path); !removed) {
    return removed.error().code == base::ErrorCode::not_found ? SQLITE_IOERR_DELETE_NOENT
                                                              : SQLITE_IOERR_DELETE;
  }
  const auto slash = path.rfind('/');
  if (sync == 0 || slash == std::string::npos) return SQLITE_OK;
  return files.sync_folder(path.substr(0, slash)) ? SQLITE_OK : SQLITE_IOERR_DIR_FSYNC;
}

int look_at_file(sqlite3_vfs* vfs, const char* name, int, int* answer) {
  const auto there = self_of(vfs).files().exists(name);
  if (!there) return SQLITE_IOERR_ACCESS;
  *answer = *there ? 1 : 0;
  return SQLITE_OK;
}

int full_path(sqlite3_vfs*, const char* name, int size, char* out) {
  const std::size_t length = std::strlen(name);
  if (length >= static_cast<std::size_t>(size)) return SQLITE_CANTOPEN;
  std::memcpy(out, name, length + 1);
  return SQLITE_OK;
}

FilesVfs::FilesVfs(runtime::Runtime& runtime)
    : runtime_(runtime),
      files_(runtime.files()),
      name_("keelway-" + std::to_string(reinterpret_cast<std::uintptr_t>(this))) {
  vfs_.iVersion = 2;
  vfs_.szOsFile = sizeof(OpenFile);
  vfs_.mxPathname = path_max;
  vfs_.zName = name_.c_str();
  vfs_.pAppData = this;
  vfs_.xOpen = open_file;
  vfs_.xDelete = remove_file;
  vfs_.xAccess = look_at_file;
  vfs_.xFullPathname = full_path;
  vfs_.xRandomness = [](sqlite3_vfs* vfs, int count, char* to) {
    self_of(vfs).fill(to, count);
    return count;
  };
  vfs_.xSleep = [](sqlite3_vfs*, int microseconds) { return microseconds; };
  vfs_.xCurrentTime = [](sqlite3_vfs*, double* days) {
    *days = static_cast<double>(julian_milliseconds) / 86'400'000.0;
    return SQLITE_OK;
  };
  vfs_.xCurrentTimeInt64 = [](sqlite3_vfs*, sqlite3_int64* milliseconds) {
    *milliseconds = julian_milliseconds;
    return SQLITE_OK;
  };
  vfs_.xGetLastError = [](sqlite3_vfs*, int, char*) { return 0; };
  const int code = sqlite3_vfs_register(&vfs_, 1);
  KEELWAY_INVARIANT(code == SQLITE_OK, "a VFS was not registered");
  sqlite3_randomness(0, nullptr);  // what was drawn before is forgotten, the seed is ours now
}

}  // namespace

std::unique_ptr<Vfs> Vfs::make(runtime::Runtime& runtime) {
  return std::make_unique<FilesVfs>(runtime);
}

}  // namespace keelway::store
