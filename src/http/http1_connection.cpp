#include <algorithm>

#include "http/connection.h"
#include "wire/http1.h"

namespace keelway::http {
namespace {

namespace http1 = wire::http1;

constexpr std::size_t kBodyBytesUsual = 64u << 10;  // of a body whose length is told, at first
constexpr std::size_t kReadAheadMax = 256u << 10;   // while an answer is under way

// One request at a time; what is pipelined behind it waits in the parser.
class Http1Connection : public Connection {
 public:
  Http1Connection(ConnectionHost& host, std::uint64_t id, runtime::Stream& stream)
      : host_(host),
        id_(id),
        stream_(&stream),
        unsent_(host.budget()),
        parser_(http1::make_request_parser(
            {host.limits().header_bytes_max, host.limits().target_bytes_max})) {
    arm(host_.limits().header_timeout);
  }
  ~Http1Connection() override {
    disarm();
    detach(true);
  }

  void send_head(std::int32_t, AnswerHead head, bool end) override {
    std::vector<Header>& headers = head.headers;
    headers.insert(headers.end(), head.constant.begin(), head.constant.end());
    chunked_ =
        !end && http1::status_has_body(head.status) && !has_header(headers, "content-length");
    if (chunked_ && http_1_0_) {
      chunked_ = keep_alive_ = false;  // the end of the connection is the end of the body
    } else if (chunked_) {
      headers.emplace_back("transfer-encoding", "chunked");
    }
    if (has_header_value(headers, "connection", "close") || host_.draining()) keep_alive_ = false;
    if (!keep_alive_ && !has_header(headers, "connection")) {
      headers.emplace_back("connection", "close");
    }
    write(http1::write_response_head(head.status, headers));
    if (end) answered();
  }
  void send_body(std::int32_t, std::string bytes) override {
    write(chunked_ ? http1::write_chunk(bytes) : std::move(bytes));
  }
  void send_end(std::int32_t) override {
    if (chunked_) write(std::string(http1::last_chunk));
    answered();
  }
  void send_whole(std::int32_t stream, AnswerHead head, std::string body) override {
    send_head(stream, std::move(head), false);
    send_body(stream, std::move(body));
    send_end(stream);
  }
  bool has_unsent() const override { return false; }
  void send_abort(std::int32_t) override {
    detach(false);
    state_ = State::closing;
    host_.forget(id_);
  }
  std::size_t pending_bytes(std::int32_t) const override { return stream_->pending_bytes(); }
  void drain() override {
    if (state_ == State::reading && !in_request_) close_kindly();
  }

  void sweep(int stall) override {
    if (!unsent_.is_stuck(written_, stream_->pending_bytes(), stall)) return;
    host_.ended(Ending::stalled);
    detach(true);
    state_ = State::closing;
    host_.forget(id_);
  }

  void take(std::string_view bytes) override {
    if (state_ == State::closing) return;
    parser_->feed(bytes);
    if (state_ == State::answering) {
      if (parser_->buffered() > kReadAheadMax) stream_->pause_reading();
      return;
    }
    if (!in_request_) {
      in_request_ = true;
      arm(host_.limits().header_timeout);
    }
    advance();
  }

  void drained() override {
    unsent_.count(stream_->pending_bytes());
    if (exchange_ != nullptr) exchange_->drained();
  }

  void closed() override {
    state_ = State::closing;
    disarm();
    detach(true);
    host_.forget(id_);
  }

 private:
  enum class State { reading, answering, closing };

  static bool has_header_value(const std::vector<Header>& headers, std::string_view name,
                               std::string_view value) {
    return std::find(headers.begin(), headers.end(), Header(name, value)) != headers.end();
  }

  void write(std::string bytes) {
    written_ += bytes.size();
    stream_->write(std::move(bytes));
    unsent_.count(stream_->pending_bytes());
  }

  void advance() {
    if (advancing_) return;  // an answer inside the handler: the loop below goes on
    advancing_ = true;
    while (state_ == State::reading) {
      auto event = parser_->next();
      if (std::holds_alternative<http1::NeedMore>(event)) break;
      in_request_ = true;
      if (auto* head = std::get_if<http1::Head>(&event)) {
        begin_request(std::move(*head));
      } else if (auto* body = std::get_if<http1::Body>(&event)) {
        take_body(std::move(body->bytes));
      } else if (auto* refused = std::get_if<http1::Refused>(&event)) {
        refuse(refused->status, refused->message);
      } else {
        hand_over();
      }
    }
    advancing_ = false;
  }

  void begin_request(http1::Head head) {
    request_ = {};
    request_.method = std::move(head.method);
    request_.target = std::move(head.target);
    request_.headers = std::move(head.headers);
    keep_alive_ = head.keep_alive;
    http_1_0_ = head.http_1_0;
    if (request_.target.size() > host_.limits().target_bytes_max) {
      return refuse(414, "the request target is too long");
    }
    const auto length = head.content_length.value_or(0);
    if (length > host_.limits().body_bytes_max) return refuse(413, "the body is too large");
    const auto usual = static_cast<std::size_t>(std::min<std::uint64_t>(length, kBodyBytesUsual));
    if (!request_.held.add(host_.budget(), head_bytes(request_) + usual)) {
      return refuse(429, "too many requests at once");
    }
    arm(host_.limits().body_timeout);
    request_.body.reserve(usual);
    if (head.expect_continue) write("HTTP/1.1 100 Continue\r\n\r\n");
  }

  void take_body(std::string bytes) {
    if (request_.body.size() + bytes.size() > host_.limits().body_bytes_max) {
      return refuse(413, "the body is too large");
    }
    if (!grow_body(request_, std::move(bytes), host_.budget())) {
      refuse(429, "too many requests at once");
    }
  }

  void hand_over() {
    if (host_.full()) return refuse(429, "too many requests at once");
    disarm();
    state_ = State::answering;
    in_request_ = false;
    Request request = std::exchange(request_, {});
    request.scheme = stream_->tls() != nullptr ? "https" : "http";
    if (stream_->tls() != nullptr) {
      request.tls = std::make_shared<const runtime::TlsPeer>(*stream_->tls());
    }
    request.peer = stream_->peer();
    request.received = host_.executor().wall_now();
    request.arrived = host_.executor().now();
    auto exchange = std::make_shared<ServerExchange>(host_, *this, 0, request.method == "HEAD");
    exchange_ = exchange.get();
    host_.handler().handle(std::move(request), std::move(exchange));
  }

  void answered() {
    detach(false);
    if (!keep_alive_ || host_.draining()) return close_kindly();
    state_ = State::reading;
    stream_->resume_reading();
    arm(host_.limits().idle_timeout);
    advance();
  }

  void refuse(int status, const std::string& why) {
    keep_alive_ = false;
    Response response = refusal_of(host_, request_, status, why);
    request_ = {};
    response.headers.emplace_back("connection", "close");
    write(http1::write_response_head(response.status, response.headers));
    write(std::move(response.body));
    close_kindly();
  }

  void close_kindly() {
    state_ = State::closing;
    // The peer may read what is left, but not for ever.
    arm(host_.limits().idle_timeout);
    stream_->finish();
  }

  void arm(base::Duration delay) {
    disarm();
    timer_ = host_.executor().after(delay, [this] {
      timer_ = 0;
      if (state_ == State::reading && in_request_) return refuse(408, "the request took too long");
      if (state_ == State::reading && stream_->pending_bytes() == 0) return close_kindly();
      state_ = State::closing;
      host_.forget(id_);
    });
  }
  void disarm() {
    if (timer_ != 0) host_.executor().cancel(std::exchange(timer_, 0));
  }

  void detach(bool gone) {
    if (exchange_ != nullptr) std::exchange(exchange_, nullptr)->detach(gone);
  }

  ConnectionHost& host_;
  const std::uint64_t id_;
  runtime::Stream* const stream_;
  Unsent unsent_;
  std::uint64_t written_ = 0;
  std::unique_ptr<http1::Parser> parser_;
  State state_ = State::reading;
  bool in_request_ = false;
  bool advancing_ = false;
  bool keep_alive_ = true, http_1_0_ = false, chunked_ = false;
  Request request_;
  ServerExchange* exchange_ = nullptr;  // it detaches itself before it goes
  runtime::TimerId timer_ = 0;
};

}  // namespace

std::unique_ptr<Connection> make_http1_connection(ConnectionHost& host, std::uint64_t id,
                                                  runtime::Stream& stream) {
  return std::make_unique<Http1Connection>(host, id, stream);
}

}  // namespace keelway::http
