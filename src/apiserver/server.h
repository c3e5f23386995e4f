// Door 1: the Kubernetes API of one cluster over one keyspace. It judges (access, admission),
// shapes (schema), writes (store) and shows (watch); it holds no loop of its own.
//
// A Server belongs to one executor: construction, start(), handle() and destruction happen there.
// An idle server owns no timer.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "access/authenticator.h"
#include "access/fairness.h"
#include "access/identity.h"
#include "access/service_account_token.h"
#include "admission/admission.h"
#include "apiserver/fence.h"
#include "client/client.h"
#include "client/view.h"
#include "http/server.h"
#include "runtime/runtime.h"
#include "schema/kind.h"
#include "store/store.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"
#include "watch/cache.h"

namespace keelway::apiserver {

// One line of the audit trail: a request, answered. Its texts live as long as the call that tells
// it.
struct AuditRecord {
  std::string_view id, verb, uri, user;
  std::span<const std::string> groups;
  std::string_view impersonator;  // who really asked, where `user` was taken on
  std::string_view group, version, resource, subresource, name_space, name;
  std::string_view source;  // the peer's address; "in-process" for our own loops
  std::string_view user_agent;
  int code = 0;
  base::WallTime received, answered;
};

// Answers pods/log: text, or why not. `query` holds container, tailLines ... as sent.
struct LogRequest {
  std::string name_space, pod, node, container;
  bool follow = false, previous = false, timestamps = false;
  std::int64_t tail_lines = -1, limit_bytes = -1, since_seconds = -1;
};
using LogReader =
    std::function<void(LogRequest, std::move_only_function<void(schema::Answer<std::string>)>)>;

// What every cluster has beside namespaces and default/kubernetes.
struct Foundation {
  // Written where it is absent: whole objects, cluster-scoped ones first; CRDs are Established at
  // once.
  std::vector<value::Value> bootstrap;
  // What a new cluster is born with: written once in its life, so that who deletes it is rid of it.
  std::vector<value::Value> birth;
};

// Who writes it. Where servers share a keyspace only found() does, so that a server which comes
// late to a keyspace that is being removed does not bring it back.
enum class Founding {
  at_start,    // start() and adopt()
  later,       // found(); start() serves what there is
  by_another,  // likewise, and start() fails where nobody has written it yet
};

struct Config {
  std::string cluster_name;
  std::string git_version = "v1.33.5-eks-keelway";
  std::string git_commit = "0000000000000000000000000000000000000000";
  std::string build_date = "2026-01-01T00:00:00Z";
  std::string platform = "linux/amd64";
  schema::KindSetPtr kinds;  // built-in ones; its minor() is the served version
  runtime::Runtime* runtime = nullptr;
  runtime::Executor* executor = nullptr;
  std::unique_ptr<store::Keyspace> keyspace;  // opened on `executor`
  watch::CacheLimits cache = {};
  // Other servers write to the same keyspace: reads that must be current ask the store.
  bool shared_store = false;

  std::string service_cidr = "10.100.0.0/16";  // IPv4, /8 to /28
  std::string endpoint_host = "127.0.0.1";     // serverAddressByClientCIDRs, default/kubernetes
  std::uint16_t endpoint_port = 443;
  std::string api_audience = "https://kubernetes.default.svc";

  // Service account tokens; null: none are issued or accepted.
  std::shared_ptr<const access::TokenSigner> token_signer;
  std::shared_ptr<const access::TokenVerifier> token_verifier;
  access::AwsTokenCheck aws_tokens;
  bool allow_anonymous = true;
  admission::Options admission;

  Founding founding = Founding::at_start;
  Foundation foundation;  // of at_start
  bool is_hub = false;    // no service addresses, no default/kubernetes

  LogReader logs;                                 // null: a sentence instead of logs
  std::function<void(const AuditRecord&)> audit;  // null: no trail. Called on `executor`
  std::shared_ptr<telemetry::Metrics> metrics;    // null: the server makes its own
  // Called before /metrics is answered, for what others show there; null: nothing.
  std::function<void(telemetry::Metrics&)> show_more;
  telemetry::Log log;
  access::FairnessLimits fairness;
  // Of every request that is no watch and the like; `?timeout=` may ask for less. 504 after it.
  base::Duration request_timeout = std::chrono::seconds(60);
  std::string openid_jwks_uri;  // empty: https://endpoint_host:endpoint_port/openid/v1/jwks
};

// What a server of one minor serves.
struct Version {
  schema::KindSetPtr kinds;
  std::string git_version;
  std::vector<value::Value> bootstrap;
};

class Server : public http::Handler {
 public:
  // Reads the store, writes what Config::founding says; `done` once, ready or why not. Requests
  // before that are answered 503, except liveness.
  virtual void start(std::move_only_function<void(base::Result<void>)> done) = 0;

  // A client that acts as `who` without TLS and authentication; authorization, admission and
  // audit apply. It belongs to `executor`, which outlives it; it may outlive the server and
  // answers 503 then. Any thread.
  // With a fence its writes hold only while the fence stands; 503 afterwards.
  virtual std::unique_ptr<client::Client> make_client(runtime::Executor& executor,
                                                      access::Identity who,
                                                      FencePtr fence = nullptr) = 0;

  // On the server's executor only.
  // Serves another version from `done` on; requests under way are answered as they began. Watches
  // end, so that clients resume them with the new kinds; nothing that they resume from is lost.
  virtual void adopt(Version version, std::move_only_function<void(base::Result<void>)> done) = 0;
  // Writes what the cluster lacks of it, while the fence stands (null: in any case). The server is
  // ready.
  virtual void found(Foundation foundation, FencePtr fence,
                     std::move_only_function<void(base::Result<void>)> done) = 0;
  // See take_loop_fence. The server is ready.
  virtual void take_fence(FenceClaim claim, FenceTaken taken) = 0;
  // readyz fails from now on; everything else goes on.
  virtual void begin_leaving() = 0;
  // Ends every watch that is open now, as if its time were over.
  virtual void end_watches() = 0;
  virtual const client::View& view() const = 0;
  virtual const access::Authorizer& authorizer() const = 0;
  virtual bool ready() const = 0;
};

std::unique_ptr<Server> make_server(Config config);

// The words for a request that HTTP itself refuses: Statuses, as for every other refusal. Any
// thread.
http::Response refusal_words(const http::Request& request, int status, std::string_view why);

}  // namespace keelway::apiserver
