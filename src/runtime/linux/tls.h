// OpenSSL's contexts and what a handshake proved.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "runtime/linux/record_pipe.h"
#include "runtime/network.h"

namespace keelway::runtime {

struct SslFree {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
using SslPtr = std::unique_ptr<SSL, SslFree>;

// Settings that many connections share. Sessions keep it alive.
class TlsContext {
 public:
  static base::Result<std::shared_ptr<TlsContext>> for_server(const TlsServer& options);
  static base::Result<std::shared_ptr<TlsContext>> for_client(const TlsClient& options);
  ~TlsContext();
  TlsContext(const TlsContext&) = delete;

  // The pipe outlives the session.
  SslPtr accept_session(RecordPipe& pipe) const;
  // Verifies that the server is `name` (DNS name or literal IP address).
  SslPtr connect_session(RecordPipe& pipe, const std::string& name) const;

 private:
  SslPtr session_over(RecordPipe& pipe) const;
  explicit TlsContext(SSL_CTX* context) : context_(context) {}
  static int choose_alpn(SSL*, const unsigned char** out, unsigned char* out_size,
                         const unsigned char* offered, unsigned int offered_size, void* self);

  SSL_CTX* const context_;
  std::string alpn_;  // wire form, in order of preference
};

TlsPeer describe_peer(SSL* ssl, bool is_server);
// Empties OpenSSL's error queue of this thread into one line.
std::string take_tls_errors();

}  // namespace keelway::runtime
