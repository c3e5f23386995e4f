// An HTTP/2 session, either side: bytes in, events out; what must be sent is asked for.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/time.h"

namespace keelway::wire::http2 {

using Header = std::pair<std::string, std::string>;  // pseudo headers first, as ":path"
using StreamId = std::int32_t;

inline constexpr std::string_view client_preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// RFC 9113 7.
enum class Code : std::uint32_t {
  none = 0,
  protocol_error = 1,
  internal_error = 2,
  refused_stream = 7,
  cancel = 8,
  enhance_your_calm = 11
};

// The head of a server's answer.
struct AnswerHead {
  int status = 200;
  std::vector<Header> headers = {};
  std::span<const Header> constant = {};  // sent after them; live as long as the program
};

struct HeadReceived {
  StreamId stream = 0;
  std::vector<Header> headers;
  bool too_large = false;  // above header_bytes_max; `headers` is cut
};
struct DataReceived {
  StreamId stream = 0;
  std::string bytes;
};
// After the body, on a client's session (gRPC tells there how a call went).
struct TrailersReceived {
  StreamId stream = 0;
  std::vector<Header> headers;
};
struct EndReceived {
  StreamId stream = 0;
};  // the peer's side is complete
// The stream is gone. Code::none: both sides are complete.
struct StreamClosed {
  StreamId stream = 0;
  Code code = Code::none;
};
struct StreamDrained {
  StreamId stream = 0;
};  // all that was written is framed
struct GoneAway {
  StreamId last_stream = 0;
};  // the peer takes no stream above this one
using Event = std::variant<HeadReceived, DataReceived, TrailersReceived, EndReceived, StreamClosed,
                           StreamDrained, GoneAway>;

struct Limits {
  std::uint32_t streams_max = 250;
  std::size_t header_bytes_max = 1u << 20;
  std::int32_t stream_window_bytes = 1 << 20;
  std::int32_t connection_window_bytes = 16 << 20;
  // Whether a peer that only makes work is sent away. Not one that we dialled and that measures
  // its way to us with pings, as gRPC servers do.
  bool work_bounded = true;
};

class Session {
 public:
  virtual ~Session() = default;
  // false: the session is over; send what take_output() gives, then close. A peer that only makes
  // work (resets, pings, settings, empty or unknown frames, window updates without need) beyond a
  // budget that refills with time is sent away.
  virtual bool feed(std::string_view bytes, base::Instant now) = 0;
  virtual std::vector<Event> take_events() = 0;
  // About `bytes` or less; empty: nothing to send now.
  virtual std::string take_output(std::size_t bytes) = 0;
  virtual bool finished() const = 0;  // nothing to send, and nothing more is expected

  // Server. `end`: no body follows.
  virtual void respond(StreamId stream, const AnswerHead& head, bool end) = 0;
  // Client; 0 where the session takes no further stream.
  virtual StreamId request(const std::vector<Header>& headers, bool end) = 0;
  // How many more streams this client may open now.
  virtual std::size_t streams_left() const = 0;
  // Client: false for good once the peer went away or the streams' numbers are used up.
  virtual bool takes_requests() const = 0;

  virtual void write(StreamId stream, std::string bytes) = 0;
  virtual void end(StreamId stream) = 0;
  virtual void reset(StreamId stream, Code code) = 0;
  virtual std::size_t pending_bytes(StreamId stream) const = 0;  // written, not yet framed
  virtual std::size_t pending_bytes() const = 0;                 // of all streams
  // Asked at regular intervals: the streams of which nothing was framed during the last
  // `intervals` although something waits.
  virtual std::vector<StreamId> stuck_streams(int intervals) = 0;
  virtual void go_away() = 0;  // no new streams; those that are open go on
};

std::unique_ptr<Session> make_server_session(Limits limits);
std::unique_ptr<Session> make_client_session(Limits limits);

}  // namespace keelway::wire::http2
