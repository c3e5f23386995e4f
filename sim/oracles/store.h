// The store is linear: what it acknowledged happened, once, at the revision that it said, on the
// state that its compares named, and no restart takes back what it acknowledged or told a watch.
//
// Fed from two sides: by the answers that the server's own keyspace got, and by a watch that goes
// on from life to life where it stopped.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/time.h"
#include "sim/oracles/oracle.h"
#include "store/store.h"

namespace keelway::sim {

class StoreOracle {
 public:
  explicit StoreOracle(std::string keyspace) : keyspace_(std::move(keyspace)) {}

  void acknowledged(const store::Transaction& transaction, store::Revision revision);
  // A new life of the store begins at `head`, asked for when it had promised so much.
  void begins(store::Revision head, store::Revision promised);
  // The highest revision that an answer or a watch has told.
  store::Revision promised() const { return std::max(acknowledged_, seen_); }
  void fed(const store::EventBatch& batch, base::Instant now);
  // The watch lost its history to a compaction; `all` is the whole state.
  void rebased(const store::RangeResult& all);

  store::Revision seen() const { return seen_; }
  const Complaint& complaint() const { return complaint_; }
  std::string last_written() const { return recent_.empty() ? "" : recent_.back().key; }
  // Revisions since `since` that wrote a key without one of the prefixes.
  std::size_t writes_since(base::Instant since, const std::vector<std::string>& but) const;
  std::string first_write_since(base::Instant since, const std::vector<std::string>& but) const;

 private:
  struct Recent {
    base::Instant at;
    store::Revision revision = 0;
    std::string key;
  };
  using Writes = std::map<store::Revision, bool>;  // whether it was there afterwards

  void complain(const std::string& what);
  void check(const store::Transaction& transaction, store::Revision revision);
  // 0: absent.
  store::Revision modified_before(const std::string& key, store::Revision revision) const;

  const std::string keyspace_;
  std::map<std::string, Writes> history_;  // by key
  store::Revision seen_ = 0;               // by the watch
  store::Revision base_ = 0;               // nothing is known of the history before
  store::Revision acknowledged_ = 0;
  std::map<store::Revision, store::Transaction> to_check_;  // acknowledged, not seen yet
  std::set<store::Revision> given_;                         // revisions that an answer named
  std::vector<Recent> recent_;
  Complaint complaint_;
};

}  // namespace keelway::sim
