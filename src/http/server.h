// An HTTP server over runtime's streams: HTTP/1.1 and HTTP/2 (by ALPN, or prior knowledge on
// plain streams), limits, deadlines, backpressure, drain.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/budget.h"
#include "runtime/network.h"
#include "telemetry/metrics.h"

namespace keelway::http {

using Header = std::pair<std::string, std::string>;  // names lower-case

struct Request {
  std::string method;  // "GET"
  std::string target;  // as sent: path and query, still percent-encoded
  std::vector<Header> headers = {};
  std::string body = {};
  std::string scheme;                                // "http" or "https"
  std::shared_ptr<const runtime::TlsPeer> tls = {};  // null: not over TLS
  runtime::Address peer;
  // When it was whole; 0: nobody says.
  base::WallTime received = {};
  base::Instant arrived = {};
  bool http2 = false;
  Held held = {};  // of the server's budget, as long as the request is kept

  std::string_view header(std::string_view lower_case_name) const;  // first; empty where absent
};

struct Response {
  int status = 200;
  std::vector<Header> headers = {};
  std::string body = {};
  std::span<const Header> constant = {};  // headers that live as long as the program
};

// The answer to one request; belongs to the server's executor (or to that of the handler behind a
// HandOver). Exactly one of respond() or
// start()...finish(). Dropping it unanswered answers 500. Calls after the client has gone do
// nothing.
class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual void respond(Response response) = 0;
  // Streamed: chunks as they come (chunked on HTTP/1.1, DATA frames on HTTP/2).
  virtual void start(int status, std::vector<Header> headers) = 0;
  virtual void write(std::string chunk) = 0;
  virtual void finish() = 0;
  virtual void abort() = 0;  // breaks the stream: the client sees that the answer is not whole
  virtual std::size_t pending_bytes() const = 0;
  // Called each time pending_bytes() has fallen to zero.
  virtual void on_drained(std::move_only_function<void()> callback) = 0;
  // Called once if the client goes before the answer is complete; inside this very call where it
  // has gone already.
  virtual void on_gone(std::move_only_function<void()> callback) = 0;
  // Whether the request is still on its way to its handler, until it is answered at the latest: of
  // one connection only so many are at a time, and the sizes of their answers are seen before the
  // next ones go.
  virtual void underway(bool /*now*/) {}
};

class Handler {
 public:
  virtual ~Handler() = default;
  virtual void handle(Request request, std::shared_ptr<Exchange> exchange) = 0;
  // The words for a request that the server itself refuses (408, 413, 414, 429, 431); `request` may
  // lack its body. The status must stay. On the executor of the connections, which need not be the
  // handler's: it knows nothing but its arguments.
  virtual Response refusal(const Request& request, int status, std::string_view why);
  // It was refused.
  virtual void refused(std::string_view /*method*/, int /*status*/) {}
};

struct Limits {
  std::size_t header_bytes_max = 1u << 20;   // 431 above
  std::size_t target_bytes_max = 64u << 10;  // 414 above
  std::size_t body_bytes_max = 3u << 20;     // 413 above
  int streams_per_connection_max = 250;
  int connections_max = 10'000;            // further ones wait with the kernel
  int connections_per_source_max = 5'000;  // further ones are closed
  int handshakes_max = 1'000;              // at one more the oldest is closed
  int exchanges_max = 1'000'000;           // requests that are not answered yet; 429 above
  // One connection's further requests wait while more than this of its answers is unsent.
  std::size_t unsent_bytes_max = 16u << 20;
  base::Duration handshake_timeout = std::chrono::seconds(10);  // of TLS
  base::Duration header_timeout = std::chrono::seconds(32);     // 408 after, as for the next
  base::Duration body_timeout = std::chrono::seconds(60);       // from the head to the body's end
  base::Duration idle_timeout = std::chrono::seconds(180);
  // A reader that takes nothing of what waits for it for so long loses stream or connection.
  base::Duration stall_timeout = std::chrono::seconds(60);
  base::Duration drain_timeout = std::chrono::seconds(5);
  std::shared_ptr<telemetry::Metrics> metrics;  // null: none
  std::shared_ptr<Budget> budget;               // shared with other servers; null: one of its own
};

class Server {
 public:
  virtual ~Server() = default;  // closes every connection
  virtual std::uint16_t port() const = 0;
  // No new connections or requests; `done` when the last exchange is answered, or drain_timeout
  // after the first call. A further call replaces `done`.
  virtual void drain(std::move_only_function<void()> done) = 0;
};

base::Result<std::unique_ptr<Server>> serve(runtime::Runtime& runtime, runtime::Executor& executor,
                                            runtime::ListenOptions listen, Limits limits,
                                            Handler& handler);

}  // namespace keelway::http
