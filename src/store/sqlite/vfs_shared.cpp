#include "store/sqlite/vfs_shared.h"

namespace keelway::store {
namespace {

constexpr int none = 0, shared = 1, reserved_level = 2, pending_level = 3, exclusive_level = 4;

}  // namespace

bool SharedFile::lock(int from, int to) {
  std::lock_guard guard(mutex_);
  if (from >= to) return true;
  if (to == shared) {
    if (pending_ || exclusive_) return false;
    ++readers_;
    return true;
  }
  if (from < reserved_level && reserved_) return false;
  reserved_ = true;
  if (to < pending_level) return true;
  pending_ = true;  // new readers stay out until the old ones are gone
  if (to < exclusive_level) return true;
  if (readers_ > 1) return false;
  exclusive_ = true;
  return true;
}

void SharedFile::unlock(int from, int to) {
  std::lock_guard guard(mutex_);
  if (from <= to) return;
  if (from >= reserved_level) reserved_ = pending_ = exclusive_ = false;
  if (to == none) --readers_;
}

bool SharedFile::reserved() {
  std::lock_guard guard(mutex_);
  return reserved_;
}

void* SharedFile::region(std::size_t index, std::size_t bytes, bool make) {
  std::lock_guard guard(mutex_);
  if (index >= regions_.size() && !make) return nullptr;
  while (regions_.size() <= index) regions_.push_back(std::make_unique<char[]>(bytes));
  return regions_[index].get();
}

bool SharedFile::lock_slots(int first, int count, bool exclusive, unsigned& shared,
                            unsigned& exclusives) {
  std::lock_guard guard(mutex_);
  for (int slot = first; slot < first + count; ++slot) {
    const unsigned bit = 1u << slot;
    if (exclusive && (slot_readers_[slot] > ((shared & bit) != 0 ? 1 : 0))) return false;
    if (slot_taken_[slot] && (exclusives & bit) == 0) return false;
  }
  for (int slot = first; slot < first + count; ++slot) {
    const unsigned bit = 1u << slot;
    if (exclusive) {
      slot_taken_[slot] = true;
      exclusives |= bit;
    } else if ((shared & bit) == 0) {
      ++slot_readers_[slot];
      shared |= bit;
    }
  }
  return true;
}

void SharedFile::unlock_slots(int first, int count, bool exclusive, unsigned& shared,
                              unsigned& exclusives) {
  std::lock_guard guard(mutex_);
  for (int slot = first; slot < first + count; ++slot) {
    const unsigned bit = 1u << slot;
    if (exclusive && (exclusives & bit) != 0) {
      slot_taken_[slot] = false;
      exclusives &= ~bit;
    }
    if (!exclusive && (shared & bit) != 0) {
      --slot_readers_[slot];
      shared &= ~bit;
    }
  }
}

void SharedFile::drop_regions() {
  std::lock_guard guard(mutex_);
  regions_.clear();
}

}  // namespace keelway::store
