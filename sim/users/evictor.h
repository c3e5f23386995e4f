// Somebody who drains: asks for the eviction of one pod after another of a workload that a
// disruption budget guards.
#pragma once

#include <string>
#include <vector>

#include "sim/users/user.h"
#include "sim/users/wire_client.h"

namespace keelway::sim {

class Evictor final : public User {
 public:
  Evictor(WireClient& wire, std::string app, int available_min)
      : wire_(wire), app_(std::move(app)), available_min_(available_min) {}
  ~Evictor() override { *alive_ = false; }

  static constexpr const char* budget_name = "guard";
  void act(base::Random& random) override;
  void conclude(base::Random&) override {}
  bool done() const override { return !busy_; }
  const Complaint& complaint() const override { return complaint_; }
  const char* name() const override { return "evictor"; }
  bool guarded() const { return guarded_; }  // the budget is there

 private:
  void make_budget();
  void list_pods();
  void evict(const std::string& pod);

  WireClient& wire_;
  const std::string app_;
  const int available_min_;
  bool guarded_ = false, busy_ = false;
  std::vector<std::string> pods_;
  Complaint complaint_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace keelway::sim
