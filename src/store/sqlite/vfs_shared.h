// What the connections of one process share of one database: SQLite's file locks and the index of
// the write-ahead log. Several threads.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

namespace keelway::store {

class SharedFile {
 public:
  // SQLite's levels: none 0, shared 1, reserved 2, pending 3, exclusive 4. False: busy.
  bool lock(int from, int to);
  void unlock(int from, int to);  // to none or shared
  bool reserved();

  // Nullptr: not there and not to be made.
  void* region(std::size_t index, std::size_t bytes, bool make);
  // Slots [first, first + count) of the index. `mine`: bit masks of what the caller holds.
  bool lock_slots(int first, int count, bool exclusive, unsigned& shared, unsigned& exclusives);
  void unlock_slots(int first, int count, bool exclusive, unsigned& shared, unsigned& exclusives);
  void drop_regions();

  int mapped = 0;  // connections with the index mapped; under the maker's lock

 private:
  static constexpr int slots = 8;  // SQLITE_SHM_NLOCK
  std::mutex mutex_;
  int readers_ = 0;
  bool reserved_ = false, pending_ = false, exclusive_ = false;
  std::vector<std::unique_ptr<char[]>> regions_;
  int slot_readers_[slots] = {};
  bool slot_taken_[slots] = {};
};

}  // namespace keelway::store
