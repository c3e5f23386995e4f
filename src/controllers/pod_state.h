// What controllers ask of a pod's status.
#pragma once

#include <optional>
#include <string>

#include "base/by_text.h"
#include "base/time.h"
#include "client/client.h"

namespace keelway::controllers {

struct PodState {
  client::ObjectPtr object;
  std::string node, phase;
  bool active = true;  // neither finished nor being deleted
  bool ready = false;
  base::WallTime ready_since, created;
  std::int64_t deletion_cost = 0;  // annotation controller.kubernetes.io/pod-deletion-cost
  std::int64_t restarts = 0;
  // What its controller's selector and template say of its labels, at that generation of the
  // controller; kept by whoever asks.
  std::int64_t judged_at = -1;
  bool selected = false, labelled = false;

  // Ready for at least `min_ready_seconds`. Where not yet: how long that takes, in *left.
  bool available(std::int64_t min_ready_seconds, base::WallTime now,
                 std::optional<base::Duration>* left = nullptr) const;
};
PodState read_pod_state(client::ObjectPtr object);

// States by revision, for loops that look at the same pods again and again. A cache: it says what
// read_pod_state says.
class PodStates {
 public:
  PodState& read(const client::ObjectPtr& object);  // stays in place until it is forgotten
  PodState find(std::string_view uid) const {       // without an object where it was never read
    const auto found = states_.find(uid);
    return found != states_.end() ? found->second : PodState();
  }
  // A pod that is gone must be forgotten.
  void forget(const client::Object& object) {
    if (const auto found = states_.find(object.uid()); found != states_.end()) states_.erase(found);
  }

 private:
  base::ByText<PodState> states_;  // by uid
};

// "25%" of `total`, or the number itself; never below 0.
std::int64_t resolve_percent(const value::Value& int_or_percent, std::int64_t total, bool round_up);

}  // namespace keelway::controllers
