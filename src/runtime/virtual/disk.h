// The disk of a virtual host: what the process has written, and what of it survives the loss of
// power. Sectors that were not synced are kept, dropped, torn or of an earlier time then, each by
// itself, so writes reach the platter in any order. Faults are drawn from the seed or planted.
#pragma once

#include <map>
#include <optional>
#include <set>

#include "base/random.h"
#include "base/time.h"
#include "runtime/files.h"
#include "runtime/virtual/queue.h"

namespace keelway::runtime {

enum class DiskCall { read, write, sync };

struct DiskFaults {
  double read_error = 0, write_error = 0, sync_error = 0;  // the chance of each call
  std::optional<std::uint64_t> capacity;  // bytes; what goes beyond is ErrorCode::exhausted
  // Of one call. A job stands still in virtual time, so it is the host's next job that waits.
  base::Duration latency_min{0}, latency_max{0};
  bool ignore_sync = false;  // a disk that lies
};

class VirtualDisk {
 public:
  explicit VirtualDisk(base::Random random) : random_(random) {}
  VirtualDisk(const VirtualDisk&) = delete;

  void set_faults(const DiskFaults& faults) { faults_ = faults; }
  const DiskFaults& faults() const { return faults_; }
  // Plants one fault: the n-th call of the kinds from now on fails (n from 1), and with
  // `and_all_after` every later one of these kinds.
  void fail_nth(std::uint64_t n, std::set<DiskCall> kinds, bool and_all_after = false);
  bool fault_fired() const { return planted_ && planted_->fired; }
  void clear_planted() { planted_.reset(); }
  std::uint64_t calls(DiskCall kind) const { return calls_[static_cast<std::size_t>(kind)]; }

  std::uint64_t used() const { return used_; }
  bool exists(const std::string& path) const { return names_.contains(path); }
  void flip_bit(const std::string& path, std::uint64_t offset, int bit);
  // Of the whole content that a reader finds now; nullptr: no such file.
  const std::string* content(const std::string& path) const;
  void put(const std::string& path, std::string bytes);  // durable at once, beside all faults

  void lose_power();
  // The time that calls since the last asking have taken.
  base::Duration take_owed() { return std::exchange(owed_, base::Duration(0)); }

  // The files of one life; calls of a life that has ended fail and change nothing.
  std::unique_ptr<Files> files(LifePtr life, std::string host);

 private:
  friend class VirtualFile;
  friend class VirtualFiles;
  struct Dirty {
    std::vector<std::string> before;  // what the sector was since the last sync, oldest first
    bool lost = false;                // a sync has failed: only writing it anew makes it durable
  };
  struct Inode {
    std::string bytes;                     // what is read
    std::string durable;                   // what was synced
    std::map<std::uint64_t, Dirty> dirty;  // by sector
    bool named = false;                    // the name is durable
    bool removed = false;                  // no name: takes no space
  };
  using InodePtr = std::shared_ptr<Inode>;
  struct Planted {
    std::uint64_t left = 0;
    std::set<DiskCall> kinds;
    bool and_all_after = false, fired = false;
  };

  base::Result<void> admit(DiskCall call, const std::string& path);
  base::Result<void> write(Inode& inode, const std::string& path, std::uint64_t offset,
                           std::string_view bytes);
  void store(Inode& inode, std::uint64_t offset, std::string_view bytes);
  void resize(Inode& inode, std::uint64_t size);
  base::Result<void> sync(Inode& inode, const std::string& path);
  void sync_names(const std::string& prefix);
  void settle(Inode& inode);
  std::string sector_after_crash(const Inode& inode, std::uint64_t sector, const Dirty& dirty);

  base::Random random_;
  DiskFaults faults_;
  std::optional<Planted> planted_;
  std::uint64_t calls_[3] = {};
  std::uint64_t used_ = 0;
  base::Duration owed_{0};
  std::map<std::string, InodePtr> names_;
  std::map<std::string, InodePtr> removed_;  // the removal is not durable yet
};

}  // namespace keelway::runtime
