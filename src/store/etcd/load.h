// What an engine holds for its etcd, so that whoever shows metrics can tell. Any thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace keelway::store {

struct EtcdLoad {
  std::atomic<bool> connected = false;
  std::atomic<std::size_t> waiting_calls = 0;  // asked and not answered
  std::atomic<std::size_t> waiting_bytes = 0;  // of their messages
  std::atomic<std::uint64_t> refused = 0;      // for EtcdOptions::pending_bytes_max
  std::atomic<std::uint64_t> connections_lost = 0;
};

}  // namespace keelway::store
