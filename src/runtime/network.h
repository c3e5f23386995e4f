// Byte streams. A Stream belongs to the executor that it was opened on; every call and every
// callback happens there. TLS is inside: callers see plain bytes and what the handshake proved.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/runtime.h"

namespace keelway::runtime {

struct Address {
  std::string host;  // literal IP address or name
  std::uint16_t port = 0;
};

// What a finished TLS handshake proved.
struct TlsPeer {
  std::string alpn = {};         // "h2", "http/1.1" or empty
  std::string server_name = {};  // SNI
  // The client's certificate chain, DER, leaf first; it verified against client_ca_pem.
  // Empty where the client sent none (or one that did not verify).
  std::vector<std::string> certificates = {};
  bool certificate_refused = false;  // a certificate came that did not verify
};

struct TlsServer {
  std::string certificate_chain_pem = {};
  std::string private_key_pem = {};
  std::string client_ca_pem = {};  // empty: client certificates are not asked for
  std::vector<std::string> alpn = {"h2", "http/1.1"};
};

struct TlsClient {
  std::string server_name = {};
  std::string ca_pem = {};  // trust anchors; empty: the system's
  std::string certificate_chain_pem = {};
  std::string private_key_pem = {};
  std::vector<std::string> alpn = {};
};

// What a stream's owner hears. After on_closed nothing follows.
struct StreamEvents {
  std::move_only_function<void(std::string_view bytes)> on_data;
  // Every written byte has been taken by the kernel; use it to write more (backpressure).
  std::move_only_function<void()> on_drained;
  // The peer closed (no error) or the stream broke.
  std::move_only_function<void(std::optional<base::Error>)> on_closed;
};

class Stream {
 public:
  // Destroying a stream closes it at once, without callbacks.
  virtual ~Stream() = default;
  virtual void start(StreamEvents events) = 0;
  // Queued; never blocks. The owner bounds pending_bytes() by waiting for on_drained.
  virtual void write(std::string bytes) = 0;
  virtual std::size_t pending_bytes() const = 0;
  virtual void pause_reading() = 0;
  virtual void resume_reading() = 0;
  // Sends what is queued, then closes; on_closed follows.
  virtual void finish() = 0;
  virtual const TlsPeer* tls() const = 0;  // null on plain streams
  virtual const Address& peer() const = 0;
};

enum class TlsMode {
  plain,
  tls,
  detect,  // the first byte decides: 0x16 is a TLS hello, all else is plain
};

struct ListenOptions {
  Address address = {};  // port 0: any free port
  TlsMode tls_mode = TlsMode::plain;
  TlsServer tls = {};
  // At this many the kernel's backlog holds whoever comes; one more from one address is closed.
  int connections_max = 10'000;
  int connections_per_source_max = 5'000;
  // Connections that have not finished their TLS handshake, or not said their first byte where that
  // decides; at one more the oldest of them is closed, so that honest clients still come in.
  int handshakes_max = 1'000;
  base::Duration handshake_timeout = std::chrono::seconds(10);
};

// What a listener has turned away since it began, and what it is opening.
struct ListenerFacts {
  std::size_t handshakes = 0;
  std::uint64_t handshakes_dropped = 0;  // for handshakes_max
  std::uint64_t sources_refused = 0;     // for connections_per_source_max
};

class Listener {
 public:
  virtual ~Listener() = default;  // stops accepting; accepted streams live on
  virtual std::uint16_t port() const = 0;
  virtual ListenerFacts facts() const { return {}; }  // on its executor
};

using AcceptCallback = std::move_only_function<void(std::unique_ptr<Stream>)>;
using ConnectCallback = std::move_only_function<void(base::Result<std::unique_ptr<Stream>>)>;

class Network {
 public:
  virtual ~Network() = default;
  virtual base::Result<std::unique_ptr<Listener>> listen(Executor& executor, ListenOptions options,
                                                         AcceptCallback on_accept) = 0;
  virtual void connect(Executor& executor, Address address, std::optional<TlsClient> tls,
                       base::Duration timeout, ConnectCallback done) = 0;
};

}  // namespace keelway::runtime
