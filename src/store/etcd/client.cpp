#include "store/etcd/client.h"

#include <algorithm>

#include "store/etcd/messages.h"

namespace keelway::store::etcd {
namespace {

constexpr base::Duration retry_min = std::chrono::milliseconds(50);
constexpr base::Duration retry_max = std::chrono::seconds(1);

bool says(const CallEnd& end, std::string_view words) {
  return end.message.find(words) != std::string::npos;
}

bool passing(const CallEnd& end) {
  return end.code == GrpcCode::unavailable || end.code == GrpcCode::deadline_exceeded;
}

// Refused before anything else was done: the token ran out, or, where tokens are signed, users or
// roles have changed since. Of the last etcd has two wordings.
bool log_in_ended(const CallEnd& end) {
  if (end.code == GrpcCode::unauthenticated) return says(end, "invalid auth token");
  return says(end, "revision of auth store is old") || says(end, "auth: revision in header is old");
}

base::ErrorCode code_of(const CallEnd& end) {
  using base::ErrorCode;
  switch (end.code) {
    case GrpcCode::resource_exhausted:
      // A message that is too large stays so; a full or busy etcd is a matter of time.
      return (says(end, "larger than max") || says(end, "too long")) ? ErrorCode::exhausted
                                                                     : ErrorCode::unavailable;
    case GrpcCode::invalid_argument:
      // The object's fault is its size, which callers tell apart.
      return says(end, "too large") ? ErrorCode::exhausted : ErrorCode::invalid;
    case GrpcCode::out_of_range:
      return says(end, "compacted") ? ErrorCode::expired : ErrorCode::invalid;
    case GrpcCode::not_found:
      return ErrorCode::not_found;
    case GrpcCode::permission_denied:
    case GrpcCode::unauthenticated:
      return ErrorCode::unauthorized;
    default:
      return ErrorCode::unavailable;
  }
}

}  // namespace

base::Error error_of(const CallEnd& end, Repeat repeat) {
  base::Error error{code_of(end), "etcd: " + end.message};
  if (says(end, "space exceeded")) {
    error.message +=
        "; compact and defragment it, or raise --quota-backend-bytes, then `etcdctl "
        "alarm disarm`";
  }
  const bool known =
      end.untouched || repeat == Repeat::freely || end.code == GrpcCode::resource_exhausted;
  if (error.code == base::ErrorCode::unavailable && !known) {
    error.message = "whether the write happened is not known (" + error.message +
                    "); read before you try again";
  }
  return error;
}

void Client::start(StreamOwner owner) {
  owner_ = std::move(owner);
  // Servers of one installation spread over the members.
  next_member_ = executor_.random().below(options_.members.size());
  connect();
}

void Client::stop() {
  stopped_ = true;
  for (runtime::TimerId* timer : {&retry_timer_, &life_timer_}) {
    if (*timer != 0) executor_.cancel(std::exchange(*timer, 0));
  }
  waiting_.clear();
  connection_.reset();
}

void Client::connect() {
  if (stopped_ || connecting_ || connection_) return;
  connecting_ = true;
  const runtime::Address& member = options_.members[next_member_];
  std::optional<runtime::TlsClient> tls = options_.tls;
  if (tls) {
    tls->alpn = {"h2"};
    if (tls->server_name.empty()) tls->server_name = member.host;
  }
  std::string authority = member.host + ":" + std::to_string(member.port);
  auto done = [weak = weak_from_this(),
               authority](base::Result<std::unique_ptr<runtime::Stream>> stream) mutable {
    if (const auto self = weak.lock()) self->connected(std::move(stream), std::move(authority));
  };
  runtime_.network().connect(executor_, member, std::move(tls), options_.connect_timeout,
                             std::move(done));
}

void Client::connected(base::Result<std::unique_ptr<runtime::Stream>> stream,
                       std::string authority) {
  connecting_ = false;
  if (stopped_) return;
  if (!stream) {
    trouble_ = authority + ": " + stream.error().message;
    return connect_later();
  }
  auto closed = [weak = weak_from_this(), authority](const std::string& why) {
    if (const auto self = weak.lock()) self->lost(authority + ": " + why);
  };
  connection_ =
      std::make_unique<Connection>(executor_, std::move(*stream), authority, std::move(closed));
  connected_at_ = executor_.now();
  watch_over();
  if (options_.user.empty()) return ready();
  log_in();
}

void Client::log_in() {
  Call call;
  call.path = method::authenticate;
  call.message = encode_authenticate(options_.user, options_.password);
  call.timeout = options_.connect_timeout;
  CallEvents events;
  events.on_message = [weak = weak_from_this()](std::string_view message) {
    const auto self = weak.lock();
    const auto token = decode_authenticate(message);
    if (self && token) self->token_ = *token;
  };
  events.on_end = [weak = weak_from_this()](const CallEnd& end) {
    const auto self = weak.lock();
    if (!self || self->stopped_) return;
    if (end.code == GrpcCode::ok) return self->ready();
    self->leave_member("log-in refused: " + end.message);
  };
  if (connection_->call(std::move(call), std::move(events)) == 0) leave_member("it takes no call");
}

void Client::ready() {
  load_->connected = ready_ = true;
  const auto self = shared_from_this();  // a callback may let go of it
  if (owner_.on_connected) owner_.on_connected();
  submit();
}

// Nothing heard: ask; still nothing: the member or the way to it is gone. Until it has let us in,
// all that counts is that it does.
void Client::watch_over() {
  if (life_timer_ != 0) executor_.cancel(life_timer_);
  life_timer_ = executor_.after(options_.silent_max / 4, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->life_timer_ = 0;
    if (!self->connection_) return;
    const base::Instant since = self->ready_ ? self->connection_->heard_at() : self->connected_at_;
    const base::Duration quiet = self->executor_.now() - since;
    if (self->ready_) self->failures_ = 0;
    if (quiet >= self->options_.silent_max) return self->leave_member("it is silent");
    self->watch_over();
    if (!self->ready_ || quiet < self->options_.silent_max / 2) return;
    if (self->owner_.on_quiet) self->owner_.on_quiet();
  });
}

void Client::leave_member(const std::string& why) {
  if (connection_) connection_->close(why);
}

void Client::lost(const std::string& why) {
  if (stopped_) return;
  trouble_ = why;
  load_->connected = ready_ = false;
  ++load_->connections_lost;
  if (connection_) executor_.post([gone = std::move(connection_)] {});
  connect_later();
}

void Client::connect_later() {
  next_member_ = (next_member_ + 1) % options_.members.size();
  ++failures_;
  if (retry_timer_ != 0) return;
  // The other members are asked at once; then it waits longer from round to round.
  base::Duration wait = std::chrono::milliseconds(1);
  if (failures_ >= options_.members.size()) {
    const auto rounds = std::min<std::size_t>(failures_ / options_.members.size(), 5);
    wait = std::min<base::Duration>(retry_max, retry_min * (1 << (rounds - 1)));
    wait += base::Duration(static_cast<std::int64_t>(
        executor_.random().below(static_cast<std::uint64_t>(wait.count()))));
  }
  retry_timer_ = executor_.after(wait, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->retry_timer_ = 0;
    self->connect();
  });
}

void Client::call(std::string_view path, std::string message, Repeat repeat, Done done) {
  if (stopped_) return;
  const std::size_t pending = load_->waiting_bytes;
  if (pending + message.size() > options_.pending_bytes_max) {
    ++load_->refused;
    done(base::fail(base::ErrorCode::unavailable,
                    std::to_string(pending >> 20) + " MiB wait for etcd; try again later"));
    return;
  }
  auto job = std::make_shared<Job>();
  job->path = path;
  job->message = std::move(message);
  job->repeat = repeat;
  job->done = std::move(done);
  job->deadline = executor_.now() + options_.call_timeout;
  job->timer = executor_.after(options_.call_timeout, [weak = weak_from_this(), job] {
    if (const auto self = weak.lock()) self->too_late(job);
  });
  load_->waiting_bytes += job->message.size();
  ++load_->waiting_calls;
  waiting_.push_back(job);
  submit();
}

void Client::submit() {
  while (ready_ && connection_ && !waiting_.empty() && connection_->calls_left() > 0) {
    const JobPtr job = waiting_.front();
    waiting_.pop_front();
    begin(job);
  }
}

void Client::begin(const JobPtr& job) {
  Call call;
  call.path = job->path;
  call.token = token_;
  call.timeout = job->deadline - executor_.now();
  call.message = job->message;
  job->answer.clear();
  CallEvents events;
  events.on_message = [job](std::string_view message) { job->answer = message; };
  events.on_end = [weak = weak_from_this(), job](const CallEnd& end) {
    if (const auto self = weak.lock(); self && !self->stopped_) self->finish(job, end);
  };
  job->call = connection_->call(std::move(call), std::move(events));
  if (job->call == 0) waiting_.push_front(job);
}

void Client::finish(const JobPtr& job, const CallEnd& end) {
  job->call = 0;
  if (end.code == GrpcCode::ok) {
    failures_ = 0;
    settle(job, std::move(job->answer));
    return submit();
  }
  if (log_in_ended(end)) {
    job->trouble = end.message;
    try_again(job, true);
    return leave_member("the log-in ended");
  }
  if (end.untouched || (job->repeat == Repeat::freely && passing(end))) {
    job->trouble = end.message;
    return try_again(job, connection_ == nullptr || connection_->calls_left() == 0);
  }
  settle(job, std::unexpected(error_of(end, job->repeat)));
}

void Client::try_again(const JobPtr& job, bool soon) {
  if (soon) {
    waiting_.push_back(job);
    return;  // the next connection takes it
  }
  executor_.after(retry_min, [weak = weak_from_this(), job] {
    const auto self = weak.lock();
    if (!self || self->stopped_ || !job->done) return;
    self->waiting_.push_back(job);
    self->submit();
  });
}

void Client::too_late(const JobPtr& job) {
  if (stopped_ || !job->done) return;
  job->timer = 0;
  CallEnd end;
  end.code = GrpcCode::unavailable;
  if (job->call != 0) {
    end.message = "no answer in time";
    if (connection_) connection_->cancel(job->call);
  } else {
    std::erase(waiting_, job);
    end.untouched = true;
    end.message = "no member can be reached: " + (job->trouble.empty() ? trouble_ : job->trouble);
  }
  settle(job, std::unexpected(error_of(end, job->repeat)));
}

void Client::settle(const JobPtr& job, base::Result<std::string> result) {
  if (!job->done) return;
  if (job->timer != 0) executor_.cancel(std::exchange(job->timer, 0));
  load_->waiting_bytes -= job->message.size();
  --load_->waiting_calls;
  std::exchange(job->done, nullptr)(std::move(result));
}

CallId Client::open_stream(std::string_view path, std::string message, CallEvents events) {
  if (!ready_ || !connection_) return 0;
  return connection_->call({path, token_, {}, std::move(message), true}, std::move(events));
}

void Client::send(CallId stream, std::string_view message) {
  if (connection_) connection_->send(stream, message);
}

}  // namespace keelway::store::etcd
