#include "runtime/virtual/disk.h"

#include <algorithm>

namespace keelway::runtime {
namespace {

// As small as real ones are, so that tearing is felt; SQLite is told that sectors are whole.
constexpr std::uint64_t sector_bytes = 512;
constexpr std::size_t versions_max = 4;  // that one unsynced sector remembers

std::string sector_of(const std::string& bytes, std::uint64_t sector) {
  const std::uint64_t start = sector * sector_bytes;
  if (start >= bytes.size()) return {};
  return bytes.substr(start, sector_bytes);
}

}  // namespace

void VirtualDisk::fail_nth(std::uint64_t n, std::set<DiskCall> kinds, bool and_all_after) {
  planted_ = Planted{n, std::move(kinds), and_all_after, false};
}

void VirtualDisk::flip_bit(const std::string& path, std::uint64_t offset, int bit) {
  const auto found = names_.find(path);
  KEELWAY_INVARIANT(found != names_.end() && offset < found->second->bytes.size(),
                    "no such byte in " + path);
  Inode& inode = *found->second;
  inode.bytes[offset] = static_cast<char>(inode.bytes[offset] ^ (1 << bit));
  if (offset < inode.durable.size()) inode.durable[offset] = inode.bytes[offset];
}

const std::string* VirtualDisk::content(const std::string& path) const {
  const auto found = names_.find(path);
  return found == names_.end() ? nullptr : &found->second->bytes;
}

void VirtualDisk::put(const std::string& path, std::string bytes) {
  InodePtr& inode = names_[path];
  if (inode) {
    used_ -= inode->bytes.size();
    inode->removed = true;
  }
  used_ += bytes.size();
  inode = std::make_shared<Inode>(Inode{bytes, bytes, {}, true, false});
  removed_.erase(path);
}

base::Result<void> VirtualDisk::admit(DiskCall call, const std::string& path) {
  ++calls_[static_cast<std::size_t>(call)];
  if (faults_.latency_max > base::Duration(0)) {
    const auto span = (faults_.latency_max - faults_.latency_min).count();
    owed_ += faults_.latency_min +
             base::Duration(random_.below(static_cast<std::uint64_t>(std::max(span, 0L)) + 1));
  }
  const double chance = call == DiskCall::read    ? faults_.read_error
                        : call == DiskCall::write ? faults_.write_error
                                                  : faults_.sync_error;
  bool fails = chance > 0 && random_.chance(chance);
  if (planted_ && planted_->kinds.contains(call)) {
    if (planted_->left > 0) --planted_->left;
    const bool due = planted_->left == 0 && (!planted_->fired || planted_->and_all_after);
    planted_->fired = planted_->fired || due;
    fails = fails || due;
  }
  if (!fails) return {};
  return base::fail(base::ErrorCode::internal, path + ": Input/output error");
}

base::Result<void> VirtualDisk::write(Inode& inode, const std::string& path, std::uint64_t offset,
                                      std::string_view bytes) {
  const auto admitted = admit(DiskCall::write, path);
  if (!admitted) bytes = bytes.substr(0, random_.below(bytes.size() + 1));  // a short write
  const std::uint64_t end = offset + bytes.size();
  const std::uint64_t grown = end > inode.bytes.size() ? end - inode.bytes.size() : 0;
  const std::uint64_t room =
      !faults_.capacity ? grown : *faults_.capacity - std::min(*faults_.capacity, used_);
  if (grown > room) bytes = bytes.substr(0, bytes.size() - std::min(bytes.size(), grown - room));
  store(inode, offset, bytes);
  if (!admitted) return admitted;
  if (grown <= room) return {};
  return base::fail(base::ErrorCode::exhausted, "cannot write " + path + ": no space left");
}

void VirtualDisk::store(Inode& inode, std::uint64_t offset, std::string_view bytes) {
  if (bytes.empty()) return;
  const std::uint64_t first = offset / sector_bytes;
  const std::uint64_t last = (offset + bytes.size() - 1) / sector_bytes;
  for (std::uint64_t sector = first; sector <= last; ++sector) {
    const auto [dirty, fresh] = inode.dirty.try_emplace(sector);
    dirty->second.lost = false;
    if (fresh || dirty->second.before.size() >= versions_max) continue;
    dirty->second.before.push_back(sector_of(inode.bytes, sector));
  }
  if (offset + bytes.size() > inode.bytes.size()) resize(inode, offset + bytes.size());
  inode.bytes.replace(offset, bytes.size(), bytes);
}

void VirtualDisk::resize(Inode& inode, std::uint64_t size) {
  // What is cut off and made anew reads as zeros, also after a sync.
  for (std::uint64_t cut = size; cut < inode.bytes.size(); cut += sector_bytes) {
    inode.dirty.try_emplace(cut / sector_bytes);
  }
  if (!inode.removed) used_ = used_ + size - inode.bytes.size();
  inode.bytes.resize(size);
}

base::Result<void> VirtualDisk::sync(Inode& inode, const std::string& path) {
  if (auto admitted = admit(DiskCall::sync, path); !admitted) {
    for (auto& [sector, dirty] : inode.dirty) dirty.lost = true;
    return admitted;
  }
  if (faults_.ignore_sync) return {};
  if (!inode.named) sync_names(path.substr(0, path.rfind('/') + 1));
  inode.durable.resize(inode.bytes.size());
  std::erase_if(inode.dirty, [&](const auto& entry) {
    const auto& [sector, dirty] = entry;
    if (dirty.lost) return false;
    const std::string now = sector_of(inode.bytes, sector);
    if (!now.empty()) inode.durable.replace(sector * sector_bytes, now.size(), now);
    return true;
  });
  return {};
}

void VirtualDisk::sync_names(const std::string& prefix) {
  for (auto at = names_.lower_bound(prefix); at != names_.end() && at->first.starts_with(prefix);
       ++at) {
    at->second->named = true;
  }
  std::erase_if(removed_, [&](const auto& entry) { return entry.first.starts_with(prefix); });
}

std::string VirtualDisk::sector_after_crash(const Inode& inode, std::uint64_t sector,
                                            const Dirty& dirty) {
  const std::string old = sector_of(inode.durable, sector);
  const std::string now = sector_of(inode.bytes, sector);
  switch (random_.below(4)) {
    case 0:
      return old;
    case 1:
      return now;
    case 2:
      return dirty.before.empty() ? now : dirty.before[random_.below(dirty.before.size())];
    default:
      break;
  }
  // Torn: the head of the new one, then the old one; bytes that never changed stay as they are.
  std::string torn = now;
  const std::uint64_t cut = random_.below(sector_bytes);
  for (std::uint64_t i = cut; i < torn.size(); ++i) torn[i] = i < old.size() ? old[i] : '\0';
  return torn;
}

// What the platter holds once the power is gone.
void VirtualDisk::settle(Inode& inode) {
  const std::uint64_t low = std::min(inode.durable.size(), inode.bytes.size());
  const std::uint64_t high = std::max(inode.durable.size(), inode.bytes.size());
  std::uint64_t size = low;
  switch (random_.below(3)) {
    case 0:
      break;
    case 1:
      size = high;
      break;
    default:
      size = low + random_.below(high - low + 1);
  }
  std::string left = inode.durable;
  left.resize(high);
  for (const auto& [sector, dirty] : inode.dirty) {
    const std::string bytes = sector_after_crash(inode, sector, dirty);
    const std::uint64_t start = sector * sector_bytes;
    if (start < high) left.replace(start, std::min(bytes.size(), high - start), bytes);
  }
  left.resize(size);
  inode.bytes = inode.durable = std::move(left);
  inode.dirty.clear();
  inode.named = true;
}

void VirtualDisk::lose_power() {
  for (auto& [path, inode] : removed_) {
    if (!inode->named || !random_.chance(0.5)) continue;
    inode->removed = false;
    names_.try_emplace(path, inode);
  }
  removed_.clear();
  std::erase_if(names_,
                [&](const auto& entry) { return !entry.second->named && random_.chance(0.5); });
  used_ = 0;
  for (auto& [path, inode] : names_) {
    settle(*inode);
    used_ += inode->bytes.size();
  }
  owed_ = base::Duration(0);
}

}  // namespace keelway::runtime
