#include "runtime/linux/stream.h"

#include <openssl/err.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace keelway::runtime {
namespace {

constexpr int kReadsPerTurn = 4;
constexpr std::size_t kMergeBytes = 16u << 10;  // one TLS record
constexpr std::size_t kGatheredBytes = 64u << 10;
constexpr unsigned char kTlsHandshakeRecord = 0x16;
// How long a finished stream waits for the peer's own end, so that its last bytes are not lost in
// a reset.
constexpr base::Duration kLingerTimeout = std::chrono::seconds(2);

base::Error broken(std::string what) {
  return {base::ErrorCode::unavailable, "connection: " + std::move(what)};
}

base::Error broken_errno(const char* what, int error) {
  return broken(std::string(what) + ": " + std::strerror(error));
}

}  // namespace

StreamCore::StreamCore(std::shared_ptr<ExecutorCore> executor, int fd, Address peer)
    : executor_(std::move(executor)), peer_(std::move(peer)), fd_(fd) {}

StreamCore::~StreamCore() {
  release_socket();
}

void StreamCore::open(Opening opening, base::Duration timeout, Opened opened) {
  opening_ = std::move(opening);
  opened_ = std::move(opened);
  can_read_ = can_write_ = opening_.step != Opening::Step::connecting;
  token_ = executor_->thread().watch(fd_, weak_from_this());
  deadline_ = executor_->after(timeout, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->deadline_ = 0;
    self->opened(base::fail(base::ErrorCode::unavailable,
                            "connection with " + self->peer_.host + ": timed out while opening"));
  });
  schedule_pump();
}

void StreamCore::on_ready(std::uint32_t events) {
  ready_.fetch_or(events);
  schedule_pump();
}

void StreamCore::schedule_pump() {
  if (pump_queued_.exchange(true)) return;
  executor_->post([self = shared_from_this()] { self->pump(); });
}

void StreamCore::pump() {
  pump_queued_ = false;
  if (fd_ < 0) return;
  const std::uint32_t ready = ready_.exchange(0);
  const bool broken = (ready & (EPOLLERR | EPOLLHUP)) != 0;
  if ((ready & (EPOLLIN | EPOLLRDHUP)) != 0 || broken) can_read_ = true;
  if ((ready & EPOLLOUT) != 0 || broken) can_write_ = true;
  if (pipe_ && (ready & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP)) != 0) {
    pipe_->readable((ready & (EPOLLRDHUP | EPOLLERR | EPOLLHUP)) != 0);
  }
  // TLS may wait for the one direction to go on in the other.
  if (ssl_ && ready != 0) can_read_ = can_write_ = true;
  const auto keep = shared_from_this();
  if (opened_) {
    pump_opening();
    return;
  }
  if (!started_) return;
  flush();
  pumping_ = true;
  if (fd_ >= 0) read_some();
  pumping_ = false;
  // What the reader answered; and reading may make OpenSSL write: a new key, an alert.
  if (fd_ >= 0 && pending_bytes() > 0) flush();
}

void StreamCore::pump_opening() {
  while (opening_.step != Opening::Step::none) {
    switch (advance_opening()) {
      case Step::done:
        break;
      case Step::wait:
        return;
      case Step::failed:
        opened(base::fail(base::ErrorCode::unavailable,
                          "connection with " + peer_.host + " failed: " +
                              (errno != 0 ? std::strerror(errno) : take_tls_errors())));
        return;
    }
  }
  opened({});
}

StreamCore::Step StreamCore::advance_opening() {
  switch (opening_.step) {
    case Opening::Step::connecting:
      return take_connect_result();
    case Opening::Step::peeking:
      return peek();
    case Opening::Step::handshaking:
      return handshake();
    case Opening::Step::none:
      break;
  }
  return Step::done;
}

StreamCore::Step StreamCore::take_connect_result() {
  if (!can_write_) return Step::wait;
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
  errno = error;
  if (error != 0) return Step::failed;
  // An event before the connection stands says nothing yet.
  sockaddr_storage address{};
  socklen_t address_size = sizeof address;
  if (getpeername(fd_, reinterpret_cast<sockaddr*>(&address), &address_size) != 0) {
    can_write_ = false;
    return Step::wait;
  }
  opening_.step = opening_.tls ? Opening::Step::handshaking : Opening::Step::none;
  return Step::done;
}

StreamCore::Step StreamCore::peek() {
  unsigned char first = 0;
  const ssize_t got = recv(fd_, &first, 1, MSG_PEEK);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return Step::wait;
  if (got == 0) errno = ECONNRESET;
  if (got <= 0) return Step::failed;
  if (first != kTlsHandshakeRecord) opening_.tls.reset();
  opening_.step = opening_.tls ? Opening::Step::handshaking : Opening::Step::none;
  return Step::done;
}

StreamCore::Step StreamCore::handshake() {
  if (!ssl_) {
    pipe_ = std::make_unique<RecordPipe>(fd_);
    ssl_ = opening_.is_server ? opening_.tls->accept_session(*pipe_)
                              : opening_.tls->connect_session(*pipe_, opening_.server_name);
    errno = 0;
    if (!ssl_) return Step::failed;
  }
  ERR_clear_error();
  errno = 0;
  const int result = SSL_do_handshake(ssl_.get());
  const int why_not = errno;
  if (pipe_->send() == RecordPipe::Sent::failed) return Step::failed;
  errno = why_not;
  if (result == 1) {
    tls_peer_ = describe_peer(ssl_.get(), opening_.is_server);
    opening_.step = Opening::Step::none;
    can_read_ = can_write_ = true;
    return Step::done;
  }
  const int why = SSL_get_error(ssl_.get(), result);
  if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) return Step::wait;
  if (why != SSL_ERROR_SYSCALL) errno = 0;
  return Step::failed;
}

void StreamCore::opened(base::Result<void> result) {
  if (!opened_) return;
  stop_deadline();
  opening_.step = Opening::Step::none;
  auto callback = std::exchange(opened_, nullptr);
  const auto keep = shared_from_this();
  if (!result) release_socket();
  callback(std::move(result));
}

void StreamCore::start(StreamEvents events) {
  events_ = std::move(events);
  started_ = true;
  if (token_ == 0 && fd_ >= 0) token_ = executor_->thread().watch(fd_, weak_from_this());
  schedule_pump();
}

void StreamCore::write(std::string bytes) {
  if (bytes.empty() || fd_ < 0 || finishing_) return;
  pending_bytes_ += bytes.size();
  drained_due_ = true;
  out_.push_back(std::move(bytes));
  if (!pumping_) schedule_pump();
}

void StreamCore::set_paused(bool paused) {
  paused_ = paused;
  if (!paused) schedule_pump();
}

void StreamCore::finish() {
  if (finishing_ || fd_ < 0) return;
  finishing_ = true;
  schedule_pump();
}

void StreamCore::took(std::size_t bytes) {
  pending_bytes_ -= bytes;
  while (bytes > 0) {
    const std::size_t left = out_.front().size() - out_offset_;
    if (bytes < left) {
      out_offset_ += bytes;
      return;
    }
    bytes -= left;
    out_offset_ = 0;
    out_.pop_front();
  }
}

void StreamCore::flush() {
  while (!out_.empty() && can_write_) {
    if (!(ssl_ ? flush_tls() : flush_plain())) return;
  }
  if (pipe_ && can_write_ && !send_records()) return;
  if (out_.empty() && pending_bytes() == 0) after_flush();
}

// false: the stream broke.
bool StreamCore::flush_plain() {
  std::array<iovec, 16> parts;
  std::size_t count = 0;
  for (auto& chunk : out_) {
    if (count == parts.size()) break;
    const std::size_t skip = count == 0 ? out_offset_ : 0;
    parts[count++] = {chunk.data() + skip, chunk.size() - skip};
  }
  const ssize_t sent = writev(fd_, parts.data(), static_cast<int>(count));
  if (sent >= 0) {
    took(static_cast<std::size_t>(sent));
  } else if (errno == EAGAIN) {
    can_write_ = false;
  } else if (errno != EINTR) {
    closed(broken_errno("sending", errno));
    return false;
  }
  return true;
}

bool StreamCore::flush_tls() {
  // Small chunks share a record. A retried write may grow but never shrink or change.
  std::string front = std::move(out_.front());
  out_.pop_front();
  while (!out_.empty() && front.size() - out_offset_ + out_.front().size() <= kMergeBytes) {
    front += out_.front();
    out_.pop_front();
  }
  out_.push_front(std::move(front));
  ERR_clear_error();
  errno = 0;
  std::size_t sent = 0;
  const int result = SSL_write_ex(ssl_.get(), out_.front().data() + out_offset_,
                                  out_.front().size() - out_offset_, &sent);
  if (result == 1) {
    took(sent);
    // Several records leave in one piece, but not without a bound.
    return pipe_->pending() < kGatheredBytes || send_records();
  }
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_WRITE:
    case SSL_ERROR_WANT_READ:
      can_write_ = false;
      return true;
    default:
      closed(broken("sending over TLS: " + take_tls_errors()));
      return false;
  }
}

// false: the stream broke.
bool StreamCore::send_records() {
  switch (pipe_->send()) {
    case RecordPipe::Sent::all:
      return true;
    case RecordPipe::Sent::some:
      can_write_ = false;
      return true;
    case RecordPipe::Sent::failed:
      break;
  }
  closed(broken_errno("sending over TLS", errno));
  return false;
}

void StreamCore::after_flush() {
  if (std::exchange(drained_due_, false) && events_.on_drained && !dead_ && !finishing_) {
    ++dispatching_;
    events_.on_drained();
    --dispatching_;
  }
  if (fd_ < 0 || !out_.empty()) return;
  if (ended_) {
    closed(std::nullopt);
  } else if (finishing_ && !lingering_) {
    linger();
  }
}

void StreamCore::linger() {
  lingering_ = true;
  if (ssl_) {
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
    static_cast<void>(pipe_->send());  // as far as it goes: the end follows anyway
  }
  shutdown(fd_, SHUT_WR);
  deadline_ = executor_->after(kLingerTimeout, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->deadline_ = 0;
    self->closed(std::nullopt);
  });
}

// Bytes, 0 at the peer's end, -1 for "later", -2 where the stream broke (and was closed).
ssize_t StreamCore::receive(char* buffer, std::size_t size) {
  errno = 0;
  if (!ssl_ || lingering_) {
    const ssize_t got = recv(fd_, buffer, size, 0);
    if (got >= 0) return got;
    if (errno == EAGAIN || errno == EINTR) return -1;
    const int error = errno;
    closed(lingering_ ? std::nullopt : std::optional(broken_errno("receiving", error)));
    return -2;
  }
  ERR_clear_error();
  std::size_t got = 0;
  const int result = SSL_read_ex(ssl_.get(), buffer, size, &got);
  if (result == 1) return static_cast<ssize_t>(got);
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_ZERO_RETURN:
      return 0;
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return -1;
    default: {
      const int error = errno;
      static_cast<void>(pipe_->send());  // the alert that says why
      closed(error != 0 ? broken_errno("receiving over TLS", error)
                        : broken("receiving over TLS: " + take_tls_errors()));
      return -2;
    }
  }
}

void StreamCore::read_some() {
  for (int turn = 0; can_read_ && !ended_; ++turn) {
    if (paused_ && !finishing_) return;
    if (turn == kReadsPerTurn) {
      schedule_pump();
      return;
    }
    const ssize_t got = receive(executor_->thread().scratch(), CoreThread::scratch_bytes);
    if (got == -2) return;
    if (got == -1) {
      can_read_ = false;
      return;
    }
    if (got == 0) {
      ended_ = true;
      if (pending_bytes() == 0) closed(std::nullopt);
      return;
    }
    if (finishing_ || !events_.on_data) continue;  // what comes after our end is not heard
    ++dispatching_;
    events_.on_data({executor_->thread().scratch(), static_cast<std::size_t>(got)});
    --dispatching_;
    if (fd_ < 0) return;
  }
}

void StreamCore::stop_deadline() {
  if (deadline_ != 0) executor_->cancel(std::exchange(deadline_, 0));
}

void StreamCore::release_socket() {
  if (fd_ < 0) return;
  ssl_.reset();
  pipe_.reset();
  if (token_ != 0) executor_->thread().unwatch(fd_, token_);
  ::close(std::exchange(fd_, -1));
  out_.clear();
  pending_bytes_ = 0;
  if (release_) std::exchange(release_, nullptr)();
}

void StreamCore::closed(std::optional<base::Error> error) {
  if (fd_ < 0) return;
  stop_deadline();
  release_socket();
  if (dead_) return;
  dead_ = true;
  if (!events_.on_closed) return;
  const auto keep = shared_from_this();
  ++dispatching_;
  events_.on_closed(std::move(error));
  --dispatching_;
  // The callbacks may own what owns this stream; they go with the core, which the handle holds.
}

void StreamCore::close_now() {
  if (fd_ >= 0 && pending_bytes() > 0) {
    // The peer will not get all of it. A reset says so; else the kernel would keep megabytes for a
    // reader that takes nothing, for minutes.
    const struct ::linger at_once{.l_onoff = 1, .l_linger = 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }
  dead_ = true;
  stop_deadline();
  opened_ = nullptr;
  release_socket();
  if (dispatching_ == 0) {
    events_ = {};
    return;
  }
  // A callback is on the stack: its frame ends first. pump() holds the core until then.
  executor_->post([self = shared_from_this()] { self->events_ = {}; });
}

}  // namespace keelway::runtime
