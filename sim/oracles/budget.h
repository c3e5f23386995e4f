// Voluntary acts keep a disruption budget: from the moment when the budget is there and every pod
// of its workload is well, no fewer are well than it demands. Holds for runs in which nothing else
// takes pods away, and begins anew after a node was silent for so long that its pods count as
// unready: those may be evicted as long as the budget, of a moment ago, says that enough others are
// well.
#pragma once

#include <functional>
#include <string>

#include "sim/oracles/oracle.h"

namespace keelway::sim {

class BudgetOracle {
 public:
  // `armed`: whether the budget is there.
  void guard(std::string app, int replicas, int available_min, std::function<bool()> armed);
  void release() { app_.clear(); }
  void look(const client::View& cluster);
  const Complaint& complaint() const { return complaint_; }

 private:
  std::string app_;  // empty: nothing is guarded
  int replicas_ = 0, available_min_ = 0;
  std::function<bool()> armed_;
  bool was_well_ = false;
  Complaint complaint_;
};

}  // namespace keelway::sim
