#include "apiserver/in_flight.h"

#include <algorithm>
#include <utility>

namespace keelway::apiserver {
namespace {

constexpr auto kSweepPeriod = std::chrono::seconds(1);
constexpr auto kRefusalDelay = std::chrono::milliseconds(500);  // of the second to stay away
constexpr auto kTellPeriod = std::chrono::milliseconds(50);     // so that many leave together
constexpr std::size_t kRefusalsMax = 10'000;                    // then refusals are told at once

const std::vector<double>& wait_bounds() {
  static const std::vector<double> bounds = {0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15};
  return bounds;
}

}  // namespace

Seat& Seat::operator=(Seat&& other) noexcept {
  std::swap(owner_, other.owner_);
  std::swap(schema_, other.schema_);
  return *this;
}

Seat::~Seat() {
  if (owner_) owner_->leave(schema_);
}

InFlight::InFlight(runtime::Executor& executor, access::FairnessLimits limits,
                   telemetry::Metrics& metrics)
    : executor_(executor), limits_(limits), metrics_(metrics), queues_(limits) {
  for (std::size_t i = 1; i < access::level_count; ++i) {
    const auto level = static_cast<access::Level>(i);
    metrics_
        .gauge("apiserver_flowcontrol_nominal_limit_seats", "Nominal share of a priority level.",
               {{"priority_level", std::string(access::level_name(level))}})
        .set(queues_.seats_of(level));
  }
}

InFlight::Series& InFlight::series(access::FlowSchema schema) {
  Series& one = series_[static_cast<std::size_t>(schema)];
  if (one.dispatched != nullptr) return one;
  const telemetry::Labels labels{
      {"flow_schema", std::string(access::flow_schema_name(schema))},
      {"priority_level", std::string(access::level_name(access::level_of(schema)))}};
  telemetry::Labels full = labels, late = labels;
  full.emplace_back("reason", "queue-full");
  late.emplace_back("reason", "time-out");
  constexpr std::string_view rejected = "apiserver_flowcontrol_rejected_requests_total";
  one.dispatched = &metrics_.counter("apiserver_flowcontrol_dispatched_requests_total",
                                     "Requests that were let through.", labels);
  one.full = &metrics_.counter(rejected, "Requests that were refused.", full);
  one.timed_out = &metrics_.counter(rejected, "Requests that were refused.", late);
  one.waiting = &metrics_.gauge("apiserver_flowcontrol_current_inqueue_requests",
                                "Requests that wait in a queue.", labels);
  one.executing = &metrics_.gauge("apiserver_flowcontrol_current_executing_requests",
                                  "Requests that execute.", labels);
  one.wait_seconds =
      &metrics_.histogram("apiserver_flowcontrol_request_wait_duration_seconds",
                          "Time that a request waited in its queue.", wait_bounds(), labels);
  return one;
}

void InFlight::entered(access::FlowSchema schema, base::Duration waited) {
  const Series& of = series(schema);
  of.dispatched->add();
  of.executing->add(1);
  of.wait_seconds->observe(std::chrono::duration<double>(waited).count());
}

bool InFlight::try_enter(access::FlowSchema schema, int cost, Seat& seat) {
  if (!queues_.begin(schema, cost, executor_.now())) return false;
  entered(schema, base::Duration(0));
  seat = Seat(shared_from_this(), schema);
  return true;
}

bool InFlight::wait(const access::FlowClass& flow, int cost,
                    std::move_only_function<void(std::unique_ptr<Seat>)> resume) {
  auto entry = [this, schema = flow.schema, resume = std::move(resume)](bool admitted) mutable {
    resume(admitted ? std::make_unique<Seat>(shared_from_this(), schema) : nullptr);
  };
  if (!queues_.wait(flow, cost, executor_.now(), std::move(entry))) {
    series(flow.schema).full->add();
    return false;
  }
  series(flow.schema).waiting->add(1);
  schedule_turn();
  schedule_sweep();
  return true;
}

void InFlight::leave(access::FlowSchema schema) {
  if (closed_) return;
  queues_.leave(access::level_of(schema));
  series(schema).executing->add(-1);
  schedule_turn();
}

void InFlight::schedule_turn() {
  if (turn_posted_ || closed_ || !queues_.could_begin()) return;
  turn_posted_ = true;
  executor_.post([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->run_turn();
  });
}

void InFlight::run_turn() {
  const base::Instant now = executor_.now();
  queues_.new_turn(now);
  access::FairQueues::Entry entry;
  while (!closed_ && queues_.next(entry)) {
    series(entry.schema).waiting->add(-1);
    entered(entry.schema, now - entry.since);
    entry.resume(true);
  }
  turn_posted_ = false;
  schedule_turn();
}

void InFlight::schedule_sweep() {
  if (sweeping_ || closed_ || queues_.waiting() == 0) return;
  sweeping_ = true;
  executor_.after(kSweepPeriod, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->sweep();
  });
}

void InFlight::sweep() {
  sweeping_ = false;
  if (closed_) return;
  for (auto& entry : queues_.expired(executor_.now())) {
    const Series& of = series(entry.schema);
    of.waiting->add(-1);
    of.timed_out->add();
    entry.resume(false);
  }
  schedule_sweep();
}

bool InFlight::tell_later(std::move_only_function<void()> tell) {
  if (closed_ || refusals_.size() >= kRefusalsMax) return false;
  if (refusals_held_ == nullptr) {
    refusals_held_ = &metrics_.gauge("keelway_refusals_held",
                                     "Refused requests that are told so within half a second.");
  }
  refusals_.push_back({executor_.now() + kRefusalDelay, std::move(tell)});
  refusals_held_->set(static_cast<double>(refusals_.size()));
  schedule_telling();
  return true;
}

void InFlight::schedule_telling() {
  if (telling_ || closed_ || refusals_.empty()) return;
  telling_ = true;
  const base::Duration left = refusals_.front().due - executor_.now();
  executor_.after(std::max<base::Duration>(left, kTellPeriod), [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->tell_due();
  });
}

void InFlight::tell_due() {
  telling_ = false;
  const base::Instant now = executor_.now();
  while (!closed_ && !refusals_.empty() && refusals_.front().due <= now) {
    auto tell = std::move(refusals_.front().tell);
    refusals_.pop_front();
    tell();
  }
  refusals_held_->set(static_cast<double>(refusals_.size()));
  schedule_telling();
}

void InFlight::close() {
  closed_ = true;
  refusals_.clear();
  queues_ = access::FairQueues(limits_);
}

void PendingAnswer::unlink() {
  if (before_ == nullptr) return;
  before_->after_ = after_;
  after_->before_ = before_;
  before_ = after_ = nullptr;
}

PendingAnswers::PendingAnswers(runtime::Executor& executor) : executor_(executor) {
  end_.before_ = end_.after_ = &end_;
}

PendingAnswers::~PendingAnswers() {
  if (timer_ != 0) executor_.cancel(timer_);
  while (end_.after_ != &end_) end_.after_->unlink();
}

void PendingAnswers::add(PendingAnswer& answer, base::Instant deadline) {
  answer.unlink();
  answer.deadline_ = deadline;
  PendingAnswer* after = &end_;
  if (end_.before_ != &end_ && deadline < end_.before_->deadline_) {
    after = end_.after_;
    while (after->deadline_ <= deadline) after = after->after_;
  }
  answer.after_ = after;
  answer.before_ = after->before_;
  answer.before_->after_ = &answer;
  after->before_ = &answer;
  schedule();
}

void PendingAnswers::schedule() {
  if (timer_ != 0 || end_.after_ == &end_) return;
  timer_ = executor_.after(kSweepPeriod, [this] {
    timer_ = 0;
    look();
  });
}

void PendingAnswers::look() {
  const base::Instant now = executor_.now();
  while (end_.after_ != &end_ && end_.after_->deadline_ <= now) {
    PendingAnswer* late = end_.after_;
    late->unlink();
    late->time_out();
  }
  schedule();
}

}  // namespace keelway::apiserver
