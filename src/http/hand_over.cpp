#include "http/hand_over.h"

#include <atomic>
#include <map>
#include <variant>

#include "http/inbox.h"

namespace keelway::http {
namespace {

constexpr std::size_t kAnswersMax = 16u << 20;  // bytes of whole answers; above none is asked for
constexpr std::size_t kRush = 256;              // messages
constexpr std::size_t kMethodMax = 32;          // of a refused request: longer ones are no method

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

struct Heard {};  // and not answered yet
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
using Word = std::variant<Drop, Response, Heard, Start, Chunk, Finish, Abort>;
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

// What both inboxes and every exchange know. It keeps neither inbox.
struct Link {
  explicit Link(Handler& of) : handler(&of) {}
  std::weak_ptr<Back> back;  // set before anything is sent
  // Of answers on their way to the front; streams have a bound of their own, pending_bytes().
  std::atomic<std::size_t> answer_bytes = 0;

  bool is_full() const { return answer_bytes.load() > kAnswersMax; }
  // On the front.
  void take_off(std::size_t bytes) {
    const std::size_t before = answer_bytes.fetch_sub(bytes);
    if (before <= kAnswersMax || before - bytes > kAnswersMax) return;
    if (const auto inbox = back.lock()) inbox->resume();
  }

  // back executor
  Handler* handler;                                   // null once closed
  std::map<std::uint64_t, RemoteExchange*> tellable;  // whose owner waits for a callback
  std::uint64_t last_tellable = 0;
};

// The exchange as the back knows it. The front's own is only carried here, and goes over with the
// last word. Nothing that waits in the line to the front keeps the line to the back.
class RemoteExchange final : public Exchange, public std::enable_shared_from_this<RemoteExchange> {
 public:
  RemoteExchange(std::shared_ptr<Front> front, std::shared_ptr<Link> link, Request request,
                 ExchangePtr exchange)
      : front_(std::move(front)),
        link_(std::move(link)),
        is_head_(request.method == "HEAD"),
        is_read_(is_head_ || request.method == "GET"),
        request_(std::move(request)),
        exchange_(std::move(exchange)) {}
  ~RemoteExchange() override {
    if (exchange_) last(Drop{});
    forget();
  }

  void respond(Response response) override {
    if (!exchange_ || flow_) return;
    link_->answer_bytes.fetch_add(response.body.size());
    last(std::move(response));
    complete();
  }
  void start(int status, std::vector<Header> headers) override {
    if (!exchange_ || flow_) return;
    flow_ = std::make_shared<Flow>();
    flow_->wants_drained = static_cast<bool>(drained_);
    front_->push(exchange_, Start{status, std::move(headers), flow_, weak_from_this()});
    if (is_head_) finish();
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
    if (drained_) remember();
    if (flow_) flow_->wants_drained = static_cast<bool>(drained_);
    if (drained_ && wrote_ && flow_->bytes() == 0) tell<Drained>(shared_from_this());
  }
  void on_gone(std::move_only_function<void()> callback) override {
    if (left_) {
      gone();
      return callback();
    }
    if (!exchange_) return;
    gone_ = std::move(callback);
    remember();
  }

  // On the front. What is told goes with the message, to die on the back.
  template <class What>
  static void tell(RemotePtr self) {
    if (!self) return;
    if (const auto back = self->link_->back.lock()) back->push(What{std::move(self)});
  }
  static void leave(RemotePtr self) {
    if (self) self->left_ = true;
    tell<Gone>(std::move(self));
  }

  // On the back.
  void arrived() {
    if (link_->handler == nullptr || (left_ && is_read_)) return;
    link_->handler->handle(std::move(request_), shared_from_this());
    if (exchange_ && !flow_) front_->push(exchange_, Heard{});
  }
  void drained() {
    if (!exchange_ || !drained_ || flow_->bytes() > 0) return;
    auto callback = std::exchange(drained_, nullptr);
    callback();  // which may replace itself, or end the answer
    if (!drained_ && exchange_) drained_ = std::move(callback);
  }
  void gone() {
    left_ = true;
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
    forget();
  }
  void remember() {
    if (tellable_ != 0) return;
    tellable_ = ++link_->last_tellable;
    link_->tellable[tellable_] = this;
  }
  void forget() {
    if (tellable_ != 0) link_->tellable.erase(std::exchange(tellable_, 0));
  }

  const std::shared_ptr<Front> front_;
  const std::shared_ptr<Link> link_;
  const bool is_head_;  // an answer ends with its head
  const bool is_read_;  // of no use to a client that has left; writes are done
  Request request_;     // until it is handed over
  std::atomic<bool> left_ = false;
  // back executor
  ExchangePtr exchange_;  // null once the answer is complete or its client has gone
  FlowPtr flow_;          // null until it is streamed
  bool wrote_ = false;
  std::uint64_t tellable_ = 0;  // its place there; 0: none
  std::move_only_function<void()> drained_, gone_;
};

// What the back says, done to the exchange.
struct Doing {
  const ExchangePtr& exchange;
  Link& link;

  void operator()(Response& response) const {
    const std::size_t size = response.body.size();
    exchange->respond(std::move(response));
    link.take_off(size);
  }
  void operator()(Heard&) const { exchange->underway(false); }
  void operator()(Start& start) const {
    exchange->start(start.status, std::move(start.headers));
    exchange->on_drained([flow = std::move(start.flow), remote = std::move(start.remote)] {
      flow->at_exchange = 0;
      if (flow->wants_drained) RemoteExchange::tell<Drained>(remote.lock());
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
    if (left == 0 && flow->wants_drained) RemoteExchange::tell<Drained>(remote.lock());
  }
  void operator()(Finish&) const { exchange->finish(); }
  void operator()(Abort&) const { exchange->abort(); }
  void operator()(Drop&) const {}
};

// What the front says.
struct Hearing {
  Link& link;

  void operator()(Arrived& arrived) const { std::exchange(arrived.exchange, {})->arrived(); }
  void operator()(Drained& drained) const { std::exchange(drained.exchange, {})->drained(); }
  void operator()(Gone& gone) const { std::exchange(gone.exchange, {})->gone(); }
  void operator()(Refused& refused) const {
    if (link.handler != nullptr) link.handler->refused(refused.method, refused.status);
  }
};

InboxOptions back_options(const std::shared_ptr<Link>& link, telemetry::Metrics* metrics) {
  InboxOptions options;
  options.rush_at = kRush;
  options.held = [link] { return link->is_full(); };
  if (metrics != nullptr) {
    options.found = &metrics->gauge("keelway_http_waiting_requests",
                                    "Requests and news of connections that the API server's last "
                                    "turn found waiting.");
  }
  return options;
}

}  // namespace

struct HandOver::Lines {
  std::shared_ptr<Link> link;
  std::shared_ptr<Front> front;
  std::shared_ptr<Back> back;
};

HandOver::HandOver(runtime::Executor& front, runtime::Executor& back, Handler& handler,
                   std::shared_ptr<telemetry::Metrics> metrics)
    : handler_(handler), metrics_(std::move(metrics)), lines_(std::make_unique<Lines>()) {
  const auto link = lines_->link = std::make_shared<Link>(handler);
  lines_->front = std::make_shared<Front>(front, [link](ToFront& message) {
    const ExchangePtr exchange = std::move(message.exchange);
    std::visit(Doing{exchange, *link}, message.word);
  });
  lines_->back = std::make_shared<Back>(
      back, [link](ToBack& message) { std::visit(Hearing{*link}, message); },
      back_options(link, metrics_.get()));
  link->back = lines_->back;
}

HandOver::~HandOver() {
  lines_->back->close();
  lines_->front->close();
}

void HandOver::close() {
  Link& link = *lines_->link;
  link.handler = nullptr;
  while (!link.tellable.empty()) {
    const auto first = link.tellable.begin();
    const RemotePtr exchange = first->second->weak_from_this().lock();
    link.tellable.erase(first);
    if (exchange) exchange->gone();
  }
}

void HandOver::handle(Request request, std::shared_ptr<Exchange> exchange) {
  Exchange& near = *exchange;
  near.underway(true);
  auto remote = std::make_shared<RemoteExchange>(lines_->front, lines_->link, std::move(request),
                                                 std::move(exchange));
  near.on_gone([weak = std::weak_ptr(remote)] { RemoteExchange::leave(weak.lock()); });
  lines_->back->push(Arrived{std::move(remote)});
}

Response HandOver::refusal(const Request& request, int status, std::string_view why) {
  return handler_.refusal(request, status, why);
}

void HandOver::refused(std::string_view method, int status) {
  lines_->back->push(Refused{std::string(method.substr(0, kMethodMax)), status});
}

}  // namespace keelway::http
