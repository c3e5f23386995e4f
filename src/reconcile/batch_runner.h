// Runs one BatchLoop: plans over the view and what it issued that the view does not show yet.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "reconcile/runner.h"

namespace keelway::reconcile {

class BatchRunner final : public Runner {
 public:
  BatchRunner(Context context, std::unique_ptr<BatchLoop> loop, EffectExecutor effects);
  ~BatchRunner() override;

  std::vector<client::Resource> watches() const override { return loop_->watches(); }
  void observe(const client::Change& change) override;
  void advance() override;

 private:
  enum class State { unsent, in_flight, awaited };
  struct Issued {
    Action action;
    State state = State::unsent;
    Visible visible;
    base::Instant since;
    bool lost = false;  // perhaps it did nothing, and no change will wake the loop: plan again
  };
  void plan_soon();
  void plan();
  void send();
  void took(std::uint64_t id, ActionResult result);
  void await(std::uint64_t id, Visible visible);
  void fail(const std::string& message);
  void set_timer(base::Duration wait);
  void arm_overdue();
  void release_overdue();

  const Context context_;
  const std::unique_ptr<BatchLoop> loop_;
  const EffectExecutor effects_;
  std::map<std::uint64_t, Issued> issued_;  // in order of issue
  // Of the awaited: feed, revision, number; so that a change looks only at what it shows.
  std::set<std::tuple<int, client::Revision, std::uint64_t>> awaited_;
  std::deque<std::uint64_t> unsent_;
  std::uint64_t next_id_ = 1;
  std::size_t in_flight_ = 0;
  bool dirty_ = false;
  bool plan_pending_ = false;  // posted or on the window's timer
  int failures_ = 0;
  base::Instant not_before_;  // backoff after failures
  runtime::TimerId window_timer_ = 0, again_timer_ = 0, overdue_timer_ = 0;
};

}  // namespace keelway::reconcile
