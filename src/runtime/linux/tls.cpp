#include "runtime/linux/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <array>

namespace keelway::runtime {
namespace {

struct BioFree {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
struct X509Free {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
struct KeyFree {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using BioPtr = std::unique_ptr<BIO, BioFree>;
using X509Ptr = std::unique_ptr<X509, X509Free>;
using KeyPtr = std::unique_ptr<EVP_PKEY, KeyFree>;

BioPtr open_text(const std::string& pem) {
  return BioPtr(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

X509Ptr read_certificate(BIO* bio) {
  return X509Ptr(PEM_read_bio_X509(bio, nullptr, nullptr, nullptr));
}

std::unexpected<base::Error> refuse(const std::string& what) {
  return base::fail(base::ErrorCode::invalid, what + ": " + take_tls_errors());
}

base::Result<void> use_identity(SSL_CTX* context, const std::string& chain_pem,
                                const std::string& key_pem) {
  const BioPtr chain = open_text(chain_pem);
  const X509Ptr leaf = read_certificate(chain.get());
  if (!leaf || SSL_CTX_use_certificate(context, leaf.get()) != 1) {
    return refuse("the TLS certificate chain is not PEM with the leaf first");
  }
  while (X509Ptr next = read_certificate(chain.get())) {
    if (SSL_CTX_add1_chain_cert(context, next.get()) != 1) return refuse("TLS certificate chain");
  }
  ERR_clear_error();  // the end of the text reads as an error
  const BioPtr key_text = open_text(key_pem);
  const KeyPtr key(PEM_read_bio_PrivateKey(key_text.get(), nullptr, nullptr, nullptr));
  if (!key || SSL_CTX_use_PrivateKey(context, key.get()) != 1) {
    return refuse("the TLS private key is not PEM or does not belong to the certificate");
  }
  return {};
}

base::Result<void> trust(SSL_CTX* context, const std::string& ca_pem, bool announce) {
  const BioPtr text = open_text(ca_pem);
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  int count = 0;
  while (X509Ptr anchor = read_certificate(text.get())) {
    X509_STORE_add_cert(store, anchor.get());
    if (announce) SSL_CTX_add_client_CA(context, anchor.get());
    ++count;
  }
  ERR_clear_error();
  if (count > 0) return {};
  return base::fail(base::ErrorCode::invalid, "the TLS trust anchors hold no PEM certificate");
}

// A certificate that does not verify must not fail the handshake: such a caller has no name, and
// may still show a token. The verdict stays in the session, also through resumption.
int verify_without_failing(X509_STORE_CTX* context, void*) {
  if (X509_verify_cert(context) != 1 && X509_STORE_CTX_get_error(context) == X509_V_OK) {
    X509_STORE_CTX_set_error(context, X509_V_ERR_UNSPECIFIED);
  }
  ERR_clear_error();
  return 1;
}

std::string alpn_wire(const std::vector<std::string>& protocols) {
  std::string wire;
  for (const auto& protocol : protocols) {
    wire += static_cast<char>(protocol.size());
    wire += protocol;
  }
  return wire;
}

std::string der_of(X509* certificate) {
  unsigned char* bytes = nullptr;
  const int size = i2d_X509(certificate, &bytes);
  if (size <= 0) return {};
  std::string der(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  return der;
}

SSL_CTX* new_context(const SSL_METHOD* method) {
  SSL_CTX* context = SSL_CTX_new(method);
  KEELWAY_INVARIANT(context != nullptr, "OpenSSL gives a context");
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_read_ahead(context, 1);  // header and body of a record in one read
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
  return context;
}

bool is_ip_literal(const std::string& name) {
  std::array<unsigned char, 16> bytes;
  return inet_pton(AF_INET, name.c_str(), bytes.data()) == 1 ||
         inet_pton(AF_INET6, name.c_str(), bytes.data()) == 1;
}

}  // namespace

std::string take_tls_errors() {
  std::string text;
  while (const auto code = ERR_get_error()) {
    std::array<char, 256> line;
    ERR_error_string_n(code, line.data(), line.size());
    if (!text.empty()) text += "; ";
    text += line.data();
  }
  return text.empty() ? "no detail" : text;
}

TlsContext::~TlsContext() {
  SSL_CTX_free(context_);
}

base::Result<std::shared_ptr<TlsContext>> TlsContext::for_server(const TlsServer& options) {
  const std::shared_ptr<TlsContext> self(new TlsContext(new_context(TLS_server_method())));
  SSL_CTX* context = self->context_;
  if (auto used = use_identity(context, options.certificate_chain_pem, options.private_key_pem);
      !used) {
    return std::unexpected(used.error());
  }
  self->alpn_ = alpn_wire(options.alpn);
  SSL_CTX_set_alpn_select_cb(context, &TlsContext::choose_alpn, self.get());
  // Without a context id OpenSSL refuses to resume sessions that carried a certificate.
  constexpr std::string_view id = "keelway";
  SSL_CTX_set_session_id_context(context, reinterpret_cast<const unsigned char*>(id.data()),
                                 static_cast<unsigned int>(id.size()));
  if (!options.client_ca_pem.empty()) {
    if (auto trusted = trust(context, options.client_ca_pem, true); !trusted) {
      return std::unexpected(trusted.error());
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_cert_verify_callback(context, &verify_without_failing, nullptr);
  }
  return self;
}

base::Result<std::shared_ptr<TlsContext>> TlsContext::for_client(const TlsClient& options) {
  const std::shared_ptr<TlsContext> self(new TlsContext(new_context(TLS_client_method())));
  SSL_CTX* context = self->context_;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  if (options.ca_pem.empty()) {
    SSL_CTX_set_default_verify_paths(context);
  } else if (auto trusted = trust(context, options.ca_pem, false); !trusted) {
    return std::unexpected(trusted.error());
  }
  if (!options.certificate_chain_pem.empty()) {
    if (auto used = use_identity(context, options.certificate_chain_pem, options.private_key_pem);
        !used) {
      return std::unexpected(used.error());
    }
  }
  self->alpn_ = alpn_wire(options.alpn);
  if (!self->alpn_.empty()) {
    SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(self->alpn_.data()),
                            static_cast<unsigned int>(self->alpn_.size()));
  }
  return self;
}

int TlsContext::choose_alpn(SSL*, const unsigned char** out, unsigned char* out_size,
                            const unsigned char* offered, unsigned int offered_size, void* self) {
  const auto& ours = static_cast<TlsContext*>(self)->alpn_;
  unsigned char* chosen = nullptr;
  const int verdict =
      SSL_select_next_proto(&chosen, out_size, reinterpret_cast<const unsigned char*>(ours.data()),
                            static_cast<unsigned int>(ours.size()), offered, offered_size);
  if (verdict != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_NOACK;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

SslPtr TlsContext::session_over(RecordPipe& pipe) const {
  SslPtr ssl(SSL_new(context_));
  BIO* bio = ssl ? pipe.make_bio() : nullptr;
  if (bio == nullptr) return nullptr;
  SSL_set_bio(ssl.get(), bio, bio);
  return ssl;
}

SslPtr TlsContext::accept_session(RecordPipe& pipe) const {
  SslPtr ssl = session_over(pipe);
  if (!ssl) return nullptr;
  SSL_set_accept_state(ssl.get());
  return ssl;
}

SslPtr TlsContext::connect_session(RecordPipe& pipe, const std::string& name) const {
  SslPtr ssl = session_over(pipe);
  if (!ssl) return nullptr;
  SSL_set_connect_state(ssl.get());
  const bool named = is_ip_literal(name)
                         ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), name.c_str())
                         : SSL_set1_host(ssl.get(), name.c_str()) == 1 &&
                               SSL_set_tlsext_host_name(ssl.get(), name.c_str()) == 1;
  return named ? std::move(ssl) : nullptr;
}

TlsPeer describe_peer(SSL* ssl, bool is_server) {
  TlsPeer peer;
  const unsigned char* alpn = nullptr;
  unsigned int alpn_size = 0;
  SSL_get0_alpn_selected(ssl, &alpn, &alpn_size);
  if (alpn != nullptr) peer.alpn.assign(reinterpret_cast<const char*>(alpn), alpn_size);
  if (const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name)) {
    peer.server_name = name;
  }
  const X509Ptr leaf(SSL_get1_peer_certificate(ssl));
  if (!leaf) return peer;
  peer.certificate_refused = SSL_get_verify_result(ssl) != X509_V_OK;
  if (peer.certificate_refused) return peer;
  peer.certificates.push_back(der_of(leaf.get()));
  const STACK_OF(X509)* chain = SSL_get_peer_cert_chain(ssl);
  // A server's view of the chain lacks the leaf, a client's begins with it.
  for (int i = is_server ? 0 : 1; chain != nullptr && i < sk_X509_num(chain); ++i) {
    peer.certificates.push_back(der_of(sk_X509_value(chain, i)));
  }
  return peer;
}

}  // namespace keelway::runtime
