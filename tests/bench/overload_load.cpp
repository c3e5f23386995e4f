// Many users over HTTP/2 and TLS: so many requests a second whatever the server answers (or, with
// --rate 0, so many open at once), reads and creates mixed. Prints one line of JSON.
#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

struct Options {
  std::string port, prefix = "load", path = "/api/v1/namespaces/default/configmaps";
  std::string read;  // path of the object that is read
  std::vector<std::string> tokens;
  int connections = 16, streams = 100, bytes = 2048, write_percent = 20;
  double rate = 0, seconds = 10;
};

[[noreturn]] void give_up(const std::string& what) {
  fmt::print(stderr, "overload_load: {}\n", what);
  std::exit(1);
}

struct Tally {
  std::vector<float> milliseconds;  // of good answers
  long good = 0, told_to_wait = 0, other = 0;
  long held_back = 0;  // not sent: too many were open
  std::string first_other;
};

// One connection of one user, on one thread.
class Connection {
 public:
  Connection(const Options& options, int number)
      : options_(options),
        number_(number),
        token_("Bearer " +
               options.tokens[static_cast<std::size_t>(number) % options.tokens.size()]) {
    open_socket();
    open_session();
  }
  ~Connection() {
    nghttp2_session_del(session_);
    SSL_free(tls_);
    SSL_CTX_free(context_);
    close(socket_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  Tally run(Clock::time_point start) {
    const auto end = start + std::chrono::duration_cast<Clock::duration>(Seconds(options_.seconds));
    const auto patience = end + std::chrono::seconds(20);
    auto due = start;
    while (true) {
      const auto now = Clock::now();
      if (now >= end && (open_.empty() || now >= patience)) break;
      if (now < end) submit_due(now, due);
      flush();
      if (!listen(now < end && options_.rate > 0 ? due : now + std::chrono::milliseconds(100))) {
        break;
      }
    }
    tally_.other += static_cast<long>(open_.size());
    return std::move(tally_);
  }

 private:
  struct Request {
    std::string body;
    std::size_t sent = 0;
    int status = 0;
    Clock::time_point started;
  };

  void submit_due(Clock::time_point now, Clock::time_point& due) {
    const auto most = static_cast<std::size_t>(options_.streams);
    if (options_.rate == 0) {
      while (open_.size() < most) submit();
      return;
    }
    const auto step =
        std::chrono::duration_cast<Clock::duration>(Seconds(options_.connections / options_.rate));
    for (; due <= now; due += step) {
      if (open_.size() < most) {
        submit();
      } else {
        ++tally_.held_back;
      }
    }
  }

  void open_socket() {
    socket_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(options_.port)));
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    if (connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      give_up("cannot connect to 127.0.0.1:" + options_.port);
    }
    const int on = 1;
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    context_ = SSL_CTX_new(TLS_client_method());
    tls_ = SSL_new(context_);
    const std::array<unsigned char, 3> h2 = {2, 'h', '2'};
    SSL_set_alpn_protos(tls_, h2.data(), h2.size());
    SSL_set_fd(tls_, socket_);
    if (SSL_connect(tls_) != 1) give_up("the TLS handshake failed");
  }

  void open_session() {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(
        callbacks,
        [](nghttp2_session*, const nghttp2_frame* frame, const uint8_t* name, std::size_t size,
           const uint8_t* value, std::size_t value_size, uint8_t, void* self) {
          if (std::string_view(reinterpret_cast<const char*>(name), size) != ":status") return 0;
          const auto found = static_cast<Connection*>(self)->open_.find(frame->hd.stream_id);
          if (found != static_cast<Connection*>(self)->open_.end()) {
            found->second->status =
                std::atoi(std::string(reinterpret_cast<const char*>(value), value_size).c_str());
          }
          return 0;
        });
    nghttp2_session_callbacks_set_on_stream_close_callback(
        callbacks, [](nghttp2_session*, int32_t stream, uint32_t, void* self) {
          static_cast<Connection*>(self)->finish(stream);
          return 0;
        });
    nghttp2_session_client_new(&session_, callbacks, this);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, nullptr, 0);
    nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, 1 << 24);
  }

  void submit() {
    const long index = count_++;
    const bool writes = index % 100 < options_.write_percent;
    auto request = std::make_unique<Request>();
    if (writes) {
      request->body =
          fmt::format(R"({{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"{}-{}-{}"}},)"
                      R"("data":{{"k":"{}"}}}})",
                      options_.prefix, number_, index,
                      std::string(static_cast<std::size_t>(options_.bytes), 'x'));
    }
    request->started = Clock::now();
    std::array<std::pair<std::string, std::string>, 7> texts = {{
        {":method", writes ? "POST" : "GET"},
        {":scheme", "https"},
        {":authority", "127.0.0.1"},
        {":path", writes ? options_.path : options_.read},
        {"authorization", token_},
        {"content-type", "application/json"},
        {"content-length", std::to_string(request->body.size())},
    }};
    std::vector<nghttp2_nv> headers;
    for (auto& [name, value] : texts) {
      headers.push_back({reinterpret_cast<uint8_t*>(name.data()),
                         reinterpret_cast<uint8_t*>(value.data()), name.size(), value.size(),
                         NGHTTP2_NV_FLAG_NONE});
    }
    nghttp2_data_provider provider = {};
    provider.source.ptr = request.get();
    provider.read_callback = [](nghttp2_session*, int32_t, uint8_t* to, std::size_t room,
                                uint32_t* flags, nghttp2_data_source* source, void*) -> ssize_t {
      Request& from = *static_cast<Request*>(source->ptr);
      const std::size_t size = std::min(room, from.body.size() - from.sent);
      std::memcpy(to, from.body.data() + from.sent, size);
      from.sent += size;
      if (from.sent == from.body.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
      return static_cast<ssize_t>(size);
    };
    const int32_t stream = nghttp2_submit_request(session_, nullptr, headers.data(), headers.size(),
                                                  writes ? &provider : nullptr, nullptr);
    if (stream < 0) give_up(nghttp2_strerror(stream));
    open_.emplace(stream, std::move(request));
  }

  void finish(int32_t stream) {
    const auto found = open_.find(stream);
    if (found == open_.end()) return;
    const std::chrono::duration<float, std::milli> took = Clock::now() - found->second->started;
    const int status = found->second->status;
    if (status == 200 || status == 201) {
      ++tally_.good;
      tally_.milliseconds.push_back(took.count());
    } else if (status == 429) {
      ++tally_.told_to_wait;
    } else if (tally_.other++ == 0) {
      tally_.first_other = std::to_string(status);
    }
    open_.erase(found);
  }

  void flush() {
    while (true) {
      const uint8_t* data = nullptr;
      const auto size = nghttp2_session_mem_send(session_, &data);
      if (size <= 0) break;
      out_.append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
      if (out_.size() > 16'000) write_out();
    }
    write_out();
  }
  void write_out() {
    if (out_.empty()) return;
    if (SSL_write(tls_, out_.data(), static_cast<int>(out_.size())) <= 0) {
      give_up("the server closed the connection");
    }
    out_.clear();
  }

  // Reads what comes until `until`; false: the server closed.
  bool listen(Clock::time_point until) {
    const auto wait =
        std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
    pollfd one{socket_, POLLIN, 0};
    if (SSL_pending(tls_) == 0 &&
        poll(&one, 1, static_cast<int>(std::clamp<long>(wait, 0, 1'000))) <= 0) {
      return true;
    }
    std::array<unsigned char, 1 << 14> buffer;
    const int got = SSL_read(tls_, buffer.data(), static_cast<int>(buffer.size()));
    if (got <= 0) return false;
    return nghttp2_session_mem_recv(session_, buffer.data(), static_cast<std::size_t>(got)) >= 0;
  }

  const Options& options_;
  const int number_;
  const std::string token_;
  int socket_ = -1;
  SSL_CTX* context_ = nullptr;
  SSL* tls_ = nullptr;
  nghttp2_session* session_ = nullptr;
  std::map<int32_t, std::unique_ptr<Request>> open_;
  std::string out_;
  Tally tally_;
  long count_ = 0;
};

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i], value = argv[i + 1];
    if (name == "--port")
      options.port = value;
    else if (name == "--prefix")
      options.prefix = value;
    else if (name == "--read")
      options.read = value;
    else if (name == "--connections")
      options.connections = std::stoi(value);
    else if (name == "--streams")
      options.streams = std::stoi(value);
    else if (name == "--bytes")
      options.bytes = std::stoi(value);
    else if (name == "--write-percent")
      options.write_percent = std::stoi(value);
    else if (name == "--rate")
      options.rate = std::stod(value);
    else if (name == "--seconds")
      options.seconds = std::stod(value);
    else if (name == "--tokens") {
      std::ifstream file(value);
      for (std::string line; std::getline(file, line);) options.tokens.push_back(line);
    } else {
      give_up("unknown option " + name);
    }
  }
  if (options.port.empty() || options.tokens.empty() || options.read.empty()) {
    give_up("usage: --port P --tokens FILE --read PATH [--rate R] [--seconds S] ...");
  }
  return options;
}

double percentile(std::vector<float>& sorted, double part) {
  if (sorted.empty()) return 0;
  return sorted[static_cast<std::size_t>(part * static_cast<double>(sorted.size() - 1))];
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  const Options options = parse(argc, argv);
  std::vector<std::unique_ptr<Connection>> connections;
  for (int i = 0; i < options.connections; ++i) {
    connections.push_back(std::make_unique<Connection>(options, i));
  }
  std::vector<Tally> tallies(connections.size());
  std::vector<std::thread> threads;
  const auto start = Clock::now();
  for (std::size_t i = 0; i < connections.size(); ++i) {
    threads.emplace_back([&, i] { tallies[i] = connections[i]->run(start); });
  }
  for (auto& thread : threads) thread.join();
  Tally all;
  for (Tally& one : tallies) {
    all.good += one.good;
    all.told_to_wait += one.told_to_wait;
    all.other += one.other;
    all.held_back += one.held_back;
    if (all.first_other.empty()) all.first_other = one.first_other;
    all.milliseconds.insert(all.milliseconds.end(), one.milliseconds.begin(),
                            one.milliseconds.end());
  }
  std::sort(all.milliseconds.begin(), all.milliseconds.end());
  fmt::print(R"({{"good":{},"told_to_wait":{},"other":{},"first_other":"{}","held_back":{},)"
             R"("good_per_second":{:.0f},"p50_ms":{:.2f},"p99_ms":{:.2f}}})"
             "\n",
             all.good, all.told_to_wait, all.other, all.first_other, all.held_back,
             static_cast<double>(all.good) / options.seconds, percentile(all.milliseconds, 0.5),
             percentile(all.milliseconds, 0.99));
}
