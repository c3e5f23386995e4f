#include "sim/oracles/budget.h"

#include <fmt/core.h>

#include "client/resources.h"
#include "reconcile/conditions.h"

namespace keelway::sim {

namespace resources = client::resources;

void BudgetOracle::guard(std::string app, int replicas, int available_min,
                         std::function<bool()> armed) {
  app_ = std::move(app);
  replicas_ = replicas;
  available_min_ = available_min;
  armed_ = std::move(armed);
}

void BudgetOracle::look(const client::View& cluster) {
  if (app_.empty() || complaint_ || !armed_() || !cluster.synced()) return;
  if (cluster.get(resources::disruption_budgets, "default", "guard") == nullptr) return;
  int well = 0;
  for (const auto& pod : cluster.list(resources::pods, "default")) {
    if (pod->label("app") != app_ || pod->deleting()) continue;
    const value::Value status = pod->value()["status"];
    if (status["phase"].as_string() != "Running") continue;
    if (!reconcile::is_condition_true(status["conditions"], "Ready")) {
      // Its node was silent for too long: the budget no longer guards it, and what the budget says
      // may be older than that. It begins anew once all are well again.
      was_well_ = false;
      return;
    }
    ++well;
  }
  was_well_ = was_well_ || well >= replicas_;
  if (was_well_ && well < available_min_) {
    complaint_ = fmt::format("{} pods of {} are well, its disruption budget demands {}", well, app_,
                             available_min_);
  }
}

}  // namespace keelway::sim
