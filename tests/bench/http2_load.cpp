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
#include <deque>
#include <fstream>
#include <memory>
#include <string_view>
#include <utility>

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

// What all connections share: the numbers that are left, and what was measured.
struct Run {
  const Target& target;
  const Load& load;
  Work& work;
  std::string method, authority, authorization;
  std::string json = "application/json";
  int next = 0;
  int done = 0;
  std::vector<float> milliseconds = {};
};

struct Slot {
  Request request;
  std::string answer;
  int status = 0;
  Clock::time_point started;
};

// RFC 7541: writes heads as the clients written in Go do, which keep what repeats, the bearer token
// too, in the connection's table. (nghttp2 writes the token out each time.)
class HeadWriter {
 public:
  enum Static : std::uint8_t {
    authority = 1,
    get = 2,
    post = 3,
    path = 4,
    https = 7,
    accept = 19,
    authorization = 23,
    content_length = 28,
    content_type = 31
  };

  // ":method: GET" and others that stand in the static table as they are.
  static void whole(std::string& out, Static field) { out += static_cast<char>(0x80 | field); }

  // A field that repeats. Whoever varies is written out after the first time.
  void field(std::string& out, Static name, std::string_view value) {
    for (std::size_t i = 0; i < kept_.size(); ++i) {
      if (kept_[i].first != name) continue;
      if (kept_[i].second == value) return number(out, 0x80, 7, 61 + kept_.size() - i);
      number(out, 0x00, 4, name);
      return text(out, value);
    }
    number(out, 0x40, 6, name);
    text(out, value);
    kept_.emplace_back(name, value);
  }

 private:
  static void text(std::string& out, std::string_view value) {
    number(out, 0, 7, value.size());
    out += value;
  }
  static void number(std::string& out, unsigned flags, unsigned bits, std::size_t value) {
    const std::size_t most = (std::size_t{1} << bits) - 1;
    if (value < most) {
      out += static_cast<char>(flags | value);
      return;
    }
    out += static_cast<char>(flags | most);
    for (value -= most; value >= 128; value /= 128) out += static_cast<char>(128 | value % 128);
    out += static_cast<char>(value);
  }

  std::vector<std::pair<Static, std::string>> kept_;  // oldest first; never more than fits
};

// Integers of frames are big-endian.
void put(std::string& out, std::uint32_t value, int bytes) {
  while (bytes-- > 0) out += static_cast<char>(value >> (8 * bytes));
}
std::uint32_t get(const unsigned char* from, int bytes) {
  std::uint32_t value = 0;
  while (bytes-- > 0) value = value << 8 | *from++;
  return value;
}

constexpr std::size_t kFrameHead = 9;
constexpr std::size_t kFrameMax = 16'384;
constexpr std::uint32_t kWindow = 1u << 30;

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
    nghttp2_hd_inflate_del(inflater_);
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
      take(buffer.data(), static_cast<std::size_t>(got));
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

  void open_session() {
    if (nghttp2_hd_inflate_new(&inflater_) != 0) give_up("no memory");
    out_ = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    frame(NGHTTP2_SETTINGS, 0, 0, 12);
    put(out_, NGHTTP2_SETTINGS_ENABLE_PUSH, 2);
    put(out_, 0, 4);
    put(out_, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 2);
    put(out_, kWindow, 4);
    frame(NGHTTP2_WINDOW_UPDATE, 0, 0, 4);
    put(out_, kWindow, 4);
  }

  void frame(int type, int flags, std::uint32_t stream, std::size_t size) {
    put(out_, static_cast<std::uint32_t>(size), 3);
    put(out_, static_cast<std::uint32_t>(type), 1);
    put(out_, static_cast<std::uint32_t>(flags), 1);
    put(out_, stream, 4);
  }

  // Whole frames of what came; the rest waits for more.
  void take(const unsigned char* bytes, std::size_t size) {
    if (!in_.empty()) {
      in_.insert(in_.end(), bytes, bytes + size);
      bytes = in_.data();
      size = in_.size();
    }
    std::size_t at = 0;
    while (size - at >= kFrameHead) {
      const std::size_t length = get(bytes + at, 3);
      if (size - at < kFrameHead + length) break;
      hear(bytes[at + 3], bytes[at + 4], get(bytes + at + 5, 4), bytes + at + kFrameHead, length);
      at += kFrameHead + length;
    }
    std::vector<unsigned char> rest(bytes + at, bytes + size);
    in_.swap(rest);
  }

  void hear(int type, int flags, std::uint32_t stream, const unsigned char* payload,
            std::size_t size) {
    switch (type) {
      case NGHTTP2_DATA:
        hear_data(stream, payload, size);
        break;
      case NGHTTP2_HEADERS:
        if ((flags & NGHTTP2_FLAG_END_HEADERS) == 0) give_up("a head in several frames");
        hear_head(slot_of(stream), payload, size);
        break;
      case NGHTTP2_SETTINGS:
        if ((flags & NGHTTP2_FLAG_ACK) == 0) frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, 0);
        break;
      case NGHTTP2_PING:
        frame(NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, size);
        out_.append(reinterpret_cast<const char*>(payload), size);
        break;
      case NGHTTP2_WINDOW_UPDATE:
        if (stream == 0) window_ += get(payload, 4);
        while (!held_.empty() && try_send(*held_.front())) held_.pop_front();
        break;
      case NGHTTP2_RST_STREAM:
      case NGHTTP2_GOAWAY:
        give_up("the server ended a stream or the connection");
      default:
        break;
    }
    const bool last =
        (type == NGHTTP2_DATA || type == NGHTTP2_HEADERS) && (flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (!last) return;
    Slot& slot = slot_of(stream);
    open_.erase(stream);
    finish(slot);
  }

  // The stream's number tells who asked: each slot has one stream at a time.
  Slot& slot_of(std::uint32_t stream) {
    const auto found = open_.find(stream);
    if (found == open_.end()) give_up("a frame of a stream that is not open");
    return *found->second;
  }

  void hear_data(std::uint32_t stream, const unsigned char* payload, std::size_t size) {
    Slot& slot = slot_of(stream);
    if (slot.status != run_.work.expected_status()) {
      slot.answer.append(reinterpret_cast<const char*>(payload), size);
    }
    unacknowledged_ += static_cast<std::uint32_t>(size);
    if (unacknowledged_ < kWindow / 2) return;
    frame(NGHTTP2_WINDOW_UPDATE, 0, 0, 4);
    put(out_, std::exchange(unacknowledged_, 0), 4);
  }

  void hear_head(Slot& slot, const unsigned char* block, std::size_t size) {
    for (;;) {
      nghttp2_nv field;
      int flags = 0;
      const auto used = nghttp2_hd_inflate_hd2(inflater_, &field, &flags, block, size, 1);
      if (used < 0) give_up(nghttp2_strerror(static_cast<int>(used)));
      block += used;
      size -= static_cast<std::size_t>(used);
      if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0 && field.namelen == 7 &&
          std::memcmp(field.name, ":status", 7) == 0) {
        slot.status = std::atoi(reinterpret_cast<const char*>(field.value));
      }
      if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
    }
    nghttp2_hd_inflate_end_headers(inflater_);
  }

  void submit(Slot& slot) {
    if (run_.next == run_.load.count) return;
    run_.work.fill(run_.next++, slot.request);
    slot.status = 0;
    slot.started = Clock::now();
    if (!held_.empty() || !try_send(slot)) held_.push_back(&slot);
  }

  // false: the connection's window has no room for the body yet.
  bool try_send(Slot& slot) {
    using Field = HeadWriter;
    const std::string& body = slot.request.body;
    if (body.size() > kFrameMax) give_up("bodies above 16 KB need several frames");
    if (window_ < body.size()) return false;
    window_ -= body.size();
    head_.clear();
    Field::whole(head_, run_.method == "POST" ? Field::post : Field::get);
    Field::whole(head_, Field::https);
    heads_.field(head_, Field::authority, run_.authority);
    heads_.field(head_, Field::path, slot.request.path);
    heads_.field(head_, Field::authorization, run_.authorization);
    heads_.field(head_, Field::accept, run_.json);
    if (!body.empty()) {
      heads_.field(head_, Field::content_type, run_.json);
      heads_.field(head_, Field::content_length, std::to_string(body.size()));
    }
    open_[next_stream_] = &slot;
    const int end = body.empty() ? NGHTTP2_FLAG_END_STREAM : 0;
    frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | end, next_stream_, head_.size());
    out_ += head_;
    if (!body.empty()) {
      frame(NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, next_stream_, body.size());
      out_ += body;
    }
    next_stream_ += 2;
    return true;
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
    while (!out_.empty()) {
      const int sent = SSL_write(tls_, out_.data(), static_cast<int>(out_.size()));
      if (sent <= 0) {
        if (SSL_get_error(tls_, sent) == SSL_ERROR_WANT_WRITE) return;
        give_up("the server closed the connection");
      }
      out_.erase(0, static_cast<std::size_t>(sent));
    }
  }

  Run& run_;
  int socket_ = -1;
  SSL* tls_ = nullptr;
  nghttp2_hd_inflater* inflater_ = nullptr;
  HeadWriter heads_;
  std::vector<Slot> slots_;
  std::map<std::uint32_t, Slot*> open_;  // by stream
  std::deque<Slot*> held_;               // until the server opens the connection's window
  std::size_t window_ = 65'535;
  std::uint32_t next_stream_ = 1, unacknowledged_ = 0;
  std::vector<unsigned char> in_;  // the beginning of a frame
  std::string head_, out_;
};

SSL_CTX* make_context(const Target& target) {
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
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
