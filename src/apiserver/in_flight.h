// The requests that a server has taken in: whose turn it is, how many execute, and until when
// each must be answered.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <memory>

#include "access/fairness.h"
#include "runtime/runtime.h"
#include "telemetry/metrics.h"

namespace keelway::apiserver {

class InFlight;
class PendingAnswers;

// What one request occupies while it executes.
class Seat {
 public:
  Seat() = default;
  Seat(std::shared_ptr<InFlight> owner, access::FlowSchema schema)
      : owner_(std::move(owner)), schema_(schema) {}
  Seat(Seat&&) = default;
  Seat& operator=(Seat&& other) noexcept;
  ~Seat();

 private:
  std::shared_ptr<InFlight> owner_;
  access::FlowSchema schema_ = access::FlowSchema::global_default;
};

// Belongs to the server's executor, which outlives its last use; seats may outlive the server.
class InFlight : public std::enable_shared_from_this<InFlight> {
 public:
  InFlight(runtime::Executor& executor, access::FairnessLimits limits, telemetry::Metrics& metrics);

  // A seat now, if nobody waits for one.
  bool try_enter(access::FlowSchema schema, int cost, Seat& seat);
  // `resume(seat)` later, or without a seat after the longest wait. false: refused.
  bool wait(const access::FlowClass& flow, int cost,
            std::move_only_function<void(std::unique_ptr<Seat>)> resume);
  // Tells a refused caller so, but not at once: a client with as many requests open as it may have
  // sends no further one meanwhile, where an answer at once would be made room for the next
  // request, and refusing would be all that the server does. false: too many wait for that.
  bool tell_later(std::move_only_function<void()> tell);
  // Whoever waits is dropped, and no task of ours does anything any more.
  void close();

 private:
  friend class Seat;
  // Of one flow schema; made when it is first seen.
  struct Series {
    telemetry::Counter* dispatched = nullptr;
    telemetry::Counter* full = nullptr;
    telemetry::Counter* timed_out = nullptr;
    telemetry::Gauge* waiting = nullptr;
    telemetry::Gauge* executing = nullptr;
    telemetry::Histogram* wait_seconds = nullptr;
  };
  Series& series(access::FlowSchema schema);
  void leave(access::FlowSchema schema);
  void entered(access::FlowSchema schema, base::Duration waited);
  void schedule_turn();
  void run_turn();
  void schedule_sweep();
  void sweep();
  void schedule_telling();
  void tell_due();

  runtime::Executor& executor_;
  const access::FairnessLimits limits_;
  telemetry::Metrics& metrics_;
  access::FairQueues queues_;
  std::array<Series, access::flow_schema_count> series_;
  bool turn_posted_ = false, sweeping_ = false, telling_ = false, closed_ = false;
  struct Refusal {
    base::Instant due;
    std::move_only_function<void()> tell;
  };
  std::deque<Refusal> refusals_;  // earliest first
  telemetry::Gauge* refusals_held_ = nullptr;
};

// A link of PendingAnswers; leaves the list when it is destroyed.
class PendingAnswer {
 public:
  PendingAnswer() = default;
  virtual ~PendingAnswer() { unlink(); }
  PendingAnswer(const PendingAnswer&) = delete;
  PendingAnswer& operator=(const PendingAnswer&) = delete;
  virtual void time_out() = 0;  // may destroy this

 private:
  friend class PendingAnswers;
  void unlink();
  PendingAnswer* before_ = nullptr;
  PendingAnswer* after_ = nullptr;
  base::Instant deadline_;
};

// Those that are not answered yet. Looks once a second while there are any, so that the usual
// request costs no timer.
class PendingAnswers {
 public:
  explicit PendingAnswers(runtime::Executor& executor);
  ~PendingAnswers();
  // Cheap for deadlines that come late or early among those that are waited for.
  void add(PendingAnswer& answer, base::Instant deadline);

 private:
  struct End : PendingAnswer {
    void time_out() override {}
  };
  void schedule();
  void look();
  runtime::Executor& executor_;
  End end_;  // of a ring, earliest deadline first
  runtime::TimerId timer_ = 0;
};

}  // namespace keelway::apiserver
