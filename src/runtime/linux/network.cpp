#include "runtime/linux/network.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "runtime/linux/executor.h"
#include "runtime/linux/listener.h"
#include "runtime/linux/socket_options.h"

namespace keelway::runtime {
namespace {

constexpr int kBacklog = 1024;
constexpr std::size_t kContextsMax = 64;

struct Resolved {
  sockaddr_storage address{};
  socklen_t size = 0;
  int family = AF_UNSPEC;
};

// Blocks where `host` is a name.
base::Result<std::vector<Resolved>> resolve(const Address& address, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int code = getaddrinfo(address.host.empty() ? nullptr : address.host.c_str(),
                               std::to_string(address.port).c_str(), &hints, &found);
  if (code != 0) {
    return base::fail(base::ErrorCode::unavailable,
                      "address " + address.host + " does not resolve: " + gai_strerror(code));
  }
  std::vector<Resolved> all;
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    Resolved one;
    std::memcpy(&one.address, entry->ai_addr, entry->ai_addrlen);
    one.size = entry->ai_addrlen;
    one.family = entry->ai_family;
    all.push_back(one);
  }
  freeaddrinfo(found);
  return all;
}

class LinuxListener : public Listener {
 public:
  LinuxListener(std::shared_ptr<ListenerCore> core, std::uint16_t port)
      : core_(std::move(core)), port_(port) {}
  ~LinuxListener() override { core_->close(); }
  std::uint16_t port() const override { return port_; }
  ListenerFacts facts() const override { return core_->facts(); }

 private:
  const std::shared_ptr<ListenerCore> core_;
  const std::uint16_t port_;
};

base::Result<int> open_listener(const Address& address) {
  const std::string where = address.host + ":" + std::to_string(address.port);
  const auto resolved = resolve(address, AI_PASSIVE);
  if (!resolved) return std::unexpected(resolved.error());
  const Resolved& chosen = resolved->front();
  const int fd = socket(chosen.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    return base::fail(base::ErrorCode::internal,
                      "cannot listen on " + where + ": " + std::strerror(errno));
  }
  const int yes = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&chosen.address), chosen.size) != 0 ||
      ::listen(fd, kBacklog) != 0) {
    const int error = errno;
    ::close(fd);
    const auto code = error == EADDRINUSE ? base::ErrorCode::conflict : base::ErrorCode::invalid;
    std::string message = "cannot listen on " + where + ": " + std::strerror(error);
    if (error == EADDRINUSE) message += "; stop the other program or choose another port";
    return base::fail(code, std::move(message));
  }
  return fd;
}

std::uint16_t port_of(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  // The port lies at the same place in both families.
  return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

// Tries the addresses of one name in turn within one deadline.
struct Attempt : std::enable_shared_from_this<Attempt> {
  std::shared_ptr<ExecutorCore> executor;
  Address address;
  std::shared_ptr<TlsContext> tls;
  std::string server_name;
  base::Instant deadline;
  ConnectCallback done;
  std::vector<Resolved> candidates;
  std::size_t next = 0;
  base::Error last_error{base::ErrorCode::unavailable, "no address"};
  std::shared_ptr<StreamCore> current;

  void fail() {
    done(base::fail(last_error.code, "cannot connect to " + address.host + ":" +
                                         std::to_string(address.port) + ": " + last_error.message));
  }

  void try_next() {
    while (next < candidates.size() && executor->now() < deadline) {
      if (begin(candidates[next++])) return;
    }
    fail();
  }

  bool begin(const Resolved& to) {
    const int fd = socket(to.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
      last_error.message = std::strerror(errno);
      return false;
    }
    set_up_tcp(fd);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&to.address), to.size) != 0 &&
        errno != EINPROGRESS) {
      last_error.message = std::strerror(errno);
      ::close(fd);
      return false;
    }
    current = std::make_shared<StreamCore>(executor, fd, address);
    Opening opening{Opening::Step::connecting, false, tls, server_name};
    current->open(std::move(opening), deadline - executor->now(),
                  [self = shared_from_this()](base::Result<void> result) {
                    const auto stream = std::exchange(self->current, nullptr);
                    if (result) {
                      self->done(std::make_unique<LinuxStream>(stream));
                      return;
                    }
                    self->last_error = result.error();
                    self->try_next();
                  });
    return true;
  }
};

}  // namespace

base::Result<std::unique_ptr<Listener>> LinuxNetwork::listen(Executor& executor,
                                                             ListenOptions options,
                                                             AcceptCallback on_accept) {
  std::shared_ptr<TlsContext> tls;
  if (options.tls_mode != TlsMode::plain) {
    auto made = TlsContext::for_server(options.tls);
    if (!made) return std::unexpected(made.error());
    tls = std::move(*made);
  }
  const auto fd = open_listener(options.address);
  if (!fd) return std::unexpected(fd.error());
  const auto core = std::make_shared<ListenerCore>(core_of(executor), *fd, std::move(options),
                                                   std::move(tls), std::move(on_accept));
  core->begin();
  return std::make_unique<LinuxListener>(core, port_of(*fd));
}

base::Result<std::shared_ptr<TlsContext>> LinuxNetwork::client_context(const TlsClient& options) {
  std::string key =
      options.ca_pem + '\n' + options.certificate_chain_pem + '\n' + options.private_key_pem;
  for (const auto& protocol : options.alpn) key += '\n' + protocol;
  {
    const std::lock_guard lock(mutex_);
    for (auto entry = contexts_.begin(); entry != contexts_.end(); ++entry) {
      if (entry->first != key) continue;
      contexts_.splice(contexts_.begin(), contexts_, entry);
      return entry->second;
    }
  }
  auto made = TlsContext::for_client(options);
  if (!made) return made;
  const std::lock_guard lock(mutex_);
  contexts_.emplace_front(std::move(key), *made);
  if (contexts_.size() > kContextsMax) contexts_.pop_back();
  return made;
}

void LinuxNetwork::connect(Executor& executor, Address address, std::optional<TlsClient> tls,
                           base::Duration timeout, ConnectCallback done) {
  const auto core = core_of(executor);
  auto attempt = std::make_shared<Attempt>();
  attempt->executor = core;
  attempt->address = std::move(address);
  attempt->deadline = core->now() + timeout;
  attempt->done = std::move(done);
  if (tls) {
    attempt->server_name = tls->server_name.empty() ? attempt->address.host : tls->server_name;
    auto context = client_context(*tls);
    if (!context) {
      attempt->last_error = context.error();
      core->post([attempt] { attempt->fail(); });
      return;
    }
    attempt->tls = std::move(*context);
  }
  if (auto literal = resolve(attempt->address, AI_NUMERICHOST)) {
    attempt->candidates = std::move(*literal);
    core->post([attempt] { attempt->try_next(); });
    return;
  }
  auto found = std::make_shared<base::Result<std::vector<Resolved>>>();
  workers_.run(
      core, [found, wanted = attempt->address] { *found = resolve(wanted, AI_ADDRCONFIG); },
      [attempt, found] {
        if (*found) {
          attempt->candidates = std::move(**found);
        } else {
          attempt->last_error = found->error();
        }
        attempt->try_next();
      });
}

}  // namespace keelway::runtime
