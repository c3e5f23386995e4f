// One writer of a cluster's loops at a time: no write of a server's loops commits after another
// server took the cluster, or after the registration that the loops were started with has ended.
//
// Hears three sides: which server's transaction made a revision, how the fence keys changed, and
// which write each client of a loop was told of. What a client was told may be somebody else's
// revision, where it changed nothing; so both have to agree on whose it is.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "sim/oracles/oracle.h"
#include "store/store.h"

namespace keelway::sim {

class FenceOracle {
 public:
  void committed(const std::string& keyspace, const std::string& server, store::Revision revision);
  void fed(const std::string& keyspace, const store::EventBatch& batch);
  void rebased(const std::string& keyspace, const store::RangeResult& all);

  enum class Where { hub, cluster };
  // The highest revision that anybody was told.
  store::Revision head(Where where) const { return book_of(where).head; }
  // Each client lives under one fence.
  std::uint64_t new_client() { return ++clients_; }
  // A loop's call through `server`, sent when head() was `before`, was told of `revision`.
  void told(Where where, const std::string& server, std::uint64_t client, store::Revision before,
            store::Revision revision);
  // Judges what can be judged. Much later than the answers of a transaction come.
  void judge();
  const Complaint& complaint() const { return complaint_; }

 private:
  struct Told {
    std::string server;
    std::uint64_t client = 0;
    store::Revision revision = 0;
  };
  struct Book {
    std::map<store::Revision, std::string> makers;                  // servers, by revision
    std::map<std::string, std::map<store::Revision, bool>> fences;  // whether it stands, by key
    store::Revision head = 0, seen = 0, base = 0;
    std::vector<Told> told;
    std::map<std::uint64_t, store::Revision> fence_of;  // by client
  };
  Book& book_of(const std::string& keyspace) { return keyspace == "hub" ? hub_ : cluster_; }
  const Book& book_of(Where where) const { return where == Where::hub ? hub_ : cluster_; }
  Complaint judge(Book& book, Where where, const Told& told);

  Book hub_, cluster_;
  std::uint64_t clients_ = 0;
  Complaint complaint_;
};

}  // namespace keelway::sim
