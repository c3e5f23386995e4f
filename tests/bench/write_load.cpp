// Creates ConfigMaps over HTTP/2 and TLS from several connections with several requests open on
// each, and prints one line of JSON: writes a second and the spread of their latencies.
#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/tcp.h>
#include <nghttp2/nghttp2.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::string port, authority_file, token, prefix = "load";
  int connections = 4, streams = 32, count = 20'000, bytes = 2048;
};

[[noreturn]] void give_up(const std::string& what) {
  fmt::print(stderr, "write_load: {}\n", what);
  std::exit(1);
}

// What one connection measured.
struct Tally {
  std::vector<double> milliseconds;
  int refused = 0;
  std::string first_refusal;
};

// One connection, on one thread, with blocking reads.
class Connection {
 public:
  Connection(const Options& options, int number, int share)
      : options_(options), number_(number), left_(share) {
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

  Tally run() {
    for (int i = 0; i < options_.streams; ++i) submit();
    std::vector<unsigned char> buffer(1 << 16);
    while (!open_.empty()) {
      flush();
      const int got = SSL_read(tls_, buffer.data(), static_cast<int>(buffer.size()));
      if (got <= 0) give_up("the server closed the connection");
      const auto used =
          nghttp2_session_mem_recv(session_, buffer.data(), static_cast<std::size_t>(got));
      if (used < 0) give_up(nghttp2_strerror(static_cast<int>(used)));
    }
    return std::move(tally_);
  }

 private:
  struct Request {
    std::string body, answer;
    std::size_t sent = 0;
    int status = 0;
    Clock::time_point started;
  };

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
    SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
    if (SSL_CTX_load_verify_file(context_, options_.authority_file.c_str()) != 1) {
      give_up("cannot read " + options_.authority_file);
    }
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
          if (std::string_view(reinterpret_cast<const char*>(name), size) == ":status") {
            static_cast<Connection*>(self)->open_.at(frame->hd.stream_id)->status =
                std::atoi(std::string(reinterpret_cast<const char*>(value), value_size).c_str());
          }
          return 0;
        });
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(
        callbacks, [](nghttp2_session*, uint8_t, int32_t stream, const uint8_t* data,
                      std::size_t size, void* self) {
          Request& request = *static_cast<Connection*>(self)->open_.at(stream);
          if (request.status != 201) {
            request.answer.append(reinterpret_cast<const char*>(data), size);
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
    if (left_ == 0) return;
    --left_;
    auto request = std::make_unique<Request>();
    request->body =
        fmt::format(R"({{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"{}-{}-{}"}},)"
                    R"("data":{{"k":"")",
                    options_.prefix, number_, left_);
    const std::size_t size = std::max<std::size_t>(request->body.size() + 3, options_.bytes);
    request->body.insert(request->body.size() - 1, size - request->body.size() - 2, 'x');
    request->body += "}}";
    request->started = Clock::now();
    // nghttp2 wants them mutable, and changes nothing.
    std::array<std::pair<std::string, std::string>, 7> texts = {{
        {":method", "POST"},
        {":scheme", "https"},
        {":authority", "127.0.0.1"},
        {":path", "/api/v1/namespaces/default/configmaps"},
        {"authorization", "Bearer " + options_.token},
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
                                                  &provider, nullptr);
    if (stream < 0) give_up(nghttp2_strerror(stream));
    open_.emplace(stream, std::move(request));
  }

  void finish(int32_t stream) {
    const Request& request = *open_.at(stream);
    const std::chrono::duration<double, std::milli> took = Clock::now() - request.started;
    if (request.status == 201) {
      tally_.milliseconds.push_back(took.count());
    } else {
      if (tally_.refused++ == 0) {
        tally_.first_refusal = fmt::format("{} {}", request.status, request.answer);
      }
    }
    open_.erase(stream);
    submit();
  }

  // Everything that waits, in as few records as fit.
  void flush() {
    std::string out;
    const uint8_t* data = nullptr;
    for (;;) {
      const ssize_t size = nghttp2_session_mem_send(session_, &data);
      if (size < 0) give_up(nghttp2_strerror(static_cast<int>(size)));
      if (size == 0) break;
      out.append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
    }
    if (!out.empty() && SSL_write(tls_, out.data(), static_cast<int>(out.size())) <= 0) {
      give_up("the server closed the connection");
    }
  }

  const Options& options_;
  const int number_;
  int left_;
  int socket_ = -1;
  SSL_CTX* context_ = nullptr;
  SSL* tls_ = nullptr;
  nghttp2_session* session_ = nullptr;
  std::map<int32_t, std::unique_ptr<Request>> open_;
  Tally tally_;
};

Options read_options(int count, char** words) {
  Options options;
  std::map<std::string, std::string> given;
  for (int i = 1; i + 1 < count; i += 2) given[words[i]] = words[i + 1];
  const auto number = [&](const char* name, int& into) {
    if (given.contains(name)) into = std::max(1, std::atoi(given[name].c_str()));
  };
  options.port = given["--port"];
  options.authority_file = given["--ca"];
  std::ifstream(given["--token-file"]) >> options.token;
  if (given.contains("--prefix")) options.prefix = given["--prefix"];
  number("--connections", options.connections);
  number("--streams", options.streams);
  number("--count", options.count);
  number("--bytes", options.bytes);
  if (options.port.empty() || options.authority_file.empty() || options.token.empty()) {
    give_up(
        "needs --port PORT --ca FILE --token-file FILE [--connections N] [--streams N] "
        "[--count N] [--bytes N] [--prefix NAME]");
  }
  return options;
}

}  // namespace

int main(int count, char** words) {
  const Options options = read_options(count, words);
  std::vector<double> all;
  int refused = 0;
  std::string first_refusal;
  std::mutex mutex;
  const auto started = Clock::now();
  std::vector<std::thread> threads;
  for (int i = 0; i < options.connections; ++i) {
    const int share =
        options.count / options.connections + (i < options.count % options.connections ? 1 : 0);
    threads.emplace_back([&, i, share] {
      const Tally tally = Connection(options, i, share).run();
      const std::lock_guard lock(mutex);
      all.insert(all.end(), tally.milliseconds.begin(), tally.milliseconds.end());
      refused += tally.refused;
      if (first_refusal.empty()) first_refusal = tally.first_refusal;
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::chrono::duration<double> took = Clock::now() - started;
  if (refused > 0) give_up(fmt::format("{} were refused, first: {}", refused, first_refusal));
  std::sort(all.begin(), all.end());
  const auto at = [&](double part) {
    return all[static_cast<std::size_t>(part * static_cast<double>(all.size() - 1))];
  };
  fmt::print(R"({{"writes": {}, "seconds": {:.3f}, "per_second": {:.0f}, "p50_ms": {:.2f}, )"
             R"("p99_ms": {:.2f}}})"
             "\n",
             all.size(), took.count(), static_cast<double>(all.size()) / took.count(), at(0.5),
             at(0.99));
}
