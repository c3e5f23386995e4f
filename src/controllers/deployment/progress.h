// The status that a rollout has, and whether it moves.
#pragma once

#include <optional>
#include <string_view>

#include "controllers/deployment/rollout.h"

namespace keelway::controllers {

// Deployment conditions carry lastUpdateTime beside lastTransitionTime. No change where status
// and reason are the same, unless `refresh` says that the progress is news.
bool set_deployment_condition(value::Value& conditions, std::string_view type,
                              std::string_view status, std::string_view reason,
                              std::string_view message, base::WallTime now, bool refresh = false);

struct Progress {
  value::Value status;
  std::optional<base::Duration> until_deadline;  // look again then
  bool complete = false;
};
Progress measure_progress(const Rollout& rollout, base::WallTime now);

}  // namespace keelway::controllers
