// One end of a virtual connection: ordered segments of plain bytes with random sizes and delays,
// and a window, so that a reader who pauses is felt by the writer.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "runtime/network.h"
#include "runtime/virtual/executor.h"

namespace keelway::runtime {

class ConnectionEnd;

// What the ends of one world share.
struct Wire {
  Wire(EventQueue& q, const WorldOptions& o) : queue(q), options(o) {}

  EventQueue& queue;
  const WorldOptions& options;
  std::uint64_t last_end = 0;
  std::function<bool(const std::string& host)> is_up;  // a process runs there
  // Raw pointers: an end removes itself when it goes. Ordered, because faults walk over it.
  std::map<std::uint64_t, ConnectionEnd*> ends;
  using Pair = std::pair<std::string, std::string>;
  std::set<Pair> silences;                // from, to
  std::map<Pair, base::Duration> slowed;  // by names in order

  bool silent(const std::string& from, const std::string& to) const {
    return silences.contains({from, to});
  }
  base::Duration latency(const std::string& a, const std::string& b) {
    const base::Duration usual = queue.draw(options.latency_min, options.latency_max);
    if (slowed.empty()) return usual;
    const auto found = slowed.find(std::minmax(a, b));
    return found == slowed.end() ? usual : usual + queue.draw({}, found->second);
  }
};

class ConnectionEnd : public std::enable_shared_from_this<ConnectionEnd> {
 public:
  ConnectionEnd(Wire& wire, std::string host, std::shared_ptr<VirtualExecutorCore> executor,
                Address peer);
  ~ConnectionEnd();
  ConnectionEnd(const ConnectionEnd&) = delete;
  static void join(const std::shared_ptr<ConnectionEnd>& a,
                   const std::shared_ptr<ConnectionEnd>& b);

  void start(StreamEvents events);
  void write(std::string bytes);
  std::size_t pending_bytes() const { return pending_bytes_; }
  void set_paused(bool paused);
  void finish();
  void close_now();
  const TlsPeer* tls() const { return tls_ ? &*tls_ : nullptr; }
  const Address& peer() const { return peer_; }

  // Faults.
  const std::string& host() const { return host_; }
  const std::string& peer_host() const { return peer_host_; }
  const LifePtr& life() const { return executor_->life(); }
  void break_now(const std::string& why);  // this end hears an error
  void die(bool heard);                    // its process died; the other end may hear of it
  void release_stalled();                  // after a partition healed

  void set_tls(TlsPeer tls) { tls_ = std::move(tls); }
  void on_release(Task release) { release_ = std::move(release); }

 private:
  struct Segment {
    enum class Kind { bytes, end, reset } kind = Kind::bytes;
    std::string bytes;
  };
  void post(void (ConnectionEnd::*step)());
  void pump();
  void send(Segment segment);
  void hear_refusal();
  void arrive();
  void deliver();
  void hear_end();
  void credit(std::size_t bytes);
  void announce_drained();
  void closed(std::optional<base::Error> error);
  void release();

  Wire& wire_;
  const std::uint64_t id_;
  const std::string host_;
  const std::shared_ptr<VirtualExecutorCore> executor_;
  const Address peer_;
  std::weak_ptr<ConnectionEnd> other_;
  std::string peer_host_;
  LifePtr peer_life_;
  std::optional<TlsPeer> tls_;
  StreamEvents events_;
  Task release_;

  std::deque<std::string> out_;    // not sent yet
  std::size_t out_offset_ = 0;     // into out_.front()
  std::size_t pending_bytes_ = 0;  // of out_
  std::size_t in_flight_ = 0;      // sent, not yet consumed by the other end
  std::deque<Segment> on_wire_;    // under way to this end
  std::size_t stalled_ = 0;        // of those: arrivals held by a partition
  base::Instant last_arrival_;     // at this end; segments do not overtake
  std::deque<Segment> inbox_;      // arrived here, not yet heard
  bool started_ = false, paused_ = false, finishing_ = false, end_sent_ = false;
  bool ended_ = false;  // heard the other's end
  bool dead_ = false;
  int dispatching_ = 0;
};

class VirtualStream : public Stream {
 public:
  explicit VirtualStream(std::shared_ptr<ConnectionEnd> end) : end_(std::move(end)) {}
  ~VirtualStream() override { end_->close_now(); }
  void start(StreamEvents events) override { end_->start(std::move(events)); }
  void write(std::string bytes) override { end_->write(std::move(bytes)); }
  std::size_t pending_bytes() const override { return end_->pending_bytes(); }
  void pause_reading() override { end_->set_paused(true); }
  void resume_reading() override { end_->set_paused(false); }
  void finish() override { end_->finish(); }
  const TlsPeer* tls() const override { return end_->tls(); }
  const Address& peer() const override { return end_->peer(); }

 private:
  const std::shared_ptr<ConnectionEnd> end_;
};

}  // namespace keelway::runtime
