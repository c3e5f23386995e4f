// One connected socket: opening (connect, detect, handshake), then bytes both ways.
#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <string>

#include "runtime/linux/core_thread.h"
#include "runtime/linux/tls.h"
#include "runtime/network.h"

namespace keelway::runtime {

// How a socket becomes an open stream.
struct Opening {
  enum class Step { connecting, peeking, handshaking, none };
  Step step = Step::none;
  bool is_server = false;
  std::shared_ptr<TlsContext> tls;  // null: plain
  std::string server_name;          // client: what to verify
};

// Shared by the handle, the listener that still opens it, and posts under way. Everything happens
// in the executor's context, except on_ready() and the closing after the executor's end.
class StreamCore : public Watcher, public std::enable_shared_from_this<StreamCore> {
 public:
  using Opened = std::move_only_function<void(base::Result<void>)>;

  StreamCore(std::shared_ptr<ExecutorCore> executor, int fd, Address peer);
  ~StreamCore() override;
  StreamCore(const StreamCore&) = delete;

  // `opened` comes once, within `timeout`, unless close_now() comes first.
  void open(Opening opening, base::Duration timeout, Opened opened);
  void on_ready(std::uint32_t events) override;

  void start(StreamEvents events);
  void write(std::string bytes);
  std::size_t pending_bytes() const { return pending_bytes_ + (pipe_ ? pipe_->pending() : 0); }
  void set_paused(bool paused);
  void finish();
  void close_now();  // without callbacks
  const TlsPeer* tls() const { return tls_peer_ ? &*tls_peer_ : nullptr; }
  const Address& peer() const { return peer_; }
  // Runs when the socket is closed; counts connections.
  void on_release(Task release) { release_ = std::move(release); }

 private:
  enum class Step { done, wait, failed };
  void schedule_pump();
  void pump();
  void pump_opening();
  Step advance_opening();
  Step take_connect_result();
  Step peek();
  Step handshake();
  void opened(base::Result<void> result);
  void flush();
  bool flush_plain();
  bool flush_tls();
  bool send_records();
  void took(std::size_t bytes);
  void after_flush();
  void read_some();
  ssize_t receive(char* buffer, std::size_t size);
  void linger();
  void stop_deadline();
  void release_socket();
  void closed(std::optional<base::Error> error);

  // constant
  const std::shared_ptr<ExecutorCore> executor_;
  const Address peer_;

  // any thread
  std::atomic<std::uint32_t> ready_ = 0;
  std::atomic<bool> pump_queued_ = false;

  // executor only
  int fd_;
  std::uint64_t token_ = 0;
  std::unique_ptr<RecordPipe> pipe_;  // with ssl_; outlives it
  SslPtr ssl_;
  std::optional<TlsPeer> tls_peer_;
  Opening opening_;
  Opened opened_;
  TimerId deadline_ = 0;
  StreamEvents events_;
  Task release_;
  std::deque<std::string> out_;
  std::size_t out_offset_ = 0;  // into out_.front()
  std::size_t pending_bytes_ = 0;
  bool can_read_ = true, can_write_ = true;
  bool started_ = false, paused_ = false;
  bool ended_ = false;  // the peer sent its end
  bool finishing_ = false, lingering_ = false;
  bool drained_due_ = false;
  bool pumping_ = false;  // what is written now leaves at the end of the pump
  bool dead_ = false;     // no callback any more
  int dispatching_ = 0;   // callbacks on the stack: they must not be destroyed under themselves
};

class LinuxStream : public Stream {
 public:
  explicit LinuxStream(std::shared_ptr<StreamCore> core) : core_(std::move(core)) {}
  ~LinuxStream() override { core_->close_now(); }
  void start(StreamEvents events) override { core_->start(std::move(events)); }
  void write(std::string bytes) override { core_->write(std::move(bytes)); }
  std::size_t pending_bytes() const override { return core_->pending_bytes(); }
  void pause_reading() override { core_->set_paused(true); }
  void resume_reading() override { core_->set_paused(false); }
  void finish() override { core_->finish(); }
  const TlsPeer* tls() const override { return core_->tls(); }
  const Address& peer() const override { return core_->peer(); }

 private:
  const std::shared_ptr<StreamCore> core_;
};

}  // namespace keelway::runtime
