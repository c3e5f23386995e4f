// Who waits for whom when more is asked of a server than it can do: requests are sorted into
// levels as upstream's suggested configuration does, a level's flows share its queues by shuffle
// sharding, and both levels and queues are served by their shares. Pure: time is an argument.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "access/identity.h"
#include "base/time.h"

namespace keelway::access {

enum class Level {
  exempt,
  node_high,
  system,
  leader_election,
  workload_high,
  workload_low,
  global_default,
};
inline constexpr std::size_t level_count = 7;
std::string_view level_name(Level level);  // "node-high"

// What classification looks at.
struct FlowFacts {
  bool resource_request = true;
  std::string_view verb, group, resource, name_space, path;
};

// Upstream's suggested ones, by precedence.
enum class FlowSchema {
  exempt,
  probes,
  system_leader_election,
  workload_leader_election,
  system_node_high,
  system_nodes,
  kube_controller_manager,
  kube_scheduler,
  kube_system_service_accounts,
  service_accounts,
  global_default,
};
inline constexpr std::size_t flow_schema_count = 11;
std::string_view flow_schema_name(FlowSchema schema);  // "system-node-high"
// What answers name them by: the same in every cluster, for ever.
std::string_view level_uid(Level level);
std::string_view flow_schema_uid(FlowSchema schema);
Level level_of(FlowSchema schema);

struct FlowClass {
  FlowSchema schema = FlowSchema::global_default;
  std::string_view distinguisher;  // of the flow within the schema; points into the arguments
  Level level() const { return level_of(schema); }
};
FlowClass classify_flow(const Identity& who, const FlowFacts& facts);

struct FairnessLimits {
  // Requests that execute at once, of all levels but `exempt`. Levels of nodes, system and leader
  // election keep their share of these whatever the others ask.
  int seats = 600;
  int queue_length = 50;  // of one queue; a full one refuses
  // Work begun in one turn of the loop; what is beyond waits for the next, in fair order. A list,
  // a watch's beginning or a deletion of many counts as `heavy` requests.
  int turn = 64;
  int heavy = 8;
  base::Duration wait_max = std::chrono::seconds(15);
};

class FairQueues {
 public:
  using Resume = std::move_only_function<void(bool admitted)>;
  struct Entry {
    FlowSchema schema = FlowSchema::global_default;
    int cost = 1;
    base::Instant since;
    Resume resume;
  };

  explicit FairQueues(FairnessLimits limits);

  // Takes a seat, which leave() gives back. false: wait, or be refused.
  bool begin(FlowSchema schema, int cost, base::Instant now);
  // `resume` comes out of next() or expired(). false: the queue is full.
  bool wait(const FlowClass& flow, int cost, base::Instant now, Resume resume);
  void new_turn(base::Instant now);  // next() has a whole turn's work before it
  // The next that may begin, its seat taken; false: nothing more in this turn.
  bool next(Entry& entry);
  void leave(Level level);
  std::vector<Entry> expired(base::Instant now);  // whoever has waited too long

  std::size_t waiting() const { return waiting_; }
  std::size_t waiting(Level level) const;
  int executing(Level level) const;
  int seats_of(Level level) const;  // its nominal share
  bool could_begin() const;         // somebody waits for whom there is a seat

 private:
  struct Queue {
    std::deque<Entry> entries;
    double start = 0;  // virtual time at which its first entry begins
  };
  struct LevelState {
    std::map<std::uint32_t, Queue> queues;             // those that are not empty
    std::set<std::pair<double, std::uint32_t>> order;  // by virtual start
    double clock = 0;                                  // virtual time within the level
    double start = 0;                                  // of the level among levels
    std::size_t waiting = 0;
    int executing = 0;
  };
  LevelState& state(Level level) { return levels_[static_cast<std::size_t>(level)]; }
  const LevelState& state(Level level) const { return levels_[static_cast<std::size_t>(level)]; }
  bool has_seat(Level level) const;
  bool turn_is_open(base::Instant now);
  void take_seat(Level level, int cost);
  std::uint32_t choose_queue(const FlowClass& flow) const;
  Entry take_first(LevelState& level, std::uint32_t index);

  FairnessLimits limits_;
  std::array<LevelState, level_count> levels_;
  std::size_t waiting_ = 0;
  int executing_ = 0;  // without exempt
  double clock_ = 0;   // virtual time among levels
  base::Instant turn_;
  int spent_ = 0;  // in this turn
};

}  // namespace keelway::access
