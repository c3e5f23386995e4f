// The ceiling that the server's own reads are held against: nghttp2 and OpenSSL on one epoll
// thread, which answers every request with the same body. Prints its port and runs until killed.
#include <fcntl.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

std::string g_body;    // the one answer
std::string g_length;  // its size in digits

[[noreturn]] void give_up(const std::string& what) {
  fmt::print(stderr, "echo: {}\n", what);
  std::exit(1);
}

struct Connection {
  int socket = -1;
  SSL* tls = nullptr;
  nghttp2_session* session = nullptr;
  std::string out = {};

  ~Connection() {
    nghttp2_session_del(session);
    SSL_free(tls);
    close(socket);
  }
  bool open = false;  // the handshake is done
};

ssize_t give_body(nghttp2_session* session, std::int32_t stream, std::uint8_t* to, std::size_t room,
                  std::uint32_t* flags, nghttp2_data_source*, void*) {
  // How much of the body has gone is kept as the stream's user data.
  const auto sent =
      reinterpret_cast<std::size_t>(nghttp2_session_get_stream_user_data(session, stream));
  const std::size_t size = std::min(room, g_body.size() - sent);
  std::memcpy(to, g_body.data() + sent, size);
  nghttp2_session_set_stream_user_data(session, stream, reinterpret_cast<void*>(sent + size));
  if (sent + size == g_body.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
  return static_cast<ssize_t>(size);
}

int take_frame(nghttp2_session* session, const nghttp2_frame* frame, void*) {
  if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
  if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
  const auto header = [](std::string& name, std::string& value) {
    return nghttp2_nv{reinterpret_cast<std::uint8_t*>(name.data()),
                      reinterpret_cast<std::uint8_t*>(value.data()), name.size(), value.size(),
                      NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
  };
  // nghttp2 wants its texts mutable, and changes none.
  static std::string status = ":status", ok = "200", type = "content-type",
                     json = "application/json", length = "content-length";
  const std::array<nghttp2_nv, 3> headers = {header(status, ok), header(type, json),
                                             header(length, g_length)};
  nghttp2_data_provider provider = {};
  provider.read_callback = &give_body;
  return nghttp2_submit_response(session, frame->hd.stream_id, headers.data(), headers.size(),
                                 &provider);
}

SSL_CTX* make_context(const std::string& authority_file) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 86'400);
  X509_set_pubkey(certificate, key);
  X509_NAME* name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("echo"), -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  X509_sign(certificate, key, EVP_sha256());
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  SSL_CTX_use_certificate(context, certificate);
  SSL_CTX_use_PrivateKey(context, key);
  SSL_CTX_set_alpn_select_cb(
      context,
      [](SSL*, const unsigned char** out, unsigned char* size, const unsigned char*, unsigned,
         void*) {
        *out = reinterpret_cast<const unsigned char*>("h2");
        *size = 2;
        return SSL_TLSEXT_ERR_OK;
      },
      nullptr);
  std::FILE* file = std::fopen(authority_file.c_str(), "w");
  if (file == nullptr) give_up("cannot write " + authority_file);
  PEM_write_X509(file, certificate);
  std::fclose(file);
  return context;
}

bool flush(Connection& connection) {
  for (;;) {
    const std::uint8_t* data = nullptr;
    while (connection.out.size() < 60'000) {
      const ssize_t size = nghttp2_session_mem_send(connection.session, &data);
      if (size < 0) return false;
      if (size == 0) break;
      connection.out.append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
    }
    if (connection.out.empty()) return true;
    const int sent =
        SSL_write(connection.tls, connection.out.data(), static_cast<int>(connection.out.size()));
    if (sent <= 0) return SSL_get_error(connection.tls, sent) == SSL_ERROR_WANT_WRITE;
    connection.out.clear();
  }
}

bool serve(Connection& connection) {
  if (!connection.open) {
    const int result = SSL_do_handshake(connection.tls);
    if (result != 1) return SSL_get_error(connection.tls, result) == SSL_ERROR_WANT_READ;
    connection.open = true;
  }
  std::array<unsigned char, 1 << 15> buffer;
  for (;;) {
    const int got = SSL_read(connection.tls, buffer.data(), static_cast<int>(buffer.size()));
    if (got <= 0) {
      if (SSL_get_error(connection.tls, got) != SSL_ERROR_WANT_READ) return false;
      break;
    }
    if (nghttp2_session_mem_recv(connection.session, buffer.data(), static_cast<std::size_t>(got)) <
        0) {
      return false;
    }
  }
  return flush(connection);
}

void accept_all(int listener, int epoll, SSL_CTX* context) {
  for (;;) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    auto* connection = new Connection{fd, SSL_new(context)};
    SSL_set_fd(connection->tls, fd);
    SSL_set_accept_state(connection->tls);
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &take_frame);
    nghttp2_session_server_new(&connection->session, callbacks, nullptr);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(connection->session, NGHTTP2_FLAG_NONE, nullptr, 0);
    epoll_event event = {};
    event.events = EPOLLIN | EPOLLOUT | EPOLLET;
    event.data.ptr = connection;
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  }
}

}  // namespace

// echo CA_FILE [BYTES]: writes the certificate to trust to CA_FILE.
int main(int count, char** words) {
  if (count < 2) give_up("needs CA_FILE [BYTES]");
  g_body.assign(count > 2 ? static_cast<std::size_t>(std::atoi(words[2])) : 2048, 'x');
  g_length = std::to_string(g_body.size());
  SSL_CTX* context = make_context(words[1]);
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      listen(listener, 1024) != 0 ||
      getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    give_up("cannot listen");
  }
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.ptr = nullptr;
  epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  fmt::print("{}\n", ntohs(address.sin_port));
  std::fflush(stdout);
  std::array<epoll_event, 256> events;
  for (;;) {
    const int ready = epoll_wait(epoll, events.data(), events.size(), -1);
    for (int i = 0; i < ready; ++i) {
      auto* connection = static_cast<Connection*>(events[i].data.ptr);
      if (connection == nullptr) {
        accept_all(listener, epoll, context);
      } else if (!serve(*connection)) {
        delete connection;
      }
    }
  }
}
