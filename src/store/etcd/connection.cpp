#include "store/etcd/connection.h"

#include <charconv>

namespace keelway::store::etcd {
namespace {

namespace http2 = wire::http2;

constexpr std::size_t flush_bytes = 64u << 10;
constexpr std::size_t stream_buffer_max = 256u << 10;
constexpr std::size_t prefix_bytes = 5;  // one of flags, four of length

http2::Limits session_limits() {
  http2::Limits limits;
  limits.stream_window_bytes = 8 << 20;
  limits.connection_window_bytes = 64 << 20;
  limits.work_bounded = false;
  return limits;
}

std::string framed(std::string_view message) {
  std::string frame(prefix_bytes, '\0');
  const auto size = static_cast<std::uint32_t>(message.size());
  for (int i = 0; i < 4; ++i) frame[1 + i] = static_cast<char>(size >> (24 - 8 * i));
  frame += message;
  return frame;
}

std::size_t length_of(std::string_view prefix) {
  std::size_t size = 0;
  for (int i = 1; i < 5; ++i) size = size << 8 | static_cast<unsigned char>(prefix[i]);
  return size;
}

// grpc-message is percent-encoded.
std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    int byte = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 3, byte, 16).ec == std::errc()) {
      out += static_cast<char>(byte);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::optional<CallEnd> outcome_in(const std::vector<http2::Header>& headers) {
  std::optional<CallEnd> outcome;
  for (const auto& [name, value] : headers) {
    if (name != "grpc-status") continue;
    int code = static_cast<int>(GrpcCode::unknown);
    std::from_chars(value.data(), value.data() + value.size(), code);
    outcome = CallEnd{static_cast<GrpcCode>(code), {}, true, false};
  }
  if (!outcome) return outcome;
  for (const auto& [name, value] : headers) {
    if (name == "grpc-message") outcome->message = decoded(value);
  }
  return outcome;
}

}  // namespace

Connection::Connection(runtime::Executor& executor, std::unique_ptr<runtime::Stream> stream,
                       std::string authority, std::move_only_function<void(std::string)> on_closed)
    : executor_(executor),
      authority_(std::move(authority)),
      on_closed_(std::move(on_closed)),
      session_(http2::make_client_session(session_limits())),
      heard_at_(executor.now()),
      stream_(std::move(stream)) {
  runtime::StreamEvents events;
  events.on_data = [this](std::string_view bytes) { take(bytes); };
  events.on_drained = [this] { flush(); };
  events.on_closed = [this](std::optional<base::Error> error) {
    close(error ? error->message : "etcd closed the connection");
  };
  stream_->start(std::move(events));
  flush();
}

Connection::~Connection() {
  *alive_ = false;
}

std::size_t Connection::calls_left() const {
  return closed_ ? 0 : session_->streams_left();
}

CallId Connection::call(Call call, CallEvents events) {
  if (calls_left() == 0) return 0;
  std::vector<http2::Header> headers = {{":method", "POST"},
                                        {":scheme", stream_->tls() != nullptr ? "https" : "http"},
                                        {":authority", authority_},
                                        {":path", std::string(call.path)},
                                        {"te", "trailers"},
                                        {"content-type", "application/grpc"},
                                        {"user-agent", "keelway"},
                                        // Refused by a member that knows no leader.
                                        {"hasleader", "true"}};
  if (call.timeout.count() > 0) {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(call.timeout).count();
    headers.emplace_back("grpc-timeout", std::to_string(ms) + "m");
  }
  if (!call.token.empty()) headers.emplace_back("token", call.token);
  const CallId id = session_->request(headers, false);
  if (id == 0) return 0;
  auto open = std::make_shared<Open>();
  open->events = std::move(events);
  open->unary = !call.more;
  calls_.emplace(id, std::move(open));
  session_->write(id, framed(call.message));
  if (!call.more) session_->end(id);
  flush();
  return id;
}

void Connection::send(CallId call, std::string_view message) {
  if (find(call) == nullptr) return;
  session_->write(call, framed(message));
  flush();
}

void Connection::cancel(CallId call) {
  if (calls_.erase(call) == 0 || closed_) return;
  session_->reset(call, http2::Code::cancel);
  const auto alive = alive_;
  flush();
  if (*alive) close_if_spent();
}

void Connection::take(std::string_view bytes) {
  if (closed_) return;
  heard_at_ = executor_.now();
  const bool good = session_->feed(bytes, heard_at_);
  const auto alive = alive_;
  flush();
  if (!*alive) return;
  if (!good) return close("etcd's member broke the rules of HTTP/2");
  close_if_spent();
}

// A member that stops lets streams go on, and answers on them, for as long as we do.
void Connection::close_if_spent() {
  if (closed_ || session_->takes_requests()) return;
  for (const auto& [id, open] : calls_) {
    if (open->unary) return;
  }
  close("etcd's member takes no further call");
}

void Connection::flush() {
  if (flushing_ || closed_) return;
  flushing_ = true;
  bool moved = true;
  while (moved && !closed_) {
    moved = false;
    for (auto& event : session_->take_events()) {
      moved = true;
      std::visit([this](auto& e) { hear(e); }, event);
    }
    if (closed_ || stream_->pending_bytes() >= stream_buffer_max) continue;
    auto output = session_->take_output(flush_bytes);
    if (output.empty()) continue;
    moved = true;
    stream_->write(std::move(output));
  }
  flushing_ = false;
  if (!closed_ && session_->finished()) close("etcd's member went away");
}

Connection::Open* Connection::find(CallId call) {
  const auto found = calls_.find(call);
  return found == calls_.end() ? nullptr : found->second.get();
}

void Connection::finish(CallId call, const CallEnd& end) {
  const auto node = calls_.extract(call);
  if (!node.empty()) node.mapped()->events.on_end(end);
}

void Connection::hear(http2::HeadReceived& head) {
  Open* open = find(head.stream);
  if (open == nullptr) return;
  for (const auto& [name, value] : head.headers) {
    if (name == ":status") std::from_chars(value.data(), value.data() + value.size(), open->status);
  }
  open->outcome = outcome_in(head.headers);
}

void Connection::hear(http2::TrailersReceived& trailers) {
  if (Open* open = find(trailers.stream)) open->outcome = outcome_in(trailers.headers);
}

void Connection::hear(http2::DataReceived& data) {
  const auto found = calls_.find(data.stream);
  if (found == calls_.end()) return;
  const std::shared_ptr<Open> open = found->second;  // a callback may cancel the call
  std::string_view rest = data.bytes;
  if (!open->in.empty()) {
    open->in += rest;
    rest = open->in;
  }
  while (rest.size() >= prefix_bytes) {
    const std::size_t size = length_of(rest);
    if (size > message_bytes_max) {
      session_->reset(data.stream, http2::Code::cancel);
      return finish(data.stream, {GrpcCode::resource_exhausted, "etcd's answer is too long", true});
    }
    if (rest.size() < prefix_bytes + size) {
      if (open->in.empty()) open->in.reserve(prefix_bytes + size);
      break;
    }
    open->events.on_message(rest.substr(prefix_bytes, size));
    // It may have ended the call, or the whole connection: what follows is nobody's.
    if (closed_ || !calls_.contains(data.stream)) return;
    rest.remove_prefix(prefix_bytes + size);
  }
  if (open->in.empty()) {
    open->in.append(rest);
  } else {
    open->in.erase(0, open->in.size() - rest.size());
  }
}

void Connection::hear(http2::EndReceived& end) {
  if (Open* open = find(end.stream)) open->ended = true;
}

void Connection::hear(http2::StreamClosed& closed) {
  const auto found = calls_.find(closed.stream);
  if (found == calls_.end()) return;
  const Open& open = *found->second;
  CallEnd end;
  if (open.outcome) {
    end = *open.outcome;
  } else {
    end.code = GrpcCode::unavailable;
    end.message = open.ended ? "HTTP status " + std::to_string(open.status) + " without an outcome"
                             : "the call was reset, HTTP/2 error code " +
                                   std::to_string(static_cast<unsigned>(closed.code));
    end.untouched = closed.code == http2::Code::refused_stream || closed.stream > last_taken_;
  }
  finish(closed.stream, end);
}

void Connection::hear(http2::GoneAway& gone) {
  last_taken_ = gone.last_stream;
}

void Connection::close(const std::string& why) {
  if (std::exchange(closed_, true)) return;
  const auto alive = alive_;
  while (*alive && !calls_.empty()) {
    const CallId call = calls_.begin()->first;
    finish(call, {GrpcCode::unavailable, why, false, call > last_taken_});
  }
  if (*alive && on_closed_) std::exchange(on_closed_, nullptr)(why);
}

}  // namespace keelway::store::etcd
