// Runs one KeyedLoop: each key is planned by at most one round at a time, and not before the view
// shows what the last round wrote.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <tuple>
#include <vector>

#include "reconcile/runner.h"

namespace keelway::reconcile {

class KeyedRunner final : public Runner {
 public:
  KeyedRunner(Context context, std::unique_ptr<KeyedLoop> loop, EffectExecutor effects);
  ~KeyedRunner() override;

  std::vector<client::Resource> watches() const override { return loop_->watches(); }
  void observe(const client::Change& change) override;
  void advance() override;

 private:
  enum class Phase { idle, queued, running, waiting, resting };
  struct Entry {
    Phase phase = Phase::idle;
    bool dirty = false;  // changed since it ran
    int failures = 0;
    int waits = 0;                        // revisions that the view has not reached
    std::optional<base::Duration> again;  // what the last plan or failure asked for
    base::Duration rest{0};               // after the view has reached them
    runtime::TimerId timer = 0;
  };
  struct Round;
  using Wait = std::tuple<int, client::Revision, Key>;  // feed, revision, who

  void enqueue(const Key& key);
  void pump_soon();
  void pump();
  void plan(const Key& key);
  void issue(const std::shared_ptr<Round>& round);
  void took(const std::shared_ptr<Round>& round, const Action& action, ActionResult result);
  void finish_if_over(const std::shared_ptr<Round>& round);
  void tell_refusal(const Round& round);
  void finish(Round& round);
  void wait_for(const Key& key, Visible visible, Address where);
  void settle(const Key& key);
  void arm_overdue();
  void look_at_overdue();
  void release(const Wait& wait);

  const Context context_;
  const std::unique_ptr<KeyedLoop> loop_;
  const EffectExecutor effects_;
  std::map<Key, Entry> entries_;  // only keys with something to remember
  std::deque<Key> queue_;
  struct Waiting {
    base::Instant since;
    Address where;  // what was written last
  };
  std::map<Wait, Waiting> waits_;
  int running_ = 0;
  bool pump_posted_ = false;
  bool was_synced_ = false;
  runtime::TimerId overdue_timer_ = 0;
};

}  // namespace keelway::reconcile
