// How a hollow node and its pods spend their time.
#pragma once

#include "base/time.h"

namespace keelway::node::hollow {

struct Stage {
  base::Duration lease_interval = std::chrono::seconds(10);
  base::Duration status_interval = std::chrono::minutes(5);
  base::Duration pod_start{0};  // from binding to Running
  base::Duration pod_stop{0};   // from deletion to gone, at most the pod's grace period
};

}  // namespace keelway::node::hollow
