// Leases for times to live. Keys with about the same end share one, because each costs etcd a
// write of its own. One executor.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "store/etcd/client.h"

namespace keelway::store::etcd {

class Leases : public std::enable_shared_from_this<Leases> {
 public:
  using Taken = std::move_only_function<void(base::Result<std::int64_t>)>;
  explicit Leases(std::shared_ptr<Client> client) : client_(std::move(client)) {}
  // A lease that ends between `time_to_live` and a twentieth (at least a second) later.
  void take(base::Duration time_to_live, Taken done);
  // etcd no longer knows one of them: the next takers get new ones.
  void forget_all();

 private:
  static constexpr int uses_max = 1'000;
  struct Lease {
    std::int64_t id = 0;
    base::Instant asked;  // its time to live counts from then or later
    int uses = 0;
    std::vector<Taken> waiting;  // while it is asked for
  };
  void granted(std::int64_t seconds, base::Result<std::string> reply);

  const std::shared_ptr<Client> client_;
  std::map<std::int64_t, Lease> leases_;  // by seconds to live
};

}  // namespace keelway::store::etcd
