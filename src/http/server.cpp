#include "http/server.h"

#include <map>

#include "http/connection.h"
#include "wire/http2.h"

namespace keelway::http {
namespace {

constexpr base::Duration kSweepPeriod = std::chrono::seconds(5);
constexpr base::Duration kDrainCheck = std::chrono::milliseconds(10);

// One accepted stream and the connection that it turns out to be.
struct Entry {
  std::unique_ptr<runtime::Stream> stream;
  std::string first;  // of a plain stream, until its protocol is known
  runtime::TimerId timer = 0;
  std::unique_ptr<Connection> connection;  // destroyed before its stream
};

class ServerCore : public ConnectionHost {
 public:
  ServerCore(runtime::Executor& executor, Limits limits, Handler& handler)
      : executor_(executor), limits_(with_budget(std::move(limits))), handler_(handler) {}
  ~ServerCore() override {
    alive_.reset();
    executor_.cancel(sweep_timer_);
    for (auto& [id, entry] : entries_) executor_.cancel(entry.timer);
  }

  base::Result<void> open(runtime::Runtime& runtime, runtime::ListenOptions options) {
    options.connections_max = limits_.connections_max;
    options.connections_per_source_max = limits_.connections_per_source_max;
    options.handshakes_max = limits_.handshakes_max;
    options.handshake_timeout = limits_.handshake_timeout;
    auto listener = runtime.network().listen(
        executor_, std::move(options),
        [this](std::unique_ptr<runtime::Stream> stream) { accept(std::move(stream)); });
    if (!listener) return std::unexpected(listener.error());
    listener_ = std::move(*listener);
    port_ = listener_->port();
    return {};
  }

  std::uint16_t port() const { return port_; }

  void drain(std::move_only_function<void()> done) {
    drained_ = std::move(done);
    if (drain_is_over_) return tell_drained();
    if (!std::exchange(draining_, true)) begin_draining();
    tell_drained();
  }

  runtime::Executor& executor() override { return executor_; }
  const Limits& limits() const override { return limits_; }
  Handler& handler() override { return handler_; }
  bool draining() const override { return draining_; }
  const std::string& date() override {
    const std::int64_t second = executor_.wall_now().seconds();
    if (second != date_second_ || date_.empty()) {
      date_second_ = second;
      date_ = format_http_date(executor_.wall_now());
    }
    return date_;
  }
  const std::shared_ptr<Budget>& budget() const override { return limits_.budget; }
  void refused(int status) override {
    if (!limits_.metrics) return;
    limits_.metrics
        ->counter("keelway_http_refused_total", "Requests that HTTP itself refused.",
                  {{"code", std::to_string(status)}})
        .add();
  }
  void ended(Ending why) override {
    if (!limits_.metrics) return;
    limits_.metrics
        ->counter("keelway_http_ended_total", "Streams and connections that the server ended.",
                  {{"reason", why == Ending::stalled ? "stalled" : "misused"}})
        .add();
  }
  bool full() const override {
    return exchanges_ >= static_cast<std::size_t>(limits_.exchanges_max);
  }
  void exchange_opened() override { ++exchanges_; }
  void exchange_closed() override {
    --exchanges_;
    tell_drained();
  }
  void forget(std::uint64_t id) override {
    executor_.post([this, id, weak = std::weak_ptr(alive_)] {
      if (!weak.expired()) entries_.erase(id);
    });
  }

 private:
  static Limits with_budget(Limits limits) {
    if (!limits.budget) limits.budget = std::make_shared<Budget>(Budget::Bounds{});
    return limits;
  }

  void begin_draining() {
    listener_.reset();
    for (auto& [id, entry] : entries_) {
      if (entry.connection) entry.connection->drain();
    }
    executor_.after(limits_.drain_timeout, [this, weak = std::weak_ptr(alive_)] {
      if (weak.expired()) return;
      drain_is_over_ = true;
      if (drained_) std::exchange(drained_, nullptr)();
    });
  }

  void accept(std::unique_ptr<runtime::Stream> stream) {
    const std::uint64_t id = ++last_id_;
    Entry& entry = entries_[id];
    entry.stream = std::move(stream);
    const auto* tls = entry.stream->tls();
    if (tls != nullptr && tls->alpn == "h2") {
      entry.connection = make_http2_connection(*this, id, *entry.stream);
    } else if (tls != nullptr) {
      entry.connection = make_http1_connection(*this, id, *entry.stream);
    } else {
      entry.timer = executor_.after(limits_.header_timeout, [this, id] { entries_.erase(id); });
    }
    entry.stream->start({[this, id](std::string_view bytes) { take(id, bytes); },
                         [this, id] { with_connection(id, &Connection::drained); },
                         [this, id](std::optional<base::Error>) { closed(id); }});
    if (draining_ && entry.connection) entry.connection->drain();
    schedule_sweep();
  }

  // Runs while there are connections.
  void schedule_sweep() {
    if (sweep_timer_ != 0 || entries_.empty()) return;
    sweep_timer_ = executor_.after(std::min(kSweepPeriod, limits_.stall_timeout), [this] {
      sweep_timer_ = 0;
      sweep();
    });
  }

  void sweep() {
    const auto period = std::min(kSweepPeriod, limits_.stall_timeout);
    const auto intervals = static_cast<int>(limits_.stall_timeout / period);
    show();
    const int stall = limits_.budget->answers_full() ? 1 : std::max(1, intervals);
    for (auto& [id, entry] : entries_) {
      if (entry.connection) entry.connection->sweep(stall);
    }
    schedule_sweep();
  }

  void show() {
    if (!limits_.metrics) return;
    telemetry::Metrics& all = *limits_.metrics;
    all.gauge("keelway_http_connections", "Open connections.")
        .set(static_cast<double>(entries_.size()));
    all.gauge("keelway_http_request_bytes", "Held by requests, in all servers of the process.")
        .set(static_cast<double>(limits_.budget->request_bytes()));
    all.gauge("keelway_http_answer_bytes", "Of unsent answers, in all servers of the process.")
        .set(static_cast<double>(limits_.budget->answer_bytes()));
    if (listener_) show_listener(listener_->facts());
  }

  void show_listener(const runtime::ListenerFacts& facts) {
    telemetry::Metrics& all = *limits_.metrics;
    all.gauge("keelway_http_handshakes", "Connections that have not finished their TLS handshake.")
        .set(static_cast<double>(facts.handshakes));
    const auto turned_away = [&all](const char* reason, std::uint64_t now, std::uint64_t before) {
      all.counter("keelway_http_turned_away_total", "Connections closed before any request.",
                  {{"reason", reason}})
          .add(static_cast<double>(now - before));
    };
    turned_away("handshakes", facts.handshakes_dropped, shown_.handshakes_dropped);
    turned_away("source", facts.sources_refused, shown_.sources_refused);
    shown_ = facts;
  }

  void take(std::uint64_t id, std::string_view bytes) {
    const auto found = entries_.find(id);
    if (found == entries_.end()) return;
    Entry& entry = found->second;
    if (entry.connection) return entry.connection->take(bytes);
    entry.first += bytes;
    const auto common = std::min(entry.first.size(), wire::http2::client_preface.size());
    const bool may_be_http2 =
        entry.first.compare(0, common, wire::http2::client_preface.substr(0, common)) == 0;
    if (may_be_http2 && common < wire::http2::client_preface.size()) return;
    executor_.cancel(std::exchange(entry.timer, 0));
    entry.connection = may_be_http2 ? make_http2_connection(*this, id, *entry.stream)
                                    : make_http1_connection(*this, id, *entry.stream);
    entry.connection->take(std::exchange(entry.first, {}));
  }

  void with_connection(std::uint64_t id, void (Connection::*call)()) {
    const auto found = entries_.find(id);
    if (found != entries_.end() && found->second.connection) {
      (found->second.connection.get()->*call)();
    }
  }

  void closed(std::uint64_t id) {
    const auto found = entries_.find(id);
    if (found == entries_.end()) return;
    executor_.cancel(std::exchange(found->second.timer, 0));
    if (found->second.connection) {
      found->second.connection->closed();
    } else {
      forget(id);
    }
  }

  void tell_drained() {
    if (!draining_ || !drained_ || (exchanges_ > 0 && !drain_is_over_)) return;
    executor_.post([this, weak = std::weak_ptr(alive_)] {
      if (!weak.expired()) check_drained();
    });
  }

  // The last answers are with the kernel, or their readers are too slow.
  void check_drained() {
    if (!drained_ || (exchanges_ > 0 && !drain_is_over_)) return;
    bool pending = false;
    for (const auto& [id, entry] : entries_) {
      pending |=
          entry.stream->pending_bytes() > 0 || (entry.connection && entry.connection->has_unsent());
    }
    if (!pending || drain_is_over_) return std::exchange(drained_, nullptr)();
    executor_.after(kDrainCheck, [this, weak = std::weak_ptr(alive_)] {
      if (!weak.expired()) check_drained();
    });
  }

  runtime::Executor& executor_;
  const Limits limits_;
  Handler& handler_;
  std::unique_ptr<runtime::Listener> listener_;
  std::uint16_t port_ = 0;
  runtime::ListenerFacts shown_;
  bool draining_ = false;
  bool drain_is_over_ = false;    // whoever is not answered by now will not be
  std::int64_t date_second_ = 0;  // that `date_` says
  std::string date_;
  std::size_t exchanges_ = 0;
  std::move_only_function<void()> drained_;
  std::uint64_t last_id_ = 0;
  runtime::TimerId sweep_timer_ = 0;
  std::map<std::uint64_t, Entry> entries_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

class RunningServer : public Server {
 public:
  explicit RunningServer(std::unique_ptr<ServerCore> core) : core_(std::move(core)) {}
  std::uint16_t port() const override { return core_->port(); }
  void drain(std::move_only_function<void()> done) override { core_->drain(std::move(done)); }

 private:
  const std::unique_ptr<ServerCore> core_;
};

}  // namespace

base::Result<std::unique_ptr<Server>> serve(runtime::Runtime& runtime, runtime::Executor& executor,
                                            runtime::ListenOptions listen, Limits limits,
                                            Handler& handler) {
  auto core = std::make_unique<ServerCore>(executor, std::move(limits), handler);
  if (auto opened = core->open(runtime, std::move(listen)); !opened) {
    return std::unexpected(opened.error());
  }
  return std::make_unique<RunningServer>(std::move(core));
}

}  // namespace keelway::http
