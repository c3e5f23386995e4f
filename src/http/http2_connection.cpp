#include <map>
#include <optional>

#include "http/connection.h"
#include "wire/http2.h"

namespace keelway::http {
namespace {

namespace http2 = wire::http2;

constexpr std::size_t kFlushBytes = 64u << 10;
constexpr std::size_t kStreamBufferMax = 128u << 10;  // framed, waiting for the socket

http2::Limits session_limits(const Limits& limits) {
  http2::Limits made;
  made.streams_max = static_cast<std::uint32_t>(limits.streams_per_connection_max);
  made.header_bytes_max = limits.header_bytes_max;
  return made;
}

class Http2Connection : public Connection {
 public:
  Http2Connection(ConnectionHost& host, std::uint64_t id, runtime::Stream& stream)
      : host_(host),
        id_(id),
        stream_(&stream),
        tls_(stream.tls() != nullptr ? std::make_shared<const runtime::TlsPeer>(*stream.tls())
                                     : nullptr),
        session_(http2::make_server_session(session_limits(host.limits()))) {
    arm(host_.limits().idle_timeout);
    flush();
  }
  ~Http2Connection() override {
    alive_.reset();
    if (timer_ != 0) host_.executor().cancel(timer_);
    detach_all();
  }

  void send_head(std::int32_t stream, int status, std::vector<Header> headers, bool end) override {
    write_head(stream, status, std::move(headers), end);
    if (end) answered(stream);
    flush_soon();
  }
  void send_whole(std::int32_t stream, int status, std::vector<Header> headers,
                  std::string body) override {
    write_head(stream, status, std::move(headers), false);
    session_->write(stream, std::move(body));
    session_->end(stream);
    answered(stream);
    flush_soon();
  }
  bool has_unsent() const override { return flush_queued_; }
  void write_head(std::int32_t stream, int status, std::vector<Header> headers, bool end) {
    // These belong to HTTP/1.1's connections and are malformed here.
    std::erase_if(headers, [](const Header& header) {
      return header.first == "connection" || header.first == "transfer-encoding" ||
             header.first == "keep-alive" || header.first == "upgrade";
    });
    headers.insert(headers.begin(), {":status", std::to_string(status)});
    session_->respond(stream, headers, end);
  }
  void send_body(std::int32_t stream, std::string bytes) override {
    session_->write(stream, std::move(bytes));
    flush_soon();
  }
  void send_end(std::int32_t stream) override {
    session_->end(stream);
    answered(stream);
    flush_soon();
  }
  void send_abort(std::int32_t stream) override {
    session_->reset(stream, http2::Code::internal_error);
    answered(stream);
    flush_soon();
  }
  std::size_t pending_bytes(std::int32_t stream) const override {
    return session_->pending_bytes(stream);
  }
  void drain() override {
    session_->go_away();
    flush();
  }

  void take(std::string_view bytes) override {
    if (closing_) return;
    session_->feed(bytes, host_.executor().now());
    flush();
  }

  void drained() override { flush(); }
  void closed() override {
    closing_ = true;
    disarm();
    detach_all();
    host_.forget(id_);
  }

 private:
  struct Incoming {
    Request request;
    bool dispatched = false;
    bool refused = false;
    ServerExchange* exchange = nullptr;
  };

  // Answers of one turn of the loop leave together. Inside the handler the loop of flush() goes on.
  void flush_soon() {
    if (flushing_ || closing_ || flush_queued_) return;
    flush_queued_ = true;
    host_.executor().post([this, alive = std::weak_ptr(alive_)] {
      if (alive.expired()) return;
      flush_queued_ = false;
      flush();
    });
  }

  // Events make output and output makes events (drained), until both rest.
  void flush() {
    if (flushing_ || closing_) return;
    flushing_ = true;
    bool moved = true;
    while (moved && !closing_) {
      moved = false;
      for (auto& event : session_->take_events()) {
        moved = true;
        std::visit([this](auto& e) { hear(e); }, event);
      }
      if (stream_->pending_bytes() >= kStreamBufferMax) continue;
      auto output = session_->take_output(kFlushBytes);
      if (output.empty()) continue;
      moved = true;
      stream_->write(std::move(output));
    }
    flushing_ = false;
    if (session_->finished() && !closing_) close_kindly();
  }

  void hear(http2::HeadReceived& head) {
    disarm();
    Incoming& incoming = incoming_[head.stream];
    Request& request = incoming.request;
    request.http2 = true;
    std::string authority;
    auto kept = head.headers.begin();
    for (auto& header : head.headers) {
      auto& [name, value] = header;
      if (name == ":method")
        request.method = std::move(value);
      else if (name == ":path")
        request.target = std::move(value);
      else if (name == ":scheme")
        request.scheme = std::move(value);
      else if (name == ":authority")
        authority = std::move(value);
      else {
        if (&*kept != &header) *kept = std::move(header);
        ++kept;
      }
    }
    head.headers.erase(kept, head.headers.end());
    request.headers = std::move(head.headers);
    if (!authority.empty() && request.header("host").empty()) {
      request.headers.emplace_back("host", std::move(authority));
    }
    request.tls = tls_;
    request.scheme = tls_ ? "https" : "http";
    request.peer = stream_->peer();
    if (head.too_large) return refuse(head.stream, incoming, 431, "the header is too large");
    if (request.target.size() > host_.limits().target_bytes_max) {
      refuse(head.stream, incoming, 414, "the request target is too long");
    }
  }

  void hear(http2::DataReceived& data) {
    const auto found = incoming_.find(data.stream);
    if (found == incoming_.end() || found->second.refused) return;
    auto& body = found->second.request.body;
    if (body.size() + data.bytes.size() > host_.limits().body_bytes_max) {
      return refuse(data.stream, found->second, 413, "the body is too large");
    }
    if (body.empty())
      body = std::move(data.bytes);
    else
      body += data.bytes;
  }

  void hear(http2::TrailersReceived&) {}
  void hear(http2::EndReceived& end) {
    const auto found = incoming_.find(end.stream);
    if (found == incoming_.end() || found->second.refused || found->second.dispatched) return;
    found->second.dispatched = true;
    Request request = std::move(found->second.request);
    auto exchange =
        std::make_shared<ServerExchange>(host_, *this, end.stream, request.method == "HEAD");
    found->second.exchange = exchange.get();
    host_.handler().handle(std::move(request), std::move(exchange));
  }

  void hear(http2::StreamClosed& closed) {
    const auto found = incoming_.find(closed.stream);
    if (found == incoming_.end()) return;
    ServerExchange* exchange = found->second.exchange;
    incoming_.erase(found);
    if (exchange != nullptr) exchange->detach(true);
    if (incoming_.empty()) arm(host_.limits().idle_timeout);
  }

  void hear(http2::StreamDrained& drained) {
    const auto found = incoming_.find(drained.stream);
    if (found != incoming_.end() && found->second.exchange != nullptr) {
      found->second.exchange->drained();
    }
  }

  void hear(http2::GoneAway&) {}

  void refuse(std::int32_t stream, Incoming& incoming, int status, const std::string& why) {
    incoming.refused = true;
    incoming.request = {};
    const std::string body = why + '\n';
    session_->respond(stream,
                      {{":status", std::to_string(status)},
                       {"content-type", "text/plain"},
                       {"content-length", std::to_string(body.size())},
                       {"date", format_http_date(host_.executor().wall_now())}},
                      false);
    session_->write(stream, body);
    session_->end(stream);
  }

  void answered(std::int32_t stream) {
    const auto found = incoming_.find(stream);
    if (found == incoming_.end() || found->second.exchange == nullptr) return;
    std::exchange(found->second.exchange, nullptr)->detach(false);
  }

  void close_kindly() {
    closing_ = true;
    detach_all();
    arm(host_.limits().idle_timeout);
    stream_->finish();
  }

  // Requests come and go faster than timers are worth moving: the one that runs looks at the
  // deadline when it fires, and is set again where that has moved on.
  void arm(base::Duration delay) {
    deadline_ = host_.executor().now() + delay;
    if (timer_ == 0) start_timer(delay);
  }
  void disarm() { deadline_.reset(); }
  void start_timer(base::Duration delay) {
    timer_ = host_.executor().after(delay, [this] {
      timer_ = 0;
      if (!deadline_) return;
      const base::Duration left = *deadline_ - host_.executor().now();
      if (left > base::Duration::zero()) return start_timer(left);
      expire();
    });
  }
  void expire() {
    if (closing_) return host_.forget(id_);
    session_->go_away();
    flush();
    if (!closing_) close_kindly();
  }

  void detach_all() {
    for (auto& [stream, incoming] : std::exchange(incoming_, {})) {
      if (incoming.exchange != nullptr) incoming.exchange->detach(true);
    }
  }

  ConnectionHost& host_;
  const std::uint64_t id_;
  runtime::Stream* const stream_;
  const std::shared_ptr<const runtime::TlsPeer> tls_;  // shared by the requests
  std::unique_ptr<http2::Session> session_;
  std::map<std::int32_t, Incoming> incoming_;
  bool flushing_ = false;
  bool closing_ = false;
  bool flush_queued_ = false;
  runtime::TimerId timer_ = 0;
  std::optional<base::Instant> deadline_;  // none while requests are under way
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace

std::unique_ptr<Connection> make_http2_connection(ConnectionHost& host, std::uint64_t id,
                                                  runtime::Stream& stream) {
  return std::make_unique<Http2Connection>(host, id, stream);
}

}  // namespace keelway::http
