#include "http2_load.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <string_view>

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

// nghttp2 wants its texts mutable, and changes none.
std::uint8_t* raw(std::string& text) {
  return reinterpret_cast<std::uint8_t*>(text.data());
}

struct Names {
  std::string method = ":method", scheme = ":scheme", authority = ":authority", path = ":path",
              authorization = "authorization", accept = "accept", type = "content-type",
              length = "content-length";
};

// What all connections share: the numbers that are left, and what was measured.
struct Run {
  const Target& target;
  const Load& load;
  Work& work;
  std::string method, authority, authorization;
  std::string scheme = "https", json = "application/json";
  Names names = {};
  int next = 0;
  int done = 0;
  std::vector<float> milliseconds = {};
};

struct Slot {
  Request request;
  std::string length, answer;
  std::size_t sent = 0;
  int status = 0;
  Clock::time_point started;
};

class Connection {
 public:
  Connection(Run& run, SSL_CTX* context, int epoll) : run_(run) {
    open_socket(context);
    open_session();
    fcntl(socket_, F_SETFL, O_NONBLOCK);
    epoll_event event = {};
    event.events = EPOLLIN | EPOLLOUT | EPOLLET;
    event.data.ptr = this;
    epoll_ctl(epoll, EPOLL_CTL_ADD, socket_, &event);
  }
  ~Connection() {
    nghttp2_session_del(session_);
    SSL_free(tls_);
    close(socket_);
  }
  Connection(const Connection&) = delete;

  void begin() {
    slots_.resize(static_cast<std::size_t>(run_.load.streams));
    for (Slot& slot : slots_) submit(slot);
    flush();
  }

  void on_ready() {
    std::array<unsigned char, 1 << 15> buffer;
    for (;;) {
      const int got = SSL_read(tls_, buffer.data(), static_cast<int>(buffer.size()));
      if (got <= 0) {
        if (SSL_get_error(tls_, got) == SSL_ERROR_WANT_READ) break;
        give_up("the server closed the connection");
      }
      const auto used =
          nghttp2_session_mem_recv(session_, buffer.data(), static_cast<std::size_t>(got));
      if (used < 0) give_up(nghttp2_strerror(static_cast<int>(used)));
    }
    flush();
  }

 private:
  void open_socket(SSL_CTX* context) {
    socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(run_.target.port)));
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    if (connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      give_up("cannot connect to 127.0.0.1:" + run_.target.port);
    }
    const int on = 1;
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    tls_ = SSL_new(context);
    SSL_set_fd(tls_, socket_);
    if (SSL_connect(tls_) != 1) give_up("the TLS handshake failed");
  }

  static Slot& slot_of(nghttp2_session* session, std::int32_t stream) {
    return *static_cast<Slot*>(nghttp2_session_get_stream_user_data(session, stream));
  }

  static int take_header(nghttp2_session* session, const nghttp2_frame* frame,
                         const std::uint8_t* name, std::size_t size, const std::uint8_t* value,
                         std::size_t value_size, std::uint8_t, void*) {
    if (size == 7 && std::memcmp(name, ":status", 7) == 0) {
      const std::string text(reinterpret_cast<const char*>(value), value_size);
      slot_of(session, frame->hd.stream_id).status = std::atoi(text.c_str());
    }
    return 0;
  }

  static int take_data(nghttp2_session* session, std::uint8_t, std::int32_t stream,
                       const std::uint8_t* data, std::size_t size, void* self) {
    Slot& slot = slot_of(session, stream);
    if (slot.status != static_cast<Connection*>(self)->run_.work.expected_status()) {
      slot.answer.append(reinterpret_cast<const char*>(data), size);
    }
    return 0;
  }

  static ssize_t give_data(nghttp2_session*, std::int32_t, std::uint8_t* to, std::size_t room,
                           std::uint32_t* flags, nghttp2_data_source* source, void*) {
    Slot& slot = *static_cast<Slot*>(source->ptr);
    const std::size_t size = std::min(room, slot.request.body.size() - slot.sent);
    std::memcpy(to, slot.request.body.data() + slot.sent, size);
    slot.sent += size;
    if (slot.sent == slot.request.body.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(size);
  }

  void open_session() {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, &take_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &take_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(
        callbacks, [](nghttp2_session* session, int32_t stream, uint32_t, void* self) {
          static_cast<Connection*>(self)->finish(slot_of(session, stream));
          return 0;
        });
    nghttp2_session_client_new(&session_, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, nullptr, 0);
    nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, 1 << 24);
  }

  void submit(Slot& slot) {
    if (run_.next == run_.load.count) return;
    run_.work.fill(run_.next++, slot.request);
    slot.sent = 0;
    slot.status = 0;
    slot.started = Clock::now();
    const bool has_body = !slot.request.body.empty();
    if (has_body) slot.length = std::to_string(slot.request.body.size());
    const auto header = [](std::string& name, std::string& value, int flags) {
      return nghttp2_nv{raw(name), raw(value), name.size(), value.size(),
                        static_cast<std::uint8_t>(NGHTTP2_NV_FLAG_NO_COPY_NAME | flags)};
    };
    constexpr int kStays = NGHTTP2_NV_FLAG_NO_COPY_VALUE;
    Names& names = run_.names;
    const std::array<nghttp2_nv, 8> headers = {
        header(names.method, run_.method, kStays),
        header(names.scheme, run_.scheme, kStays),
        header(names.authority, run_.authority, kStays),
        header(names.path, slot.request.path, 0),
        header(names.authorization, run_.authorization, kStays),
        header(names.accept, run_.json, kStays),
        header(names.type, run_.json, kStays),
        header(names.length, slot.length, 0),
    };
    nghttp2_data_provider provider = {};
    provider.source.ptr = &slot;
    provider.read_callback = &give_data;
    const int32_t stream = nghttp2_submit_request(
        session_, nullptr, headers.data(), has_body ? 8 : 6, has_body ? &provider : nullptr, &slot);
    if (stream < 0) give_up(nghttp2_strerror(stream));
  }

  void finish(Slot& slot) {
    if (slot.status != run_.work.expected_status()) {
      give_up(
          fmt::format("{} {}: {} {}", run_.method, slot.request.path, slot.status, slot.answer));
    }
    const std::chrono::duration<float, std::milli> took = Clock::now() - slot.started;
    run_.milliseconds.push_back(took.count());
    ++run_.done;
    submit(slot);
  }

  // Everything that waits, in as few records as fit.
  void flush() {
    for (;;) {
      if (out_.empty()) fill_output();
      if (out_.empty()) return;
      const int sent = SSL_write(tls_, out_.data() + offset_, static_cast<int>(out_.size()));
      if (sent <= 0) {
        if (SSL_get_error(tls_, sent) == SSL_ERROR_WANT_WRITE) return;
        give_up("the server closed the connection");
      }
      out_.clear();
    }
  }
  void fill_output() {
    const uint8_t* data = nullptr;
    while (out_.size() < 60'000) {
      const ssize_t size = nghttp2_session_mem_send(session_, &data);
      if (size < 0) give_up(nghttp2_strerror(static_cast<int>(size)));
      if (size == 0) break;
      out_.append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
    }
  }

  Run& run_;
  int socket_ = -1;
  SSL* tls_ = nullptr;
  nghttp2_session* session_ = nullptr;
  std::vector<Slot> slots_;
  std::string out_;
  std::size_t offset_ = 0;  // SSL_write takes all or nothing: partial writes are not enabled
};

SSL_CTX* make_context(const Target& target) {
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_read_ahead(context, 1);
  const std::array<unsigned char, 3> h2 = {2, 'h', '2'};
  SSL_CTX_set_alpn_protos(context, h2.data(), h2.size());
  if (SSL_CTX_load_verify_file(context, target.authority_file.c_str()) != 1) {
    give_up("cannot read " + target.authority_file);
  }
  return context;
}

double cpu_seconds() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

Measured measure(std::vector<float>& all, double seconds, double cpu) {
  std::sort(all.begin(), all.end());
  const auto at = [&](double part) {
    return all.empty() ? 0.0
                       : all[static_cast<std::size_t>(part * static_cast<double>(all.size() - 1))];
  };
  const auto count = static_cast<double>(all.size());
  return {seconds, count / seconds, at(0.5), at(0.99), at(1), cpu * 1e6 / count};
}

}  // namespace

void give_up(const std::string& what) {
  fmt::print(stderr, "load: {}\n", what);
  std::exit(1);
}

Words read_words(int count, char** words) {
  Words given;
  for (int i = 1; i + 1 < count; i += 2) given[words[i]] = words[i + 1];
  return given;
}

int number_or(const Words& words, const std::string& name, int otherwise) {
  const auto found = words.find(name);
  return found == words.end() ? otherwise : std::max(1, std::atoi(found->second.c_str()));
}

Target read_target(const Words& words) {
  Target target;
  const auto text = [&](const char* name) {
    const auto found = words.find(name);
    if (found == words.end()) give_up("needs --port PORT --ca FILE --token-file FILE");
    return found->second;
  };
  target.port = text("--port");
  target.authority_file = text("--ca");
  std::ifstream(text("--token-file")) >> target.token;
  return target;
}

Load read_load(const Words& words, Load otherwise) {
  return {number_or(words, "--connections", otherwise.connections),
          number_or(words, "--streams", otherwise.streams),
          number_or(words, "--count", otherwise.count)};
}

Measured run_load(const Target& target, const Load& load, Work& work) {
  Run run{target, load, work, work.method(), "127.0.0.1:" + target.port, "Bearer " + target.token};
  run.milliseconds.reserve(static_cast<std::size_t>(load.count));
  SSL_CTX* context = make_context(target);
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  std::vector<std::unique_ptr<Connection>> connections;
  for (int i = 0; i < load.connections; ++i) {
    connections.push_back(std::make_unique<Connection>(run, context, epoll));
  }
  const double cpu = cpu_seconds();
  const auto started = Clock::now();
  for (auto& connection : connections) connection->begin();
  std::array<epoll_event, 256> events;
  while (run.done < load.count) {
    const int count = epoll_wait(epoll, events.data(), events.size(), -1);
    for (int i = 0; i < count; ++i) static_cast<Connection*>(events[i].data.ptr)->on_ready();
  }
  const std::chrono::duration<double> took = Clock::now() - started;
  const double used = cpu_seconds() - cpu;
  connections.clear();
  close(epoll);
  SSL_CTX_free(context);
  return measure(run.milliseconds, took.count(), used);
}

void print_measured(const std::string& what, const Load& load, const Measured& m) {
  fmt::print(R"({{"{}": {}, "connections": {}, "streams": {}, "seconds": {:.3f}, )"
             R"("per_second": {:.0f}, "p50_ms": {:.2f}, "p99_ms": {:.2f}, "max_ms": {:.1f}, )"
             R"("client_cpu_us": {:.1f}}})"
             "\n",
             what, load.count, load.connections, load.streams, m.seconds, m.per_second, m.p50_ms,
             m.p99_ms, m.max_ms, m.client_cpu_us);
}

}  // namespace bench
