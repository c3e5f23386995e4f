#include "sim/oracles/store.h"

#include <fmt/core.h>

#include <algorithm>

namespace keelway::sim {
namespace {

constexpr auto remembered = std::chrono::minutes(3);

bool starts_with_any(const std::string& key, const std::vector<std::string>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&key](const std::string& prefix) { return key.starts_with(prefix); });
}

}  // namespace

void StoreOracle::complain(const std::string& what) {
  if (!complaint_) complaint_ = fmt::format("store of {}: {}", keyspace_, what);
}

void StoreOracle::acknowledged(const store::Transaction& transaction, store::Revision revision) {
  // Writes nothing: its revision is somebody else's.
  if (transaction.puts.empty() && transaction.deletes.empty()) return;
  if (transaction.puts.empty() && revision <= acknowledged_) return;
  if (!given_.insert(revision).second) {
    return complain(fmt::format("revision {} was given to two transactions", revision));
  }
  acknowledged_ = std::max(acknowledged_, revision);
  if (revision <= seen_)
    check(transaction, revision);
  else
    to_check_.emplace(revision, transaction);
}

void StoreOracle::begins(store::Revision head, store::Revision promised) {
  if (promised <= head) return;
  complain(fmt::format("begins at revision {} after it acknowledged or told {}", head, promised));
}

void StoreOracle::fed(const store::EventBatch& batch, base::Instant now) {
  store::Revision last = seen_;
  for (const store::Event& event : batch.events) {
    const store::Revision revision = event.entry.modified;
    if (revision <= seen_) return complain(fmt::format("revision {} was told again", revision));
    if (revision < last || revision > last + 1) {
      return complain(fmt::format("a watch was told revision {} after {}", revision, last));
    }
    last = revision;
    history_[event.entry.key][revision] = event.type == store::Event::Type::put;
    recent_.push_back({now, revision, event.entry.key});
  }
  if (batch.revision > last) {
    complain(fmt::format("a watch stands at revision {} and was told nothing after {}",
                         batch.revision, last));
  }
  seen_ = std::max(last, batch.revision);
  while (!to_check_.empty() && to_check_.begin()->first <= seen_) {
    const auto due = to_check_.extract(to_check_.begin());
    check(due.mapped(), due.key());
  }
  const auto old = std::find_if(recent_.begin(), recent_.end(), [now](const Recent& write) {
    return now - write.at < 2 * remembered;
  });
  if (old != recent_.begin() && now - recent_.front().at > 3 * remembered) {
    recent_.erase(recent_.begin(), old);
  }
}

void StoreOracle::rebased(const store::RangeResult& all) {
  history_.clear();
  for (const store::Entry& entry : all.entries) history_[entry.key][entry.modified] = true;
  base_ = seen_ = all.revision;
  to_check_.erase(to_check_.begin(), to_check_.upper_bound(seen_));
}

store::Revision StoreOracle::modified_before(const std::string& key,
                                             store::Revision revision) const {
  const auto writes = history_.find(key);
  if (writes == history_.end()) return 0;
  auto write = writes->second.lower_bound(revision);
  if (write == writes->second.begin()) return 0;
  --write;
  return write->second ? write->first : 0;
}

void StoreOracle::check(const store::Transaction& transaction, store::Revision revision) {
  if (revision <= base_) return;
  const auto wrote = [&](const std::string& key, bool there) {
    const auto writes = history_.find(key);
    if (writes == history_.end()) return false;
    const auto write = writes->second.find(revision);
    return write != writes->second.end() && write->second == there;
  };
  for (const store::Put& put : transaction.puts) {
    if (!wrote(put.key, true)) {
      return complain(fmt::format("revision {} was acknowledged for {} and did not write it",
                                  revision, put.key));
    }
  }
  for (const store::Delete& deletion : transaction.deletes) {
    if (modified_before(deletion.key, revision) != 0 && !wrote(deletion.key, false)) {
      return complain(fmt::format("revision {} was acknowledged and did not delete {}", revision,
                                  deletion.key));
    }
  }
  for (const store::Compare& compare : transaction.compares) {
    const store::Revision was = modified_before(compare.key, revision);
    if (was == compare.modified || (was == 0 && compare.modified <= base_ && base_ > 0)) continue;
    return complain(fmt::format("revision {} was written on {} of revision {}, which was at {}",
                                revision, compare.key, compare.modified, was));
  }
}

std::size_t StoreOracle::writes_since(base::Instant since,
                                      const std::vector<std::string>& but) const {
  std::set<store::Revision> revisions;
  for (auto write = recent_.rbegin(); write != recent_.rend() && since <= write->at; ++write) {
    if (!starts_with_any(write->key, but)) revisions.insert(write->revision);
  }
  return revisions.size();
}

std::string StoreOracle::first_write_since(base::Instant since,
                                           const std::vector<std::string>& but) const {
  for (const Recent& write : recent_) {
    if (since <= write.at && !starts_with_any(write.key, but)) return write.key;
  }
  return "";
}

}  // namespace keelway::sim
