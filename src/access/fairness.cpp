#include "access/fairness.h"

#include <algorithm>
#include <cmath>

#include "base/encoding.h"

namespace keelway::access {
namespace {

using namespace std::string_view_literals;  // texts of other sizes are told apart by those alone

// Shares, queues and hands as upstream's suggested objects have them; `exempt` has a share here
// because its requests too take turns, though they are never refused.
struct LevelFacts {
  std::string_view name;
  double shares;
  std::uint32_t queues, hand;
  bool guaranteed;
  std::string_view uid;
};
constexpr std::array<LevelFacts, level_count> kLevels = {{
    {"exempt", 200, 64, 1, false, "e9406b81-2793-582c-befa-24e74a295025"},
    {"node-high", 40, 64, 6, true, "080ddc5f-37c8-5eab-8fe0-1a1dcbab7f93"},
    {"system", 30, 64, 6, true, "8ef404ad-d6ff-55c8-ae3a-c8453944e3cb"},
    {"leader-election", 10, 16, 4, true, "a1fe5fa6-20ee-5f35-a9f9-8dcae22495ea"},
    {"workload-high", 40, 128, 6, false, "abc6adc6-c4a8-55a8-9fa2-5690288284ba"},
    {"workload-low", 100, 128, 6, false, "788c8bc0-edf5-5fa5-b3e0-c2a615e7ac4e"},
    {"global-default", 20, 128, 6, false, "4155bcb1-a56d-5ccb-81ce-d18850b8b825"},
}};
struct SchemaFacts {
  std::string_view name;
  Level level;
  std::string_view uid;
};
constexpr std::array<SchemaFacts, flow_schema_count> kSchemas = {{
    {"exempt", Level::exempt, "6fda29d8-bb7e-55e8-8cbb-fa3d4b4c3d7a"},
    {"probes", Level::exempt, "c198d9d2-512f-5ec2-8dac-537c69cf26ca"},
    {"system-leader-election", Level::leader_election, "4716b676-f807-5e5a-aff7-fa9b90d3fe1a"},
    {"workload-leader-election", Level::leader_election, "fbb2aeae-4183-5bb8-9995-98afca99df3d"},
    {"system-node-high", Level::node_high, "824afd4f-580b-574a-bdb3-347b62957d01"},
    {"system-nodes", Level::system, "be058716-510d-5db8-9237-29ff0e76050c"},
    {"kube-controller-manager", Level::workload_high, "0ea5dc07-54e5-5fe7-b08f-f4d055f82a85"},
    {"kube-scheduler", Level::workload_high, "2d8509e8-f452-5256-95c6-9d6700f06d4e"},
    {"kube-system-service-accounts", Level::workload_high, "1051c220-83c4-5f7f-97c7-5c3dfec551ee"},
    {"service-accounts", Level::workload_low, "e51029ad-14e0-5b02-a1b3-912159f375b2"},
    {"global-default", Level::global_default, "38148f77-6ab4-560e-b413-5e69c947738c"},
}};
constexpr double kSharesOfSeats = 240;  // without exempt

constexpr const LevelFacts& facts_of(Level level) {
  return kLevels[static_cast<std::size_t>(level)];
}

bool is_health(std::string_view path) {
  for (const std::string_view known : {"/healthz", "/livez", "/readyz"}) {
    if (path.starts_with(known) && (path.size() == known.size() || path[known.size()] == '/')) {
      return true;
    }
  }
  return false;
}

// What the groups of an identity say, read once.
struct Membership {
  bool masters = false, nodes = false, service_accounts = false, kube_system = false;
};
Membership read_groups(const Identity& who) {
  Membership in;
  for (const std::string& group : who.groups) {
    if (!group.starts_with("system:")) continue;
    in.masters = in.masters || group == "system:masters"sv;
    in.nodes = in.nodes || group == "system:nodes"sv;
    in.service_accounts = in.service_accounts || group == "system:serviceaccounts"sv;
    in.kube_system = in.kube_system || group == "system:serviceaccounts:kube-system"sv;
  }
  return in;
}

bool elects(const FlowFacts& facts) {
  return facts.resource_request && facts.group == "coordination.k8s.io" &&
         facts.resource == "leases" &&
         (facts.verb == "get" || facts.verb == "create" || facts.verb == "update");
}

bool keeps_node_alive(const FlowFacts& facts) {
  if (!facts.resource_request) return false;
  return (facts.group.empty() && facts.resource == "nodes") ||
         (facts.group == "coordination.k8s.io" && facts.resource == "leases");
}

}  // namespace

std::string_view level_name(Level level) {
  return facts_of(level).name;
}

std::string_view flow_schema_name(FlowSchema schema) {
  return kSchemas[static_cast<std::size_t>(schema)].name;
}

std::string_view level_uid(Level level) {
  return facts_of(level).uid;
}

std::string_view flow_schema_uid(FlowSchema schema) {
  return kSchemas[static_cast<std::size_t>(schema)].uid;
}

Level level_of(FlowSchema schema) {
  return kSchemas[static_cast<std::size_t>(schema)].level;
}

FlowClass classify_flow(const Identity& who, const FlowFacts& facts) {
  const Membership in = read_groups(who);
  const std::string_view user = who.user;
  if (in.masters) return {FlowSchema::exempt, user};
  if (!facts.resource_request && facts.verb == "get" && is_health(facts.path)) {
    return {FlowSchema::probes, ""};
  }
  const bool manager = user == "system:kube-controller-manager";
  const bool scheduler = user == "system:kube-scheduler";
  if (elects(facts) && (manager || scheduler) && facts.name_space == "kube-system") {
    return {FlowSchema::system_leader_election, user};
  }
  if (elects(facts) && in.kube_system) return {FlowSchema::workload_leader_election, user};
  if (in.nodes) {
    return {keeps_node_alive(facts) ? FlowSchema::system_node_high : FlowSchema::system_nodes,
            user};
  }
  if (manager) return {FlowSchema::kube_controller_manager, facts.name_space};
  if (scheduler) return {FlowSchema::kube_scheduler, facts.name_space};
  if (in.kube_system) return {FlowSchema::kube_system_service_accounts, facts.name_space};
  if (in.service_accounts) return {FlowSchema::service_accounts, user};
  return {FlowSchema::global_default, user};
}

FairQueues::FairQueues(FairnessLimits limits) : limits_(limits) {}

int FairQueues::seats_of(Level level) const {
  if (level == Level::exempt) return 0;
  return static_cast<int>(std::ceil(limits_.seats * facts_of(level).shares / kSharesOfSeats));
}

std::size_t FairQueues::waiting(Level level) const {
  return state(level).waiting;
}

int FairQueues::executing(Level level) const {
  return state(level).executing;
}

// A level may borrow what others leave, but not what a guaranteed level has not taken yet.
bool FairQueues::has_seat(Level level) const {
  if (level == Level::exempt || state(level).executing < seats_of(level)) return true;
  int kept = 0;
  for (std::size_t i = 0; i < level_count; ++i) {
    const auto other = static_cast<Level>(i);
    if (other == level || !kLevels[i].guaranteed) continue;
    kept += std::max(0, seats_of(other) - levels_[i].executing);
  }
  return executing_ + kept < limits_.seats;
}

void FairQueues::new_turn(base::Instant now) {
  turn_ = now;
  spent_ = 0;
}

bool FairQueues::turn_is_open(base::Instant now) {
  if (now != turn_) new_turn(now);
  return spent_ < limits_.turn;
}

void FairQueues::take_seat(Level level, int cost) {
  spent_ += cost;
  ++state(level).executing;
  if (level != Level::exempt) ++executing_;
}

bool FairQueues::begin(FlowSchema schema, int cost, base::Instant now) {
  const Level level = level_of(schema);
  const bool passes = waiting_ == 0 || (level == Level::exempt && state(level).waiting == 0);
  if (!passes || !turn_is_open(now) || !has_seat(level)) return false;
  take_seat(level, cost);
  return true;
}

bool FairQueues::wait(const FlowClass& flow, int cost, base::Instant now, Resume resume) {
  LevelState& level = state(flow.level());
  const std::uint32_t index = choose_queue(flow);
  const auto found = level.queues.find(index);
  const bool exempt = flow.level() == Level::exempt;
  if (!exempt && found != level.queues.end() &&
      found->second.entries.size() >= static_cast<std::size_t>(limits_.queue_length)) {
    return false;
  }
  if (level.waiting == 0) level.start = std::max(level.start, clock_);
  Queue& queue = level.queues[index];
  if (queue.entries.empty()) {
    queue.start = std::max(queue.start, level.clock);
    level.order.insert({queue.start, index});
  }
  queue.entries.push_back({flow.schema, cost, now, std::move(resume)});
  ++level.waiting;
  ++waiting_;
  return true;
}

// The shortest of the few queues that the flow's hash deals to it, so that one busy flow fills
// only those and any other flow most likely holds one that it does not.
std::uint32_t FairQueues::choose_queue(const FlowClass& flow) const {
  const LevelFacts& facts = facts_of(flow.level());
  const LevelState& level = state(flow.level());
  const auto salt = static_cast<std::uint64_t>(flow.schema) * 0x9E3779B97F4A7C15ull;
  std::uint64_t hash = salt ^ base::hash64(flow.distinguisher);
  std::uint32_t best = 0;
  std::size_t best_length = SIZE_MAX;
  for (std::uint32_t card = 0; card < facts.hand; ++card) {
    hash = (hash ^ (hash >> 31)) * 0xBF58476D1CE4E5B9ull;
    const auto index = static_cast<std::uint32_t>((hash >> 32) % facts.queues);
    const auto found = level.queues.find(index);
    const std::size_t length = found == level.queues.end() ? 0 : found->second.entries.size();
    if (length >= best_length) continue;
    best = index;
    best_length = length;
  }
  return best;
}

bool FairQueues::next(Entry& entry) {
  if (waiting_ == 0 || spent_ >= limits_.turn) return false;
  LevelState* chosen = nullptr;
  Level chosen_level = Level::exempt;
  for (std::size_t i = 0; i < level_count; ++i) {
    LevelState& level = levels_[i];
    if (level.waiting == 0 || !has_seat(static_cast<Level>(i))) continue;
    if (chosen != nullptr && level.start >= chosen->start) continue;
    chosen = &level;
    chosen_level = static_cast<Level>(i);
  }
  if (chosen == nullptr) return false;
  entry = take_first(*chosen, chosen->order.begin()->second);
  clock_ = std::max(clock_, chosen->start);
  chosen->start += entry.cost / facts_of(chosen_level).shares;
  take_seat(chosen_level, entry.cost);
  return true;
}

FairQueues::Entry FairQueues::take_first(LevelState& level, std::uint32_t index) {
  const auto found = level.queues.find(index);
  Queue& queue = found->second;
  Entry entry = std::move(queue.entries.front());
  queue.entries.pop_front();
  level.order.erase({queue.start, index});
  level.clock = std::max(level.clock, queue.start);
  queue.start += entry.cost;
  if (queue.entries.empty()) {
    level.queues.erase(found);
  } else {
    level.order.insert({queue.start, index});
  }
  --level.waiting;
  --waiting_;
  return entry;
}

void FairQueues::leave(Level level) {
  --state(level).executing;
  if (level != Level::exempt) --executing_;
}

bool FairQueues::could_begin() const {
  if (waiting_ == 0) return false;
  for (std::size_t i = 0; i < level_count; ++i) {
    if (levels_[i].waiting > 0 && has_seat(static_cast<Level>(i))) return true;
  }
  return false;
}

std::vector<FairQueues::Entry> FairQueues::expired(base::Instant now) {
  std::vector<Entry> gone;
  for (std::size_t i = 0; i < level_count; ++i) {
    if (static_cast<Level>(i) == Level::exempt) continue;
    LevelState& level = levels_[i];
    std::vector<std::uint32_t> indexes;
    for (const auto& [index, queue] : level.queues) indexes.push_back(index);
    for (const std::uint32_t index : indexes) {
      while (true) {
        const auto found = level.queues.find(index);
        if (found == level.queues.end()) break;
        if (now - found->second.entries.front().since < limits_.wait_max) break;
        gone.push_back(take_first(level, index));
      }
    }
  }
  return gone;
}

}  // namespace keelway::access
