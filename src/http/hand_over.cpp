#include "http/hand_over.h"

#include <atomic>
#include <variant>

#include "http/inbox.h"

namespace keelway::http {
namespace {

using ExchangePtr = std::shared_ptr<Exchange>;
class RemoteExchange;
using RemotePtr = std::shared_ptr<RemoteExchange>;

// What of a streamed answer is not sent yet, counted from both sides. The front says what waits at
// the exchange before it takes a chunk off what is under way, and the back reads them in the other
// order: the sum never misses a chunk.
struct Flow {
  std::atomic<std::size_t> under_way = 0, at_exchange = 0;
  std::atomic<bool> wants_drained = false;
  std::size_t bytes() const {
    const std::size_t first = under_way.load();
    return first + at_exchange.load();
  }
};
using FlowPtr = std::shared_ptr<Flow>;

struct Start {
  int status;
  std::vector<Header> headers;
  FlowPtr flow;
  std::weak_ptr<RemoteExchange> remote;
};
struct Chunk {
  std::string bytes;
  FlowPtr flow;
  std::weak_ptr<RemoteExchange> remote;
};
struct Finish {};
struct Abort {};
struct Drop {};
struct TellGone {
  std::weak_ptr<RemoteExchange> remote;
};
using Word = std::variant<Drop, Response, Start, Chunk, Finish, Abort, TellGone>;
struct ToFront {
  template <class What>
  ToFront(ExchangePtr exchange, What what)
      : exchange(std::move(exchange)), word(std::in_place_type<What>, std::move(what)) {}
  ExchangePtr exchange;
  Word word;
};

struct Arrived {
  RemotePtr exchange;
};
struct Drained {
  RemotePtr exchange;
};
struct Gone {
  RemotePtr exchange;
};
struct Refused {
  std::string method;
  int status;
};
using ToBack = std::variant<Arrived, Drained, Gone, Refused>;

using Front = Inbox<ToFront>;
using Back = Inbox<ToBack>;

// The exchange as the back knows it. The front's own is only carried here, and goes over with the
// last word. Nothing that waits in the line to the front keeps the line to the back.
class RemoteExchange final : public Exchange, public std::enable_shared_from_this<RemoteExchange> {
 public:
  RemoteExchange(std::shared_ptr<Front> front, std::weak_ptr<Back> back, Request request,
                 ExchangePtr exchange)
      : front_(std::move(front)),
        back_(std::move(back)),
        request_(std::move(request)),
        exchange_(std::move(exchange)) {}
  ~RemoteExchange() override {
    if (exchange_) last(Drop{});
  }

  void respond(Response response) override {
    if (!exchange_ || flow_) return;
    last(std::move(response));
    complete();
  }
  void start(int status, std::vector<Header> headers) override {
    if (!exchange_ || flow_) return;
    flow_ = std::make_shared<Flow>();
    flow_->wants_drained = static_cast<bool>(drained_);
    front_->push(exchange_, Start{status, std::move(headers), flow_, weak_from_this()});
  }
  void write(std::string chunk) override {
    if (!exchange_ || !flow_ || chunk.empty()) return;
    wrote_ = true;
    flow_->under_way.fetch_add(chunk.size());
    front_->push(exchange_, Chunk{std::move(chunk), flow_, weak_from_this()});
  }
  void finish() override {
    if (!exchange_ || !flow_) return;
    last(Finish{});
    complete();
  }
  void abort() override {
    if (!exchange_) return;
    last(Abort{});
    complete();
  }
  std::size_t pending_bytes() const override { return exchange_ && flow_ ? flow_->bytes() : 0; }

  // What drained before anybody asked is told, too.
  void on_drained(std::move_only_function<void()> callback) override {
    if (!exchange_) return;
    const auto before = std::exchange(drained_, std::move(callback));
    if (flow_) flow_->wants_drained = static_cast<bool>(drained_);
    if (drained_ && wrote_ && flow_->bytes() == 0) tell_drained(weak_from_this());
  }
  void on_gone(std::move_only_function<void()> callback) override {
    if (gone_already_) return callback();
    if (!exchange_) return;
    const bool first = !gone_;
    gone_ = std::move(callback);
    if (first) front_->push(exchange_, TellGone{weak_from_this()});
  }

  // On the front.
  static void tell_drained(const std::weak_ptr<RemoteExchange>& remote) {
    if (auto self = remote.lock()) {
      if (const auto back = self->back_.lock()) back->push(Drained{std::move(self)});
    }
  }
  static void tell_gone(const std::weak_ptr<RemoteExchange>& remote) {
    if (auto self = remote.lock()) {
      if (const auto back = self->back_.lock()) back->push(Gone{std::move(self)});
    }
  }

  // On the back.
  void arrived(Handler* handler) {
    if (handler != nullptr) handler->handle(std::move(request_), shared_from_this());
  }
  void drained() {
    if (!exchange_ || !drained_ || flow_->bytes() > 0) return;
    auto callback = std::exchange(drained_, nullptr);
    callback();  // which may replace itself, or end the answer
    if (!drained_ && exchange_) drained_ = std::move(callback);
  }
  void gone() {
    gone_already_ = true;
    auto callback = std::exchange(gone_, nullptr);
    if (exchange_) last(Drop{});
    complete();
    if (callback) callback();
  }

 private:
  template <class What>
  void last(What what) {
    front_->push(std::move(exchange_), std::move(what));
    exchange_ = nullptr;
  }
  // A callback may be what owns this exchange.
  void complete() {
    const auto keep = shared_from_this();
    const auto drained = std::exchange(drained_, nullptr);
    const auto gone = std::exchange(gone_, nullptr);
  }

  const std::shared_ptr<Front> front_;
  const std::weak_ptr<Back> back_;
  Request request_;       // until it is handed over
  ExchangePtr exchange_;  // null once the answer is complete or its client has gone
  FlowPtr flow_;          // null until it is streamed
  bool wrote_ = false, gone_already_ = false;
  std::move_only_function<void()> drained_, gone_;
};

// What the back says, done to the exchange.
struct Doing {
  const ExchangePtr& exchange;

  void operator()(Response& response) const { exchange->respond(std::move(response)); }
  void operator()(Start& start) const {
    exchange->start(start.status, std::move(start.headers));
    exchange->on_drained([flow = std::move(start.flow), remote = std::move(start.remote)] {
      flow->at_exchange = 0;
      if (flow->wants_drained) RemoteExchange::tell_drained(remote);
    });
  }
  void operator()(Chunk& chunk) const {
    const FlowPtr flow = std::move(chunk.flow);
    const auto remote = std::move(chunk.remote);
    const std::size_t size = chunk.bytes.size();
    exchange->write(std::move(chunk.bytes));
    const std::size_t left = exchange->pending_bytes();
    flow->at_exchange = left;
    flow->under_way.fetch_sub(size);
    if (left == 0 && flow->wants_drained) RemoteExchange::tell_drained(remote);
  }
  void operator()(Finish&) const { exchange->finish(); }
  void operator()(Abort&) const { exchange->abort(); }
  void operator()(Drop&) const {}
  void operator()(TellGone& tell) const {
    exchange->on_gone([remote = std::move(tell.remote)] { RemoteExchange::tell_gone(remote); });
  }
};

// What the front says.
struct Hearing {
  Handler* handler;  // null once closed

  void operator()(Arrived& arrived) const { std::exchange(arrived.exchange, {})->arrived(handler); }
  void operator()(Drained& drained) const { std::exchange(drained.exchange, {})->drained(); }
  void operator()(Gone& gone) const { std::exchange(gone.exchange, {})->gone(); }
  void operator()(Refused& refused) const {
    if (handler != nullptr) handler->refused(refused.method, refused.status);
  }
};

}  // namespace

struct HandOver::Lines {
  std::shared_ptr<Front> front;
  std::shared_ptr<Back> back;
  const std::shared_ptr<Hearing> hearing;  // back executor
};

HandOver::HandOver(runtime::Executor& front, runtime::Executor& back, Handler& handler,
                   std::shared_ptr<telemetry::Metrics> metrics)
    : handler_(handler),
      metrics_(std::move(metrics)),
      lines_(new Lines{{}, {}, std::make_shared<Hearing>(&handler)}) {
  lines_->front = std::make_shared<Front>(front, [](ToFront& message) {
    const ExchangePtr exchange = std::move(message.exchange);
    std::visit(Doing{exchange}, message.word);
  });
  telemetry::Gauge* waiting = nullptr;
  if (metrics_) {
    waiting = &metrics_->gauge("keelway_http_waiting_requests",
                               "Requests that the API server found waiting at its last turn.");
  }
  lines_->back = std::make_shared<Back>(
      back, [hearing = lines_->hearing](ToBack& message) { std::visit(*hearing, message); },
      waiting);
}

HandOver::~HandOver() {
  lines_->back->close();
  lines_->front->close();
}

void HandOver::close() {
  lines_->hearing->handler = nullptr;
}

void HandOver::handle(Request request, std::shared_ptr<Exchange> exchange) {
  lines_->back->push(Arrived{std::make_shared<RemoteExchange>(
      lines_->front, lines_->back, std::move(request), std::move(exchange))});
}

Response HandOver::refusal(const Request& request, int status, std::string_view why) {
  return handler_.refusal(request, status, why);
}

void HandOver::refused(std::string_view method, int status) {
  lines_->back->push(Refused{std::string(method), status});
}

}  // namespace keelway::http
