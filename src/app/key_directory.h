// The access keys of the hub as every executor may read them: a snapshot that is replaced as a
// whole when a key comes or goes.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "aws/identity/token.h"
#include "client/client.h"

namespace keelway::app {

class KeyDirectory {
 public:
  // From the one executor that follows the hub.
  void apply(const client::ChangeBatch& batch);
  // Any thread.
  std::optional<aws::AccessKey> find(std::string_view access_key_id) const;
  // Grows whenever a key came, went or changed.
  std::uint64_t revision() const { return revision_.load(); }
  // A root key of the account, for local tools; the well-known test key is none.
  std::optional<aws::AccessKey> root_of(std::string_view account) const;

 private:
  using Table = std::map<std::string, aws::AccessKey, std::less<>>;
  std::shared_ptr<const Table> table() const;
  mutable std::mutex mutex_;
  std::shared_ptr<const Table> table_ = std::make_shared<Table>();  // guarded by mutex_
  std::atomic<std::uint64_t> revision_ = 0;
};

}  // namespace keelway::app
