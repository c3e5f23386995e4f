// An HTTP/2 session fed with bytes, answering as a server does: it ends or goes on, and neither
// streams nor output grow beyond what the bytes can account for.
#include <algorithm>
#include <set>

#include "fuzz/input.h"
#include "wire/http2.h"

namespace {

namespace http2 = keelway::wire::http2;

constexpr http2::Limits limits{.streams_max = 8,
                               .header_bytes_max = 4096,
                               .stream_window_bytes = 65535,
                               .connection_window_bytes = 1 << 17};

class Peer {
 public:
  explicit Peer(std::unique_ptr<http2::Session> session) : session_(std::move(session)) {}

  // False: the session is over.
  bool feed(std::string_view bytes, keelway::base::Instant now) {
    const bool alive = session_->feed(bytes, now);
    for (http2::Event& event : session_->take_events()) std::visit(*this, event);
    for (int i = 0; i < 64; ++i) {
      const std::string out = session_->take_output(16'384);
      if (out.empty()) break;
      sent_ += out.size();
    }
    static_cast<void>(session_->finished());
    return alive;
  }
  std::size_t sent() const { return sent_; }

  void operator()(const http2::HeadReceived& head) {
    KEELWAY_INVARIANT(head.stream > 0, "a head without a stream");
    for (const auto& [name, text] : head.headers) {
      KEELWAY_INVARIANT(
          std::none_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; }),
          "a header's name in upper case");
      KEELWAY_INVARIANT(text.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos,
                        "a control character in a header's value");
    }
    KEELWAY_INVARIANT(!closed_.contains(head.stream), "a head after the end of its stream");
    open_.insert(head.stream);
    KEELWAY_INVARIANT(open_.size() <= limits.streams_max, "more streams than the limit");
    switch (head.stream / 2 % 4) {
      case 0:
        session_->respond(head.stream, {204}, true);
        break;
      case 1:
        session_->respond(head.stream, {200, {{"content-type", "a/b"}}}, false);
        session_->write(head.stream, std::string(3000, 'x'));
        session_->end(head.stream);
        break;
      case 2:
        session_->respond(head.stream, {200}, false);
        session_->write(head.stream, "y");
        break;
      default:
        break;
    }
  }
  void operator()(const http2::DataReceived& data) {
    KEELWAY_INVARIANT(open_.contains(data.stream), "data of a stream that is not open");
  }
  void operator()(const http2::EndReceived& end) {
    if (end.stream / 2 % 4 == 2) session_->end(end.stream);
    if (end.stream / 2 % 4 == 3) session_->reset(end.stream, http2::Code::cancel);
  }
  // Also of a stream whose head was malformed, so that nobody was told of it.
  void operator()(const http2::StreamClosed& closed) {
    KEELWAY_INVARIANT(closed_.insert(closed.stream).second, "a stream closed twice");
    open_.erase(closed.stream);
  }
  void operator()(const http2::StreamDrained& drained) {
    static_cast<void>(session_->pending_bytes(drained.stream));
  }
  void operator()(const http2::TrailersReceived&) {}
  void operator()(const http2::GoneAway&) {}

 private:
  std::unique_ptr<http2::Session> session_;
  std::set<http2::StreamId> open_, closed_;
  std::size_t sent_ = 0;
};

}  // namespace

// The first byte: bit 0 a client's session, bit 1 the preface is given, the rest the cut.
KEELWAY_FUZZ_TARGET(data, size) {
  keelway::fuzz::Input input(data, size);
  const std::uint8_t first = input.byte();
  std::string bytes;
  std::unique_ptr<http2::Session> session;
  if ((first & 1) != 0) {
    session = http2::make_client_session(limits);
    static_cast<void>(session->request(
        {{":method", "GET"}, {":scheme", "https"}, {":authority", "a"}, {":path", "/"}}, true));
  } else {
    session = http2::make_server_session(limits);
    if ((first & 2) == 0) bytes = http2::client_preface;
  }
  bytes += input.rest();
  const std::size_t step = 1 + (first >> 2) * 16;
  if ((first & 1) != 0) {
    // Streams of our own are open from the start, so only survival is looked at.
    std::int64_t now = 0;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      if (!session->feed(std::string_view(bytes).substr(at, step), {now += 1'000'000})) break;
      static_cast<void>(session->take_events());
      static_cast<void>(session->take_output(16'384));
    }
    return 0;
  }
  Peer peer(std::move(session));
  std::int64_t now = 0;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    if (!peer.feed(std::string_view(bytes).substr(at, step), {now += 1'000'000})) break;
  }
  // Four streams' answers, and acknowledgements of what came in.
  KEELWAY_INVARIANT(peer.sent() <= 8192 + 400 * bytes.size(), "answers out of proportion");
  return 0;
}
