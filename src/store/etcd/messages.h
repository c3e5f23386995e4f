// The messages of etcd's API v3 that the engine speaks (etcdserverpb, mvccpb): what goes out is
// encoded, what comes in is decoded. Field numbers are etcd's.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "store/etcd/protobuf.h"
#include "store/store.h"

namespace keelway::store::etcd {

namespace method {
inline constexpr std::string_view range = "/etcdserverpb.KV/Range";
inline constexpr std::string_view transact = "/etcdserverpb.KV/Txn";
inline constexpr std::string_view compact = "/etcdserverpb.KV/Compact";
inline constexpr std::string_view watch = "/etcdserverpb.Watch/Watch";
inline constexpr std::string_view grant_lease = "/etcdserverpb.Lease/LeaseGrant";
inline constexpr std::string_view authenticate = "/etcdserverpb.Auth/Authenticate";
}  // namespace method

// One key of the store as etcd tells it. The views point into the message.
struct KeyValue {
  std::string_view key, value;
  Revision created = 0, modified = 0;
};

// [key, end); an empty end means the one key.
struct KeyRange {
  std::string key = {}, end = {};
  std::int64_t limit = 0;
  Revision revision = 0;
};
std::string encode_range(const KeyRange& range);

struct Ranged {
  std::vector<KeyValue> entries;
  bool more = false;
  Revision revision = 0;  // of the store when it answered; only of a whole answer
};
base::Result<Ranged> decode_range(std::string_view message);

// Builds a transaction from the inside out.
class TxnEncoder {
 public:
  void compare_modified(std::string_view key, Revision modified);
  void compare_created(std::string_view key, Revision created);
  void put(std::string_view key, std::string_view value, std::int64_t lease);
  void erase(std::string_view key, std::string_view end = {});
  void range(const KeyRange& range);      // if the compares hold
  void otherwise(const KeyRange& range);  // if they do not
  std::string take();

 private:
  std::vector<std::string> compares_, success_, failure_;
};

struct TxnReply {
  bool succeeded = false;
  Revision revision = 0;
  std::vector<Ranged> ranges;  // of the branch that ran, in order
};
base::Result<TxnReply> decode_transaction(std::string_view message);

struct WatchCreate {
  std::int64_t id = 0;
  std::string key = {}, end = {};
  Revision start = 0;  // the first revision that is delivered
  bool previous = false;
};
std::string encode_watch_create(const WatchCreate& create);
std::string encode_watch_cancel(std::int64_t id);
std::string encode_watch_progress();

struct WatchEvent {
  bool deletion = false;
  KeyValue entry;
  std::optional<KeyValue> previous;
};
struct WatchReply {
  std::int64_t id = 0;
  Revision revision = 0;
  bool created = false, cancelled = false;
  bool fragment = false;    // more of the same revision follows in the next message
  Revision compacted = 0;   // cancelled: history before it is gone
  std::string_view reason;  // cancelled: why
  std::vector<WatchEvent> events;
};
base::Result<WatchReply> decode_watch(std::string_view message);

std::string encode_compaction(Revision revision);
std::string encode_lease_grant(std::int64_t seconds);
base::Result<std::int64_t> decode_lease_grant(std::string_view message);  // the lease's id
std::string encode_authenticate(std::string_view user, std::string_view password);
base::Result<std::string> decode_authenticate(std::string_view message);  // the token

}  // namespace keelway::store::etcd
