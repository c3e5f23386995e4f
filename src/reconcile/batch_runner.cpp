#include "reconcile/batch_runner.h"

#include <algorithm>

namespace keelway::reconcile {
namespace {

constexpr std::size_t kInFlightMax = 128;
// While more than this waits to be sent, changes are collected but nothing is planned.
constexpr std::size_t kUnsentMax = 4096;
constexpr base::Duration kOverdue = std::chrono::seconds(10);
constexpr int kFailuresToLog = 5;

}  // namespace

BatchRunner::BatchRunner(Context context, std::unique_ptr<BatchLoop> loop, EffectExecutor effects)
    : context_(std::move(context)), loop_(std::move(loop)), effects_(std::move(effects)) {}

BatchRunner::~BatchRunner() {
  for (const runtime::TimerId timer : {window_timer_, again_timer_, overdue_timer_}) {
    if (timer != 0) context_.executor.cancel(timer);
  }
}

void BatchRunner::observe(const client::Change& change) {
  loop_->observe(change);
  dirty_ = dirty_ || loop_->wakes(change);
}

void BatchRunner::advance() {
  for (auto at = awaited_.begin(); at != awaited_.end();) {
    const auto [feed, revision, id] = *at;
    if (!context_.feeds.reached(feed, revision)) {
      // The rest of this feed waits for higher revisions.
      at = awaited_.lower_bound({feed + 1, 0, 0});
      continue;
    }
    dirty_ = dirty_ || issued_.at(id).lost;
    issued_.erase(id);
    at = awaited_.erase(at);
  }
  if (dirty_) plan_soon();
}

void BatchRunner::plan_soon() {
  if (plan_pending_ || !context_.feeds.synced() || unsent_.size() > kUnsentMax) return;
  plan_pending_ = true;
  const base::Duration backoff_left = not_before_ - context_.executor.now();
  const base::Duration wait = std::max(loop_->batch_window(), backoff_left);
  if (wait <= base::Duration(0)) {
    context_.executor.post([this, alive = context_.alive] {
      if (!alive.expired()) plan();
    });
    return;
  }
  window_timer_ = context_.executor.after(wait, [this] {
    window_timer_ = 0;
    plan();
  });
}

void BatchRunner::plan() {
  plan_pending_ = false;
  dirty_ = false;
  if (again_timer_ != 0) context_.executor.cancel(again_timer_);
  again_timer_ = 0;
  BatchLoop::Assumed assumed;
  assumed.actions.reserve(issued_.size());
  for (const auto& [id, issued] : issued_) assumed.actions.push_back(&issued.action);
  Plan plan = loop_->plan(context_.feeds.view(), assumed, context_.executor.wall_now(),
                          context_.executor.random().next());
  for (Action& action : plan.actions) {
    const std::uint64_t id = next_id_++;
    issued_.emplace(id, Issued{std::move(action), State::unsent, {}, {}});
    unsent_.push_back(id);
  }
  if (const After* after = std::get_if<After>(&plan.next)) {
    set_timer(std::max(after->wait, base::Duration(0)));
  } else if (const Stop* stop = std::get_if<Stop>(&plan.next)) {
    context_.log.warning("stopped until something changes",
                         {{"loop", std::string(loop_->name())}, {"reason", stop->reason}});
  }
  send();
}

void BatchRunner::set_timer(base::Duration wait) {
  if (again_timer_ != 0) context_.executor.cancel(again_timer_);
  again_timer_ = context_.executor.after(wait, [this] {
    again_timer_ = 0;
    dirty_ = true;
    plan_soon();
  });
}

void BatchRunner::send() {
  while (in_flight_ < kInFlightMax && !unsent_.empty()) {
    const std::uint64_t id = unsent_.front();
    unsent_.pop_front();
    Issued& issued = issued_.at(id);
    issued.state = State::in_flight;
    ++in_flight_;
    run_action(context_, effects_, loop_->name(), issued.action,
               [this, id](ActionResult result) { took(id, std::move(result)); });
  }
  if (dirty_) plan_soon();
}

void BatchRunner::took(std::uint64_t id, ActionResult result) {
  --in_flight_;
  const auto* call = std::get_if<client::Call>(&issued_.at(id).action.what);
  switch (result.kind) {
    case ActionResult::Kind::done:
      failures_ = 0;
      await(id, result.visible);
      break;
    case ActionResult::Kind::lost:
      context_.executor.reached("reconcile.batch_call_lost");
      fail(result.message);
      if (call != nullptr && context_.feeds.feed_of(call->resource) >= 0) {
        // It stays assumed until the view shows whether it happened.
        ++in_flight_;
        issued_.at(id).lost = true;
        read_back(context_, *call, [this, id](ActionResult head) {
          --in_flight_;
          await(id, head.visible);
          send();
        });
        return;
      }
      issued_.erase(id);
      break;
    case ActionResult::Kind::guarded:
      issued_.erase(id);
      break;
    case ActionResult::Kind::failed:
      fail(result.message);
      issued_.erase(id);
      break;
  }
  send();
}

void BatchRunner::await(std::uint64_t id, Visible visible) {
  Issued& issued = issued_.at(id);
  if (context_.feeds.reached(visible.feed, visible.revision)) {
    dirty_ = dirty_ || issued.lost;
    issued_.erase(id);
    return;
  }
  issued.state = State::awaited;
  issued.visible = visible;
  issued.since = context_.executor.now();
  awaited_.emplace(visible.feed, visible.revision, id);
  arm_overdue();
}

void BatchRunner::fail(const std::string& message) {
  ++failures_;
  not_before_ = context_.executor.now() + backoff(failures_, context_.executor.random());
  dirty_ = true;
  if (failures_ % kFailuresToLog == 0) {
    context_.log.warning("actions keep failing",
                         {{"loop", std::string(loop_->name())}, {"error", message}});
  }
}

void BatchRunner::arm_overdue() {
  if (overdue_timer_ != 0) return;
  overdue_timer_ = context_.executor.after(kOverdue, [this] {
    overdue_timer_ = 0;
    release_overdue();
  });
}

void BatchRunner::release_overdue() {
  const base::Instant now = context_.executor.now();
  std::size_t late = 0;
  for (auto at = awaited_.begin(); at != awaited_.end();) {
    const auto issued = issued_.find(std::get<2>(*at));
    const bool is_overdue = now - issued->second.since >= kOverdue;
    // However late the feed is: to plan without what was done would be to do it twice.
    if (!is_overdue || issued->second.visible.is_certain) {
      late += is_overdue;
      ++at;
      continue;
    }
    dirty_ = true;
    issued_.erase(issued);
    at = awaited_.erase(at);
  }
  if (late > 0) {
    context_.log.warning("the view does not show what was written",
                         {{"loop", std::string(loop_->name())}, {"writes", std::to_string(late)}});
  }
  if (!awaited_.empty()) arm_overdue();
  if (dirty_) plan_soon();
}

}  // namespace keelway::reconcile
