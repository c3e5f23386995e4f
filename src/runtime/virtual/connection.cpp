#include "runtime/virtual/connection.h"

namespace keelway::runtime {
namespace {

constexpr std::size_t kWindowBytes = 64u << 10;
constexpr std::size_t kSegmentBytes = 16u << 10;
constexpr base::Duration kLingerTimeout = std::chrono::seconds(2);

}  // namespace

ConnectionEnd::ConnectionEnd(Wire& wire, std::string host,
                             std::shared_ptr<VirtualExecutorCore> executor, Address peer)
    : wire_(wire),
      id_(++wire.last_end),
      host_(std::move(host)),
      executor_(std::move(executor)),
      peer_(std::move(peer)) {
  wire_.ends.emplace(id_, this);
}

ConnectionEnd::~ConnectionEnd() {
  wire_.ends.erase(id_);
  release();
}

void ConnectionEnd::join(const std::shared_ptr<ConnectionEnd>& a,
                         const std::shared_ptr<ConnectionEnd>& b) {
  for (const auto& [one, other] : {std::pair(a, b), std::pair(b, a)}) {
    one->other_ = other;
    one->peer_host_ = other->host_;
    one->peer_life_ = other->life();
  }
}

void ConnectionEnd::post(void (ConnectionEnd::*step)()) {
  executor_->post([self = shared_from_this(), step] { (self.get()->*step)(); });
}

void ConnectionEnd::start(StreamEvents events) {
  events_ = std::move(events);
  started_ = true;
  post(&ConnectionEnd::deliver);
}

void ConnectionEnd::write(std::string bytes) {
  if (dead_ || finishing_ || bytes.empty()) return;
  pending_bytes_ += bytes.size();
  out_.push_back(std::move(bytes));
  post(&ConnectionEnd::pump);
}

void ConnectionEnd::set_paused(bool paused) {
  paused_ = paused;
  if (!paused) post(&ConnectionEnd::deliver);
}

void ConnectionEnd::finish() {
  if (dead_ || finishing_) return;
  finishing_ = true;
  post(&ConnectionEnd::pump);
}

// Sends what the window allows, in segments of random size.
void ConnectionEnd::pump() {
  if (dead_) return;
  const bool had_bytes = !out_.empty();
  while (!out_.empty() && in_flight_ < kWindowBytes) {
    std::string& front = out_.front();
    std::size_t size = std::min(front.size() - out_offset_, kSegmentBytes);
    if (wire_.queue.random().below(4) == 0) size = 1 + wire_.queue.random().below(size);
    send({Segment::Kind::bytes, front.substr(out_offset_, size)});
    in_flight_ += size;
    pending_bytes_ -= size;
    out_offset_ += size;
    if (out_offset_ == front.size()) {
      out_.pop_front();
      out_offset_ = 0;
    }
  }
  if (!out_.empty()) return;
  if (had_bytes) post(&ConnectionEnd::announce_drained);
  if (ended_) {
    closed(std::nullopt);
  } else if (finishing_ && !end_sent_) {
    end_sent_ = true;
    send({Segment::Kind::end, {}});
    executor_->after(kLingerTimeout, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->closed(std::nullopt);
    });
  }
}

void ConnectionEnd::announce_drained() {
  if (dead_ || finishing_ || !out_.empty() || !events_.on_drained) return;
  ++dispatching_;
  events_.on_drained();
  --dispatching_;
}

// The process at the other end is gone; its machine says so as soon as another runs there.
void ConnectionEnd::hear_refusal() {
  const bool reachable = !wire_.silent(host_, peer_host_) && !wire_.silent(peer_host_, host_) &&
                         wire_.is_up(peer_host_);
  if (!reachable) return;
  wire_.queue.schedule(life(), wire_.latency(host_, peer_host_), [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->break_now("the process is gone");
  });
}

void ConnectionEnd::send(Segment segment) {
  if (!peer_life_->alive) return hear_refusal();
  const auto other = other_.lock();
  if (!other) return;
  const base::Instant at =
      std::max(wire_.queue.now() + wire_.latency(host_, other->host_), other->last_arrival_);
  other->last_arrival_ = at;
  other->on_wire_.push_back(std::move(segment));
  wire_.queue.schedule(other->life(), at - wire_.queue.now(), [weak = std::weak_ptr(other)] {
    if (const auto self = weak.lock()) self->arrive();
  });
}

void ConnectionEnd::arrive() {
  if (stalled_ > 0 || wire_.silent(peer_host_, host_)) {
    ++stalled_;
    return;
  }
  if (on_wire_.empty()) return;
  Segment segment = std::move(on_wire_.front());
  on_wire_.pop_front();
  if (segment.kind == Segment::Kind::reset) inbox_.clear();
  inbox_.push_back(std::move(segment));
  post(&ConnectionEnd::deliver);
}

void ConnectionEnd::release_stalled() {
  for (auto count = std::exchange(stalled_, 0); count > 0; --count) {
    wire_.queue.schedule(life(), wire_.options.latency_min, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->arrive();
    });
  }
}

void ConnectionEnd::deliver() {
  while (started_ && !dead_ && !inbox_.empty()) {
    const auto kind = inbox_.front().kind;
    if (kind == Segment::Kind::bytes && paused_ && !finishing_) return;
    const Segment segment = std::move(inbox_.front());
    inbox_.pop_front();
    if (kind == Segment::Kind::reset) {
      closed(base::Error{base::ErrorCode::unavailable, "connection: reset by peer"});
      return;
    }
    if (kind == Segment::Kind::end) {
      hear_end();
      return;
    }
    if (const auto other = other_.lock()) {
      wire_.queue.schedule(other->life(), wire_.latency(host_, other->host_),
                           [weak = std::weak_ptr(other), size = segment.bytes.size()] {
                             if (const auto sender = weak.lock()) sender->credit(size);
                           });
    }
    if (finishing_ || !events_.on_data) continue;
    ++dispatching_;
    events_.on_data(segment.bytes);
    --dispatching_;
  }
}

void ConnectionEnd::hear_end() {
  ended_ = true;
  if (out_.empty()) closed(std::nullopt);
}

void ConnectionEnd::credit(std::size_t bytes) {
  in_flight_ -= std::min(in_flight_, bytes);
  if (!out_.empty()) post(&ConnectionEnd::pump);
}

void ConnectionEnd::break_now(const std::string& why) {
  inbox_.clear();
  inbox_.push_back({Segment::Kind::reset, why});
  post(&ConnectionEnd::deliver);
}

void ConnectionEnd::die(bool heard) {
  if (!dead_ && heard) send({Segment::Kind::reset, {}});
  dead_ = true;
  release();
}

void ConnectionEnd::release() {
  if (release_) std::exchange(release_, nullptr)();
}

void ConnectionEnd::closed(std::optional<base::Error> error) {
  if (dead_) return;
  dead_ = true;
  if (!end_sent_) send({Segment::Kind::end, {}});
  out_.clear();
  pending_bytes_ = 0;
  release();
  if (!events_.on_closed) return;
  const auto keep = shared_from_this();
  ++dispatching_;
  events_.on_closed(std::move(error));
  --dispatching_;
}

void ConnectionEnd::close_now() {
  if (!dead_ && !end_sent_) send({Segment::Kind::end, {}});
  dead_ = true;
  release();
  out_.clear();
  pending_bytes_ = 0;
  if (dispatching_ == 0) {
    events_ = {};
  } else {
    // A callback is on the stack: its frame ends first.
    executor_->post([self = shared_from_this()] { self->events_ = {}; });
  }
}

}  // namespace keelway::runtime
