// A listening socket and the connections that it is still opening.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>

#include "runtime/linux/stream.h"

namespace keelway::runtime {

class ListenerCore : public Watcher, public std::enable_shared_from_this<ListenerCore> {
 public:
  ListenerCore(std::shared_ptr<ExecutorCore> executor, int fd, ListenOptions options,
               std::shared_ptr<TlsContext> tls, AcceptCallback on_accept);
  ~ListenerCore() override;
  void begin();
  void on_ready(std::uint32_t events) override;
  void close();
  const ListenerFacts& facts() const { return facts_; }

 private:
  void schedule_accept();
  void accept_some();
  bool survive_exhaustion();
  void begin_opening(std::shared_ptr<StreamCore> core);
  void take(int fd, Address peer);
  void release_one(const std::string& source);

  const std::shared_ptr<ExecutorCore> executor_;
  const ListenOptions options_;
  const std::shared_ptr<TlsContext> tls_;
  std::atomic<bool> accept_queued_ = false;

  // executor only
  int fd_;
  int spare_fd_;  // given up for a moment when the process has no descriptor left
  std::uint64_t token_ = 0;
  int open_ = 0;
  std::map<std::string, int, std::less<>> per_source_;  // by address, not port
  bool full_ = false;
  AcceptCallback on_accept_;
  std::map<std::uint64_t, std::shared_ptr<StreamCore>> opening_;  // in the order of their coming
  std::uint64_t last_opening_ = 0;
  ListenerFacts facts_;
};

}  // namespace keelway::runtime
