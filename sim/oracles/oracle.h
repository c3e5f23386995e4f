// An oracle looks at the state of one cluster and its hub and says what must not be.
#pragma once

#include <optional>
#include <string>

#include "client/view.h"
#include "sim/oracles/facts.h"

namespace keelway::sim {

struct State {
  const client::View& cluster;
  const client::View& hub;
  Facts& facts;
};
// Empty: nothing to complain of.
using Complaint = std::optional<std::string>;

// At every look.
Complaint nodes_are_never_overcommitted(const State& state);
Complaint pods_keep_apart(const State& state);
Complaint pod_addresses_are_unique(const State& state);
Complaint pods_run_only_on_nodes_that_were_there(const State& state);
Complaint no_claim_has_two_machines(const State& state);
Complaint pools_stay_within_limits(const State& state);
// At every change.
Complaint object_changes_as_it_may(const client::Change& change);
// When the world has come to rest.
Complaint every_machine_has_a_claim(const State& state);
Complaint every_claim_has_a_machine(const State& state);

}  // namespace keelway::sim
