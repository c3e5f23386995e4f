// The store on etcd 3.4 or later: many servers share it. Speaks etcd's gRPC API over runtime's
// streams and wire's HTTP/2, without gRPC's library.
//
// Revisions are etcd's own: they increase with every transaction of a keyspace, with gaps. One
// watch over everything is shared by all keyspaces. A transaction whose answer was lost ends with
// ErrorCode::unavailable and is never sent twice. Limits of a transaction are etcd's:
// --max-txn-ops (128) and --max-request-bytes (1.5 MiB).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/network.h"
#include "store/etcd/load.h"
#include "store/store.h"

namespace keelway::store {

struct EtcdOptions {
  std::vector<runtime::Address> members;  // of one etcd cluster; any that answers is used
  std::string prefix = "/keelway/";       // of every key
  std::optional<runtime::TlsClient> tls;  // with client certificate or without
  std::string user, password;             // empty: etcd's authentication is off
  // History older than one to two of these is compacted, for all keyspaces and whoever else uses
  // this etcd. Zero: never by us.
  base::Duration compact_interval = std::chrono::minutes(5);
  std::size_t page = 1'000;  // entries that one request to etcd reads
  // Of one call with all its repetitions; longer than etcd's own limit of a write, 7 s.
  base::Duration call_timeout = std::chrono::seconds(9);
  base::Duration silent_max = std::chrono::seconds(5);  // then another member is asked
  // Of messages that wait for an answer; beyond them calls are refused as unavailable.
  std::size_t pending_bytes_max = 256u << 20;
  std::shared_ptr<EtcdLoad> load;  // null: nobody looks
};

// etcd://HOST:PORT[,HOST:PORT...][/PREFIX]
base::Result<EtcdOptions> parse_etcd_url(const std::string& url);

// Connects in the background and goes on trying. The engine lives on `executor`: it is made and
// destroyed there, after its keyspaces and watches, which may live on any executor.
std::unique_ptr<Engine> make_etcd(runtime::Runtime& runtime, runtime::Executor& executor,
                                  EtcdOptions options);

}  // namespace keelway::store
