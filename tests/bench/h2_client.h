// A small HTTP/2 client over TLS for load drivers: many connections, one epoll thread, answers
// taken in pieces as they come.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace bench {

using Clock = std::chrono::steady_clock;

inline std::int64_t now_ns() {
  return std::chrono::nanoseconds(Clock::now().time_since_epoch()).count();
}

[[noreturn]] inline void give_up(const std::string& what) {
  fmt::print(stderr, "{}\n", what);
  std::exit(1);
}

// "--name value" pairs.
class Arguments {
 public:
  Arguments(int count, char** words) {
    for (int i = 1; i + 1 < count; i += 2) given_[words[i]] = words[i + 1];
  }
  std::string text(const std::string& name, const std::string& fallback = "") const {
    const auto found = given_.find("--" + name);
    return found == given_.end() ? fallback : found->second;
  }
  int number(const std::string& name, int fallback) const {
    const std::string given = text(name);
    return given.empty() ? fallback : std::atoi(given.c_str());
  }

 private:
  std::map<std::string, std::string> given_;
};

struct Request {
  std::string method = "GET", path, body = {}, content_type = {}, accept = {}, encoding = {};
  std::string token = {};  // empty: the driver's
};

// What becomes of one request.
struct Handlers {
  std::function<void(std::string_view)> on_data;
  std::function<void(int status)> on_head, on_close;
};

class Connection;

// The epoll thread and what all connections share.
class Driver {
 public:
  // Both know how to destroy connections, so they are defined below them.
  explicit Driver(const Arguments& arguments);
  ~Driver();
  Driver(const Driver&) = delete;

  Connection& connect();
  // Until `done`, waking at least every `wait_ms`.
  template <class Done, class Turn>
  void run(int wait_ms, Done done, Turn turn);

  const std::string& token() const { return token_; }
  SSL_CTX* context() const { return context_; }
  int poll() const { return poll_; }
  int port() const { return port_; }

 private:
  int port_, poll_ = -1;
  std::string token_;
  SSL_CTX* context_ = nullptr;
  std::vector<std::unique_ptr<Connection>> connections_;
};

class Connection {
 public:
  explicit Connection(Driver& driver) : driver_(driver) {
    open_socket();
    open_session();
    flush();
  }
  ~Connection() {
    nghttp2_session_del(session_);
    SSL_free(tls_);
    close(socket_);
  }
  Connection(const Connection&) = delete;

  std::size_t open() const { return streams_.size(); }

  // Queued; flush() sends.
  void submit(const Request& request, Handlers handlers) {
    auto stream = std::make_unique<Stream>();
    stream->body = request.body;
    stream->handlers = std::move(handlers);
    std::vector<std::pair<std::string, std::string>> texts = {
        {":method", request.method},
        {":scheme", "https"},
        {":authority", "127.0.0.1"},
        {":path", request.path},
        {"authorization", "Bearer " + (request.token.empty() ? driver_.token() : request.token)}};
    if (!request.content_type.empty()) texts.emplace_back("content-type", request.content_type);
    if (!request.accept.empty()) texts.emplace_back("accept", request.accept);
    if (!request.encoding.empty()) texts.emplace_back("accept-encoding", request.encoding);
    std::vector<nghttp2_nv> headers;
    for (auto& [name, value] : texts) {
      headers.push_back({reinterpret_cast<uint8_t*>(name.data()),
                         reinterpret_cast<uint8_t*>(value.data()), name.size(), value.size(),
                         NGHTTP2_NV_FLAG_NONE});
    }
    nghttp2_data_provider provider = {};
    provider.source.ptr = stream.get();
    provider.read_callback = &give_body;
    const auto id = nghttp2_submit_request(session_, nullptr, headers.data(), headers.size(),
                                           request.body.empty() ? nullptr : &provider, nullptr);
    if (id < 0) give_up(nghttp2_strerror(id));
    streams_.emplace(id, std::move(stream));
  }

  void receive() {
    static std::array<unsigned char, 1 << 18> buffer;
    for (;;) {
      const int got = SSL_read(tls_, buffer.data(), static_cast<int>(buffer.size()));
      if (got <= 0) {
        if (SSL_get_error(tls_, got) == SSL_ERROR_WANT_READ) break;
        give_up("the server closed a connection");
      }
      const auto used =
          nghttp2_session_mem_recv(session_, buffer.data(), static_cast<std::size_t>(got));
      if (used < 0) give_up(nghttp2_strerror(static_cast<int>(used)));
    }
    flush();
  }

  void flush() {
    const uint8_t* data = nullptr;
    for (;;) {
      const ssize_t size = nghttp2_session_mem_send(session_, &data);
      if (size < 0) give_up(nghttp2_strerror(static_cast<int>(size)));
      if (size == 0) break;
      out_.append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
    }
    while (!out_.empty()) {
      const int sent = SSL_write(tls_, out_.data(), static_cast<int>(out_.size()));
      if (sent <= 0) {
        if (SSL_get_error(tls_, sent) == SSL_ERROR_WANT_WRITE) return;
        give_up("the server closed a connection");
      }
      out_.erase(0, static_cast<std::size_t>(sent));
    }
  }

 private:
  struct Stream {
    std::string body;
    std::size_t sent = 0;
    int status = 0;
    Handlers handlers;
  };

  void open_socket() {
    socket_ = socket(AF_INET, SOCK_STREAM, 0);
    // More than 28,000 connections need more than one address of their own.
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(driver_.port()));
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    if (::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      give_up(std::string("cannot connect: ") + std::strerror(errno));
    }
    const int on = 1;
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    tls_ = SSL_new(driver_.context());
    const std::array<unsigned char, 3> h2 = {2, 'h', '2'};
    SSL_set_alpn_protos(tls_, h2.data(), h2.size());
    SSL_set_fd(tls_, socket_);
    if (SSL_connect(tls_) != 1) give_up("the TLS handshake failed");
    fcntl(socket_, F_SETFL, fcntl(socket_, F_GETFL) | O_NONBLOCK);
    epoll_event event = {};
    event.events = EPOLLIN | EPOLLOUT | EPOLLET;
    event.data.ptr = this;
    epoll_ctl(driver_.poll(), EPOLL_CTL_ADD, socket_, &event);
  }

  void open_session() {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(
        callbacks,
        [](nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, std::size_t size,
           const uint8_t* value, std::size_t value_size, uint8_t, void* self) {
          if (std::string_view(reinterpret_cast<const char*>(name), size) != ":status") return 0;
          Stream& stream = *static_cast<Connection*>(self)->streams_.at(frame->hd.stream_id);
          stream.status =
              std::atoi(std::string(reinterpret_cast<const char*>(value), value_size).c_str());
          if (stream.handlers.on_head) stream.handlers.on_head(stream.status);
          return 0;
        });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        callbacks, [](nghttp2_session*, uint8_t, int32_t id, const uint8_t* data, std::size_t size,
                      void* self) {
          const auto found = static_cast<Connection*>(self)->streams_.find(id);
          if (found != static_cast<Connection*>(self)->streams_.end() &&
              found->second->handlers.on_data) {
            found->second->handlers.on_data({reinterpret_cast<const char*>(data), size});
          }
          return 0;
        });
    nghttp2_session_callbacks_set_on_stream_close_callback(
        callbacks, [](nghttp2_session*, int32_t id, uint32_t, void* self) {
          auto& streams = static_cast<Connection*>(self)->streams_;
          const auto stream = std::move(streams.at(id));
          streams.erase(id);
          if (stream->handlers.on_close) stream->handlers.on_close(stream->status);
          return 0;
        });
    nghttp2_option* options = nullptr;
    nghttp2_option_new(&options);
    nghttp2_option_set_peer_max_concurrent_streams(options, 1'000'000);
    nghttp2_session_client_new2(&session_, callbacks, this, options);
    nghttp2_option_del(options);
    nghttp2_session_callbacks_del(callbacks);
    // The windows of Go's client: 4 MiB a stream, 1 GiB a connection.
    const nghttp2_settings_entry entry = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 4 << 20};
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, &entry, 1);
    nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, 1 << 30);
  }

  static ssize_t give_body(nghttp2_session*, int32_t, uint8_t* to, std::size_t room,
                           uint32_t* flags, nghttp2_data_source* source, void*) {
    Stream& from = *static_cast<Stream*>(source->ptr);
    const std::size_t size = std::min(room, from.body.size() - from.sent);
    std::memcpy(to, from.body.data() + from.sent, size);
    from.sent += size;
    if (from.sent == from.body.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(size);
  }

  Driver& driver_;
  int socket_ = -1;
  SSL* tls_ = nullptr;
  nghttp2_session* session_ = nullptr;
  std::string out_;
  std::unordered_map<int32_t, std::unique_ptr<Stream>> streams_;
};

inline Driver::Driver(const Arguments& arguments) : port_(arguments.number("port", 0)) {
  std::ifstream(arguments.text("token-file")) >> token_;
  context_ = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_mode(context_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS |
                                 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  const std::string authority = arguments.text("ca");
  if (SSL_CTX_load_verify_file(context_, authority.c_str()) != 1) {
    give_up("cannot read --ca " + authority);
  }
  poll_ = epoll_create1(0);
}

inline Driver::~Driver() = default;

inline Connection& Driver::connect() {
  connections_.push_back(std::make_unique<Connection>(*this));
  return *connections_.back();
}

template <class Done, class Turn>
void Driver::run(int wait_ms, Done done, Turn turn) {
  std::array<epoll_event, 256> events;
  while (!done()) {
    const int count = epoll_wait(poll_, events.data(), static_cast<int>(events.size()), wait_ms);
    for (int i = 0; i < count; ++i) static_cast<Connection*>(events[i].data.ptr)->receive();
    turn();
  }
}

// The value at `part` (0 to 1) of sorted numbers.
inline double percentile(const std::vector<double>& sorted, double part) {
  if (sorted.empty()) return 0;
  return sorted[static_cast<std::size_t>(part * static_cast<double>(sorted.size() - 1))];
}

}  // namespace bench
