// What the server's two kinds of connection share: exchanges, and the way home to the server.
#pragma once

#include <memory>

#include "http/server.h"
#include "wire/http2.h"

namespace keelway::http {

class ServerExchange;
using AnswerHead = wire::http2::AnswerHead;

enum class Ending { stalled, misused };

// Implemented by the server. A connection asks to be forgotten, and is destroyed later, never
// inside its own calls.
class ConnectionHost {
 public:
  virtual ~ConnectionHost() = default;
  virtual runtime::Executor& executor() = 0;
  virtual const Limits& limits() const = 0;
  virtual Handler& handler() = 0;
  virtual bool draining() const = 0;
  virtual const std::string& date() = 0;  // now, as the header says it
  virtual const std::shared_ptr<Budget>& budget() const = 0;
  virtual void refused(int status) = 0;  // a request, by HTTP itself
  virtual void ended(Ending why) = 0;    // a connection or stream, by us
  virtual bool full() const = 0;         // no further exchange now
  virtual void exchange_opened() = 0;
  virtual void exchange_closed() = 0;
  virtual void forget(std::uint64_t connection) = 0;
};

// The side of a connection that an exchange speaks to. `stream` is 0 on HTTP/1.1.
class Connection {
 public:
  virtual ~Connection() = default;
  virtual void send_head(std::int32_t stream, AnswerHead head, bool end) = 0;
  virtual void send_body(std::int32_t stream, std::string bytes) = 0;
  virtual void send_end(std::int32_t stream) = 0;
  // Head, body (not empty) and end at once.
  virtual void send_whole(std::int32_t stream, AnswerHead head, std::string body) = 0;
  virtual void send_abort(std::int32_t stream) = 0;
  virtual std::size_t pending_bytes(std::int32_t stream) const = 0;
  // One more or less of its requests is on its way to the handler.
  virtual void count_underway(int /*change*/) {}
  // Answers that the stream has not been given yet.
  virtual bool has_unsent() const = 0;
  virtual void drain() = 0;
  // At regular intervals: ends what has come to a halt. `stall` intervals without progress are too
  // many.
  virtual void sweep(int stall) = 0;

  // What the stream says; called by the server.
  virtual void take(std::string_view bytes) = 0;
  virtual void drained() = 0;
  virtual void closed() = 0;
};

// Checks the order of calls and fills in what every answer carries. Connections outlived by their
// exchanges detach them.
class ServerExchange : public Exchange, public std::enable_shared_from_this<ServerExchange> {
 public:
  ServerExchange(ConnectionHost& host, Connection& connection, std::int32_t stream, bool is_head);
  ~ServerExchange() override;
  ServerExchange(const ServerExchange&) = delete;

  void respond(Response response) override;
  void start(int status, std::vector<Header> headers) override;
  void write(std::string chunk) override;
  void finish() override;
  void abort() override;
  std::size_t pending_bytes() const override;
  void on_drained(std::move_only_function<void()> callback) override;
  void on_gone(std::move_only_function<void()> callback) override;
  void underway(bool now) override;

  // Called by the connection.
  void drained();
  void detach(bool gone);  // gone: the client left before the answer was complete

 private:
  enum class State { open, streaming, done };
  bool begin(AnswerHead& head);
  void complete();

  ConnectionHost& host_;
  Connection* connection_;  // null once detached
  const std::int32_t stream_;
  const bool is_head_;
  State state_ = State::open;
  bool body_allowed_ = true;
  bool client_gone_ = false;
  bool underway_ = false;
  std::move_only_function<void()> drained_, gone_;
};

// What a connection has not sent yet, told to the budget; and whether anything moves.
class Unsent {
 public:
  explicit Unsent(std::shared_ptr<Budget> budget) : budget_(std::move(budget)) {}
  ~Unsent() { budget_->count_answers(0, counted_); }
  Unsent(const Unsent&) = delete;
  void count(std::size_t bytes) {
    if (bytes != counted_) budget_->count_answers(bytes, counted_);
    counted_ = bytes;
  }
  // Called at intervals with all that was ever written to the stream, and what of it waits there.
  bool is_stuck(std::uint64_t written, std::size_t waiting, int stall) {
    const std::uint64_t sent = written - waiting;
    still_ = waiting > 0 && sent == sent_ ? still_ + 1 : 0;
    sent_ = sent;
    return still_ >= stall;
  }

 private:
  const std::shared_ptr<Budget> budget_;
  std::size_t counted_ = 0;
  std::uint64_t sent_ = 0;
  int still_ = 0;
};

// What a request's head takes: its texts, and its parts on both sides of a hand-over.
std::size_t head_bytes(const Request& request);

// Adds to the request's body. The budget counts the memory that a body takes, not only what of it
// is filled; false: it has no more.
bool grow_body(Request& request, std::string bytes, const std::shared_ptr<Budget>& budget);

// Head and body of an answer that the server gives by itself.
Response refusal_of(ConnectionHost& host, const Request& request, int status, std::string_view why);

// RFC 9110 5.6.7: "Sun, 06 Nov 1994 08:49:37 GMT".
std::string format_http_date(base::WallTime at);
bool has_header(const std::vector<Header>& headers, std::string_view name);

// The stream outlives the connection.
std::unique_ptr<Connection> make_http1_connection(ConnectionHost& host, std::uint64_t id,
                                                  runtime::Stream& stream);
std::unique_ptr<Connection> make_http2_connection(ConnectionHost& host, std::uint64_t id,
                                                  runtime::Stream& stream);

}  // namespace keelway::http
