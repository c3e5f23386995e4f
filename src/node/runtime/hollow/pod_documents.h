// What a kubelet would do next with a pod, and write about it, where the pod is only played.
#pragma once

#include <string>
#include <string_view>

#include "base/time.h"
#include "node/runtime/hollow/stage.h"
#include "value/value.h"

namespace keelway::node::hollow {

// "N": the pod's containers exit with 0 after N seconds, and the pod is Succeeded. Ignored where
// restartPolicy is Always.
inline constexpr std::string_view run_seconds = "hollow.keelway.dev/run-seconds";

struct Step {
  enum class Kind {
    none,
    start,   // running_patch
    gates,   // ready_patch
    finish,  // finished_patch
    stop,    // delete it for good
  };
  Kind kind = Kind::none;
  base::Duration wait{0};
};
Step next_step(const value::Value& pod, const Stage& stage, base::WallTime now);

// Merge patches of the status. All containers run:
value::Value running_patch(const value::Value& pod, const std::string& pod_address,
                           const std::string& host_address, base::WallTime now);
// The Ready condition follows the pod's readiness gates:
value::Value ready_patch(const value::Value& pod, base::WallTime now);
// All containers have ended well:
value::Value finished_patch(const value::Value& pod, base::WallTime now);

}  // namespace keelway::node::hollow
