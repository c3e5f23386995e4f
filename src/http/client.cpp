#include "http/client.h"

#include <deque>
#include <map>

#include "base/host.h"
#include "http/client_connection.h"

namespace keelway::http {
namespace {

constexpr std::size_t kConnectionsMax = 16;  // HTTP/1.1; HTTP/2 needs one
constexpr std::size_t kWaitingMax = 10'000;
constexpr std::size_t kBodyMax = 256u << 20;  // of a collected answer
constexpr base::Duration kConnectTimeout = std::chrono::seconds(10);

class ClientCore : public ClientHost, public std::enable_shared_from_this<ClientCore> {
 public:
  ClientCore(runtime::Runtime& runtime, runtime::Executor& executor, runtime::Address origin,
             std::optional<runtime::TlsClient> tls)
      : runtime_(runtime), executor_(executor), origin_(std::move(origin)), tls_(std::move(tls)) {
    if (tls_ && tls_->alpn.empty()) tls_->alpn = {"h2", "http/1.1"};
  }

  std::uint64_t submit(ClientRequest request, ResponseEvents events, bool streamed) {
    auto job = std::make_shared<Job>();
    job->id = ++last_id_;
    job->request = std::move(request);
    job->events = std::move(events);
    job->streamed = streamed;
    jobs_.emplace(job->id, job);
    if (waiting_.size() >= kWaitingMax) {
      on_end(job,
             base::Error{base::ErrorCode::exhausted, "too many requests wait for " + origin_.host});
      return job->id;
    }
    job->timer = executor_.after(job->request.timeout, [this, weak = std::weak_ptr(job)] {
      const auto late = weak.lock();
      if (!late) return;
      late->timer = 0;
      abandon(late);
      on_end(late,
             base::Error{base::ErrorCode::unavailable, late->request.method + " " + origin_.host +
                                                           late->request.target + ": timed out"});
    });
    waiting_.push_back(job);
    on_ready();
    return job->id;
  }

  void cancel(std::uint64_t id) {
    const auto found = jobs_.find(id);
    if (found == jobs_.end()) {
      // Its end may be posted already.
      if (const auto ending = ending_.find(id); ending != ending_.end()) {
        if (const auto job = ending->second.lock()) job->cancelled = true;
        ending_.erase(ending);
      }
      return;
    }
    const auto job = found->second;
    job->cancelled = true;
    abandon(job);
    if (job->timer != 0) executor_.cancel(std::exchange(job->timer, 0));
    jobs_.erase(id);
  }

  void close() {
    closed_ = true;
    for (auto& [id, job] : jobs_) {
      job->cancelled = true;
      if (job->timer != 0) executor_.cancel(std::exchange(job->timer, 0));
    }
    for (auto& [id, weak] : ending_) {
      if (const auto job = weak.lock()) job->cancelled = true;
    }
    jobs_.clear();
    waiting_.clear();
    entries_.clear();
  }

  runtime::Executor& executor() override { return executor_; }
  bool secure() const override { return tls_.has_value(); }
  std::string authority() const override {
    const std::string& name = tls_ && !tls_->server_name.empty() ? tls_->server_name : origin_.host;
    return origin_.port == (tls_ ? 443 : 80) ? base::with_brackets(name)
                                             : base::host_and_port(name, origin_.port);
  }

  void on_head(const JobPtr& job, int status, std::vector<Header> headers) override {
    if (job->streamed && job->timer != 0) executor_.cancel(std::exchange(job->timer, 0));
    executor_.post([job, status, headers = std::move(headers)] {
      if (!job->cancelled && job->events.on_head) job->events.on_head(status, headers);
    });
  }

  void on_data(const JobPtr& job, std::string bytes) override {
    executor_.post([job, bytes = std::move(bytes)] {
      if (!job->cancelled && job->events.on_data) job->events.on_data(bytes);
    });
  }

  void on_end(const JobPtr& job, std::optional<base::Error> error) override {
    if (job->timer != 0) executor_.cancel(std::exchange(job->timer, 0));
    if (jobs_.erase(job->id) == 0) return;
    ending_.emplace(job->id, job);
    executor_.post([job, error = std::move(error), weak = weak_from_this()]() mutable {
      if (const auto self = weak.lock()) self->ending_.erase(job->id);
      if (!job->cancelled && job->events.on_end) job->events.on_end(std::move(error));
    });
  }

  void on_unsent(const JobPtr& job) override {
    if (job->cancelled || !jobs_.contains(job->id)) return;
    if (job->retried) {
      return on_end(job, base::Error{base::ErrorCode::unavailable,
                                     origin_.host + " did not take the request"});
    }
    job->retried = true;
    job->connection = 0;
    waiting_.push_front(job);
    on_ready();
  }

  void on_ready() override {
    if (pump_queued_ || waiting_.empty()) return;
    pump_queued_ = true;
    executor_.post([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->pump();
    });
  }

  void forget(std::uint64_t connection) override {
    executor_.post([weak = weak_from_this(), connection] {
      const auto self = weak.lock();
      if (!self) return;
      self->entries_.erase(connection);
      self->on_ready();
    });
  }

 private:
  struct Entry {
    std::unique_ptr<runtime::Stream> stream;
    std::unique_ptr<ClientConnection> connection;  // destroyed before its stream
  };

  void pump() {
    pump_queued_ = false;
    if (closed_) return;
    for (auto& [id, entry] : entries_) {
      while (!waiting_.empty() && entry.connection->ready()) {
        const auto job = std::move(waiting_.front());
        waiting_.pop_front();
        if (job->cancelled || !jobs_.contains(job->id)) continue;
        job->connection = id;
        entry.connection->begin(job);
      }
    }
    std::erase_if(waiting_, [](const JobPtr& job) { return job->cancelled; });
    // The first connection shows whether HTTP/2 makes more of them needless.
    const std::size_t wanted = protocol_known_ ? (multiplexed_ ? 1 : kConnectionsMax) : 1;
    while (connecting_ < waiting_.size() && entries_.size() + connecting_ < wanted) connect();
  }

  void connect() {
    ++connecting_;
    runtime_.network().connect(executor_, origin_, tls_, kConnectTimeout,
                               [weak = weak_from_this()](auto stream) {
                                 if (const auto self = weak.lock()) {
                                   self->connected(std::move(stream));
                                 }
                               });
  }

  void connected(base::Result<std::unique_ptr<runtime::Stream>> stream) {
    --connecting_;
    if (closed_) return;
    if (!stream) {
      if (!entries_.empty()) return;  // those that wait have somebody to wait for
      for (const auto& job : std::exchange(waiting_, {})) on_end(job, stream.error());
      return;
    }
    const std::uint64_t id = ++last_connection_;
    Entry& entry = entries_[id];
    entry.stream = std::move(*stream);
    multiplexed_ = entry.stream->tls() != nullptr && entry.stream->tls()->alpn == "h2";
    protocol_known_ = true;
    entry.connection = multiplexed_ ? make_http2_client(*this, id, *entry.stream)
                                    : make_http1_client(*this, id, *entry.stream);
    entry.stream->start({[this, id](std::string_view bytes) {
                           if (auto* c = find(id)) c->take(bytes);
                         },
                         [this, id] {
                           if (auto* c = find(id)) c->drained();
                         },
                         [this, id](std::optional<base::Error> error) {
                           if (auto* c = find(id)) c->closed(std::move(error));
                         }});
    on_ready();
  }

  ClientConnection* find(std::uint64_t id) {
    const auto found = entries_.find(id);
    return found == entries_.end() ? nullptr : found->second.connection.get();
  }

  void abandon(const JobPtr& job) {
    if (job->connection != 0) {
      if (auto* connection = find(job->connection)) connection->cancel(job);
    } else {
      std::erase(waiting_, job);
    }
  }

  runtime::Runtime& runtime_;
  runtime::Executor& executor_;
  const runtime::Address origin_;
  std::optional<runtime::TlsClient> tls_;
  std::uint64_t last_id_ = 0, last_connection_ = 0;
  std::map<std::uint64_t, JobPtr> jobs_;                // not ended
  std::map<std::uint64_t, std::weak_ptr<Job>> ending_;  // their end is posted
  std::deque<JobPtr> waiting_;
  std::map<std::uint64_t, Entry> entries_;
  std::size_t connecting_ = 0;
  bool protocol_known_ = false, multiplexed_ = false;
  bool pump_queued_ = false;
  bool closed_ = false;
};

class Pending : public PendingRequest {
 public:
  Pending(std::weak_ptr<ClientCore> core, std::uint64_t id) : core_(std::move(core)), id_(id) {}
  ~Pending() override {
    if (const auto core = core_.lock()) core->cancel(id_);
  }

 private:
  const std::weak_ptr<ClientCore> core_;
  const std::uint64_t id_;
};

// Puts an answer together for who wants it whole.
struct Collector {
  Response response;
  bool too_large = false;
  std::move_only_function<void(base::Result<Response>)> done;

  void end(std::optional<base::Error> error) {
    if (too_large) {
      done(base::fail(base::ErrorCode::exhausted, "the answer is larger than 256 MiB"));
    } else if (error) {
      done(std::unexpected(std::move(*error)));
    } else {
      done(std::move(response));
    }
  }
};

class PooledClient : public Client {
 public:
  explicit PooledClient(std::shared_ptr<ClientCore> core) : core_(std::move(core)) {}
  ~PooledClient() override { core_->close(); }

  void request(ClientRequest request,
               std::move_only_function<void(base::Result<Response>)> done) override {
    auto collector = std::make_shared<Collector>();
    collector->done = std::move(done);
    ResponseEvents events;
    events.on_head = [collector](int status, const std::vector<Header>& headers) {
      collector->response.status = status;
      collector->response.headers = headers;
    };
    events.on_data = [collector](std::string_view bytes) {
      auto& body = collector->response.body;
      collector->too_large |= body.size() + bytes.size() > kBodyMax;
      if (!collector->too_large) body += bytes;
    };
    events.on_end = [collector](std::optional<base::Error> error) {
      collector->end(std::move(error));
    };
    core_->submit(std::move(request), std::move(events), false);
  }

  std::unique_ptr<PendingRequest> stream(ClientRequest request, ResponseEvents events) override {
    return std::make_unique<Pending>(core_,
                                     core_->submit(std::move(request), std::move(events), true));
  }

 private:
  const std::shared_ptr<ClientCore> core_;
};

}  // namespace

std::unique_ptr<Client> make_client(runtime::Runtime& runtime, runtime::Executor& executor,
                                    runtime::Address origin,
                                    std::optional<runtime::TlsClient> tls) {
  return std::make_unique<PooledClient>(
      std::make_shared<ClientCore>(runtime, executor, std::move(origin), std::move(tls)));
}

}  // namespace keelway::http
