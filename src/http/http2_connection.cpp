#include <deque>
#include <map>
#include <optional>

#include "http/connection.h"
#include "wire/http2.h"

namespace keelway::http {
namespace {

namespace http2 = wire::http2;
using namespace std::string_view_literals;  // texts of other sizes are told apart by those alone

constexpr std::size_t kFlushBytes = 64u << 10;
constexpr std::size_t kStreamBufferMax = 128u << 10;  // framed, waiting for the socket
constexpr int kUnderwayMax = 32;                      // requests on their way to the handler

http2::Limits session_limits(const Limits& limits) {
  http2::Limits made;
  made.streams_max = static_cast<std::uint32_t>(limits.streams_per_connection_max);
  made.header_bytes_max = limits.header_bytes_max;
  return made;
}

// These belong to HTTP/1.1's connections and are malformed here.
bool is_of_http1(std::string_view name) {
  return name == "connection"sv || name == "transfer-encoding"sv || name == "keep-alive"sv ||
         name == "upgrade"sv;
}

class Http2Connection : public Connection {
 public:
  Http2Connection(ConnectionHost& host, std::uint64_t id, runtime::Stream& stream)
      : host_(host),
        id_(id),
        stream_(&stream),
        tls_(stream.tls() != nullptr ? std::make_shared<const runtime::TlsPeer>(*stream.tls())
                                     : nullptr),
        unsent_(host.budget()),
        session_(http2::make_server_session(session_limits(host.limits()))) {
    arm(host_.limits().idle_timeout);
    flush();
  }
  ~Http2Connection() override {
    alive_.reset();
    if (timer_ != 0) host_.executor().cancel(timer_);
    detach_all();
  }

  void send_head(std::int32_t stream, AnswerHead head, bool end) override {
    write_head(stream, head, end);
    if (end) answered(stream);
    flush_soon();
  }
  void send_whole(std::int32_t stream, AnswerHead head, std::string body) override {
    write_head(stream, head, false);
    session_->write(stream, std::move(body));
    session_->end(stream);
    answered(stream);
    flush_soon();
  }
  // An answer may wait for the client's window, or a request for its turn.
  bool has_unsent() const override {
    return flush_queued_ || session_->pending_bytes() > 0 || (!closing_ && !waiting_.empty());
  }
  void write_head(std::int32_t stream, AnswerHead& head, bool end) {
    std::erase_if(head.headers, [](const Header& header) { return is_of_http1(header.first); });
    session_->respond(stream, head, end);
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
  void count_underway(int change) override {
    underway_ += change;
    if (change < 0) dispatch_waiting();
  }
  void drain() override {
    session_->go_away();
    flush();
  }

  void take(std::string_view bytes) override {
    if (closing_) return;
    if (!session_->feed(bytes, host_.executor().now())) host_.ended(Ending::misused);
    flush();
  }

  void drained() override {
    flush();
    unsent_.count(unsent());
  }

  // A stream that its reader has forgotten is reset; a connection whose peer takes nothing at all
  // goes, and so does a request that is not whole in time.
  void sweep(int stall) override {
    if (unsent_.is_stuck(written_, stream_->pending_bytes(), stall)) {
      host_.ended(Ending::stalled);
      closed();
      return;
    }
    for (const http2::StreamId stream : session_->stuck_streams(stall)) {
      host_.ended(Ending::stalled);
      session_->reset(stream, http2::Code::cancel);
    }
    const base::Instant now = host_.executor().now();
    for (auto& [stream, incoming] : incoming_) {
      if (incoming.complete || now - incoming.began < host_.limits().body_timeout) continue;
      if (incoming.refused) {
        session_->reset(stream, http2::Code::cancel);
      } else {
        refuse(stream, incoming, 408, "the request took too long");
      }
    }
    flush();
  }
  void closed() override {
    closing_ = true;
    disarm();
    detach_all();
    host_.forget(id_);
  }

 private:
  struct Incoming {
    Request request;
    base::Instant began;
    bool complete = false;    // the request is whole
    bool dispatched = false;  // the handler has it
    bool refused = false;
    std::size_t discarded_bytes = 0;  // of a refused body
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
      written_ += output.size();
      stream_->write(std::move(output));
    }
    flushing_ = false;
    unsent_.count(unsent());
    dispatch_waiting();
    if (session_->finished() && !closing_) close_kindly();
  }

  std::size_t unsent() const { return stream_->pending_bytes() + session_->pending_bytes(); }

  void hear(http2::HeadReceived& head) {
    disarm();
    Incoming& incoming = incoming_[head.stream];
    incoming.began = host_.executor().now();
    Request& request = incoming.request;
    request.http2 = true;
    std::string authority;
    auto kept = head.headers.begin();
    for (auto& header : head.headers) {
      auto& [name, value] = header;
      if (name == ":method"sv)
        request.method = std::move(value);
      else if (name == ":path"sv)
        request.target = std::move(value);
      else if (name == ":scheme"sv)
        request.scheme = std::move(value);
      else if (name == ":authority"sv)
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
      return refuse(head.stream, incoming, 414, "the request target is too long");
    }
    if (!request.held.add(host_.budget(), head_bytes(request))) {
      refuse(head.stream, incoming, 429, "too many requests at once");
    }
  }

  void hear(http2::DataReceived& data) {
    const auto found = incoming_.find(data.stream);
    if (found == incoming_.end()) return;
    const std::size_t body_bytes_max = host_.limits().body_bytes_max;
    if (found->second.refused) {
      found->second.discarded_bytes += data.bytes.size();
      if (found->second.discarded_bytes <= body_bytes_max) return;
      return session_->reset(data.stream, http2::Code::cancel);
    }
    Request& request = found->second.request;
    if (request.body.size() + data.bytes.size() > body_bytes_max) {
      return refuse(data.stream, found->second, 413, "the body is too large");
    }
    if (!grow_body(request, std::move(data.bytes), host_.budget())) {
      refuse(data.stream, found->second, 429, "too many requests at once");
    }
  }

  void hear(http2::TrailersReceived&) {}
  void hear(http2::EndReceived& end) {
    const auto found = incoming_.find(end.stream);
    if (found == incoming_.end() || found->second.refused || found->second.complete) return;
    found->second.complete = true;
    found->second.request.received = host_.executor().wall_now();
    found->second.request.arrived = host_.executor().now();
    if (!waiting_.empty() || !may_dispatch()) {
      waiting_.push_back(end.stream);
      return;
    }
    dispatch(end.stream, found->second);
  }

  bool may_dispatch() const {
    return underway_ < kUnderwayMax && session_->pending_bytes() <= host_.limits().unsent_bytes_max;
  }

  void dispatch(http2::StreamId stream, Incoming& incoming) {
    if (host_.full()) return refuse(stream, incoming, 429, "too many requests at once");
    incoming.dispatched = true;
    Request request = std::move(incoming.request);
    auto exchange =
        std::make_shared<ServerExchange>(host_, *this, stream, request.method == "HEAD");
    incoming.exchange = exchange.get();
    host_.handler().handle(std::move(request), std::move(exchange));
  }

  // What came while too much was unsent or on its way; one a turn, since its answer may be large as
  // well.
  void dispatch_waiting() {
    if (waiting_.empty() || closing_ || dispatch_posted_ || !may_dispatch()) return;
    dispatch_posted_ = true;
    host_.executor().post([this, weak = std::weak_ptr(alive_)] {
      if (weak.expired()) return;
      dispatch_posted_ = false;
      if (waiting_.empty() || closing_) return;
      const http2::StreamId stream = waiting_.front();
      waiting_.pop_front();
      const auto found = incoming_.find(stream);
      if (found != incoming_.end() && !found->second.refused) dispatch(stream, found->second);
      flush();
    });
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
    Response response = refusal_of(host_, incoming.request, status, why);
    incoming.request = {};
    session_->respond(stream, {response.status, std::move(response.headers), response.constant},
                      false);
    session_->write(stream, std::move(response.body));
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
  Unsent unsent_;
  std::uint64_t written_ = 0;
  std::unique_ptr<http2::Session> session_;
  std::map<std::int32_t, Incoming> incoming_;
  std::deque<http2::StreamId> waiting_;  // whole, and not handed over yet
  int underway_ = 0;                     // requests that their handler has not heard yet
  bool dispatch_posted_ = false;
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
