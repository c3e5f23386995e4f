// One HTTP/2 connection to one etcd member with gRPC calls on it: messages with a length prefix,
// the outcome in trailers. Lives on one executor; its callbacks may call it, but not destroy it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/network.h"
#include "wire/http2.h"

namespace keelway::store::etcd {

using CallId = std::int32_t;  // 0 is never a call

// gRPC's status codes, those that etcd uses.
enum class GrpcCode {
  ok = 0,
  unknown = 2,
  invalid_argument = 3,
  deadline_exceeded = 4,
  not_found = 5,
  permission_denied = 7,
  resource_exhausted = 8,
  failed_precondition = 9,
  out_of_range = 11,
  internal = 13,
  unavailable = 14,
  unauthenticated = 16
};

struct CallEnd {
  GrpcCode code = GrpcCode::ok;
  std::string message;
  bool answered = false;   // the member said so; else the connection did
  bool untouched = false;  // the member has surely done nothing with the call
};

struct CallEvents {
  std::move_only_function<void(std::string_view message)> on_message;
  std::move_only_function<void(const CallEnd&)> on_end;  // once, the last
};

struct Call {
  std::string_view path;
  std::string token = {};       // of etcd's authentication; empty: none
  base::Duration timeout = {};  // told to the member; 0: none
  std::string message = {};
  bool more = false;  // further messages follow, by send()
};

class Connection {
 public:
  static constexpr std::size_t message_bytes_max = 512u << 20;

  // `on_closed` comes once, after the ends of all calls. A connection that takes no further call
  // for good (the member goes away, or the calls' numbers are used up) closes after its last unary
  // call, whatever streams go on.
  Connection(runtime::Executor& executor, std::unique_ptr<runtime::Stream> stream,
             std::string authority, std::move_only_function<void(std::string why)> on_closed);
  ~Connection();
  Connection(const Connection&) = delete;

  std::size_t calls_left() const;
  // 0, without any callback, where the member takes no further call now.
  CallId call(Call call, CallEvents events);
  void send(CallId call, std::string_view message);
  void cancel(CallId call);  // silent from now on
  // Gives up: every call ends as if the peer had closed.
  void close(const std::string& why);
  base::Instant heard_at() const { return heard_at_; }

 private:
  struct Open {
    CallEvents events;
    std::string in;  // bytes of messages that are not whole
    std::optional<CallEnd> outcome;
    bool ended = false;
    bool unary = true;
    int status = 0;  // of HTTP
  };

  void take(std::string_view bytes);
  void flush();
  void close_if_spent();
  Open* find(CallId call);
  void finish(CallId call, const CallEnd& end);
  void hear(wire::http2::HeadReceived& head);
  void hear(wire::http2::DataReceived& data);
  void hear(wire::http2::TrailersReceived& trailers);
  void hear(wire::http2::EndReceived& end);
  void hear(wire::http2::StreamClosed& closed);
  void hear(wire::http2::StreamDrained&) {}
  void hear(wire::http2::GoneAway& gone);

  runtime::Executor& executor_;
  const std::string authority_;
  std::move_only_function<void(std::string)> on_closed_;
  std::unique_ptr<wire::http2::Session> session_;
  std::map<CallId, std::shared_ptr<Open>> calls_;
  base::Instant heard_at_;
  CallId last_taken_ = 0x7fffffff;  // the peer handles no call above it
  bool flushing_ = false, closed_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  std::unique_ptr<runtime::Stream> stream_;
};

}  // namespace keelway::store::etcd
