#include "runtime/linux/listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "runtime/linux/socket_options.h"

namespace keelway::runtime {
namespace {

constexpr int kAcceptsPerTurn = 64;
constexpr base::Duration kExhaustedPause = std::chrono::milliseconds(100);

int open_spare() {
  return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}

Address describe(const sockaddr_storage& from) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (from.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(from);
    inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
    std::string host = text.data();
    if (host.starts_with("::ffff:") && host.contains('.')) host.erase(0, 7);
    return {std::move(host), ntohs(v6.sin6_port)};
  }
  const auto& v4 = reinterpret_cast<const sockaddr_in&>(from);
  inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
  return {text.data(), ntohs(v4.sin_port)};
}

}  // namespace

ListenerCore::ListenerCore(std::shared_ptr<ExecutorCore> executor, int fd, ListenOptions options,
                           std::shared_ptr<TlsContext> tls, AcceptCallback on_accept)
    : executor_(std::move(executor)),
      options_(std::move(options)),
      tls_(std::move(tls)),
      fd_(fd),
      spare_fd_(open_spare()),
      on_accept_(std::move(on_accept)) {}

ListenerCore::~ListenerCore() {
  close();
}

void ListenerCore::begin() {
  token_ = executor_->thread().watch(fd_, weak_from_this());
}

void ListenerCore::on_ready(std::uint32_t) {
  schedule_accept();
}

void ListenerCore::schedule_accept() {
  if (accept_queued_.exchange(true)) return;
  executor_->post([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->accept_some();
  });
}

void ListenerCore::accept_some() {
  accept_queued_ = false;
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    if (fd_ < 0) return;
    full_ = open_ >= options_.connections_max;
    if (full_) return;  // the kernel's backlog holds the rest; release_one() goes on
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    const int fd =
        accept4(fd_, reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      take(fd, describe(from));
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
      if (!survive_exhaustion()) return;
    } else if (errno == EAGAIN) {
      return;
    }
    // Everything else (ECONNABORTED and such) is the trouble of that one connection.
  }
  schedule_accept();
}

// With the spare descriptor one waiting connection is taken and closed, so that its client hears
// of it at once. false: nothing more to do now, a timer looks again.
bool ListenerCore::survive_exhaustion() {
  if (spare_fd_ >= 0) {
    ::close(spare_fd_);
    const int fd = accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd >= 0) ::close(fd);
    spare_fd_ = open_spare();
    if (fd >= 0 && spare_fd_ >= 0) return true;
  } else {
    spare_fd_ = open_spare();
  }
  executor_->after(kExhaustedPause, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->accept_some();
  });
  return false;
}

void ListenerCore::take(int fd, Address peer) {
  int& of_source = per_source_[peer.host];
  if (of_source >= options_.connections_per_source_max) {
    ++facts_.sources_refused;
    ::close(fd);
    return;
  }
  ++of_source;
  set_up_tcp(fd);
  ++open_;
  std::string source = peer.host;
  auto core = std::make_shared<StreamCore>(executor_, fd, std::move(peer));
  core->on_release([weak = weak_from_this(), source = std::move(source)] {
    if (const auto self = weak.lock()) self->release_one(source);
  });
  if (options_.tls_mode == TlsMode::plain) {
    on_accept_(std::make_unique<LinuxStream>(std::move(core)));
    return;
  }
  begin_opening(std::move(core));
}

void ListenerCore::begin_opening(std::shared_ptr<StreamCore> core) {
  if (opening_.size() >= static_cast<std::size_t>(options_.handshakes_max)) {
    ++facts_.handshakes_dropped;
    opening_.extract(opening_.begin()).mapped()->close_now();
  }
  const std::uint64_t number = ++last_opening_;
  opening_.emplace(number, core);
  facts_.handshakes = opening_.size();
  Opening opening;
  opening.step =
      options_.tls_mode == TlsMode::detect ? Opening::Step::peeking : Opening::Step::handshaking;
  opening.is_server = true;
  opening.tls = tls_;
  core->open(std::move(opening), options_.handshake_timeout,
             [weak = weak_from_this(), number, raw = core.get()](base::Result<void> result) {
               const auto self = weak.lock();
               if (!self) return;
               const auto ready = raw->shared_from_this();
               self->opening_.erase(number);
               self->facts_.handshakes = self->opening_.size();
               if (result && self->fd_ >= 0) {
                 self->on_accept_(std::make_unique<LinuxStream>(ready));
               }
             });
}

void ListenerCore::release_one(const std::string& source) {
  --open_;
  const auto found = per_source_.find(source);
  if (found != per_source_.end() && --found->second == 0) per_source_.erase(found);
  if (full_) schedule_accept();
}

void ListenerCore::close() {
  if (fd_ < 0) return;
  executor_->thread().unwatch(fd_, token_);
  ::close(std::exchange(fd_, -1));
  if (spare_fd_ >= 0) ::close(spare_fd_);
  for (const auto& [number, core] : std::exchange(opening_, {})) core->close_now();
}

}  // namespace keelway::runtime
