#include "runtime/linux/socket_options.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace keelway::runtime {
namespace {

// Seconds of silence before the first probe, and between probes.
constexpr int idle = 60, interval = 15;
constexpr auto lost_after = std::chrono::duration_cast<std::chrono::milliseconds>(peer_lost_after);

}  // namespace

void set_up_tcp(int fd) {
  const int yes = 1;
  const int probes = (static_cast<int>(lost_after.count() / 1000) - idle) / interval;
  const auto unacknowledged = static_cast<unsigned>(lost_after.count());  // milliseconds
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacknowledged, sizeof unacknowledged);
}

}  // namespace keelway::runtime
