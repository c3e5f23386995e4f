#include "sim/fault.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

namespace keelway::sim {
namespace {

using Kind = Fault::Kind;

struct Rule {
  Kind kind;
  const char* name;
  double alive;             // chance that a run has this kind at all
  int count_max;            // of a run that has it
  std::int64_t ms_max;      // how long it lasts; 0: a moment
  std::int64_t amount_max;  // 0: none; drawn in [1, amount_max]
  enum class Needs { nothing, disks, shared_store, several } needs = Needs::nothing;
};

// Lives stay within what the house promises to survive: every fault ends.
constexpr std::array<Rule, fault_kinds> rules = {{
    {Kind::kill, "kill", 0.3, 3, 0, 0},
    {Kind::kill_at_answer, "kill at an answer", 0.35, 3, 0, 0},
    {Kind::power_cut, "power cut", 0.15, 2, 0, 0},
    {Kind::pause, "pause", 0.2, 2, 60'000, 0},
    {Kind::partition, "partition", 0.2, 2, 60'000, 0},
    {Kind::mute, "mute", 0.15, 2, 60'000, 0},
    {Kind::cut, "cut", 0.3, 5, 0, 0},
    {Kind::slow_link, "slow link", 0.2, 2, 60'000, 3'000},
    {Kind::calls_lost, "calls lost", 0.3, 2, 120'000, 100},
    {Kind::answers_lost, "answers lost", 0.3, 2, 120'000, 100},
    {Kind::calls_doubled, "calls doubled", 0.15, 1, 120'000, 100},
    {Kind::answers_late, "answers late", 0.3, 2, 120'000, 3'000},
    {Kind::slow_watch, "slow watch", 0.3, 2, 120'000, 5'000},
    {Kind::wall_jump, "wall clock", 0.2, 2, 0, 120},
    {Kind::sold_out, "sold out", 0.2, 1, 120'000, 900},
    {Kind::throttled, "throttled", 0.2, 2, 60'000, 800},
    {Kind::launch_lost, "launch lost", 0.2, 2, 60'000, 500},
    {Kind::node_vanish, "node vanishes", 0.1, 2, 0, 0},
    {Kind::node_hang, "node hangs", 0.1, 2, 180'000, 0},
    {Kind::node_lie, "node lies", 0.1, 2, 120'000, 600},
    {Kind::disk_error, "disk error", 0.15, 1, 0, 200, Rule::Needs::disks},
    {Kind::disk_full, "disk full", 0.15, 1, 60'000, 256, Rule::Needs::disks},
    {Kind::disk_slow, "disk slow", 0.2, 2, 60'000, 200, Rule::Needs::disks},
    {Kind::compaction, "compaction", 0.2, 4, 0, 0},
    {Kind::store_lost, "store answers lost", 0.4, 2, 60'000, 50, Rule::Needs::shared_store},
    {Kind::store_leader, "store without leader", 0.4, 3, 10'000, 0, Rule::Needs::shared_store},
    {Kind::store_cut, "cut off from the store", 0.6, 3, 40'000, 0, Rule::Needs::several},
    {Kind::calls_late, "calls late", 0.6, 2, 60'000, 20'000, Rule::Needs::several},
}};

constexpr auto launches_span = std::chrono::seconds(10);

const Rule& rule_of(Kind kind) {
  return rules[static_cast<std::size_t>(kind)];
}

base::Duration draw_below(base::Random& random, base::Duration bound) {
  return base::Duration(
      static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(bound.count()) + 1)));
}

}  // namespace

const char* name_of(Kind kind) {
  return rule_of(kind).name;
}

std::string Fault::describe() const {
  const Rule& rule = rule_of(kind);
  std::string text = fmt::format("{} {}", base::format_duration(at), rule.name);
  if (rule.amount_max > 0) text += fmt::format(" {}", amount);
  if (rule.ms_max > 0) text += " for " + base::format_duration(lasts);
  return text;
}

std::vector<Fault> draw_faults(base::Random& random, const FaultBudget& budget) {
  std::vector<Fault> faults;
  for (const Rule& rule : rules) {
    // Drawn for every kind, so that a new kind changes as few runs as it can.
    base::Random mine = random.fork();
    if (!mine.chance(rule.alive)) continue;
    if (rule.needs == Rule::Needs::disks && !budget.disks) continue;
    if (rule.needs == Rule::Needs::shared_store && !budget.shared_store) continue;
    if (rule.needs == Rule::Needs::several && !budget.several) continue;
    const auto count = 1 + mine.below(static_cast<std::uint64_t>(rule.count_max));
    for (std::uint64_t i = 0; i < count; ++i) {
      Fault fault{.kind = rule.kind, .at = draw_below(mine, budget.span)};
      // Most machines are launched in the first seconds.
      const bool of_cloud = rule.kind == Kind::sold_out || rule.kind == Kind::throttled ||
                            rule.kind == Kind::launch_lost;
      if (of_cloud && mine.chance(0.5)) fault.at = draw_below(mine, launches_span);
      if (rule.ms_max > 0) {
        fault.lasts = draw_below(mine, std::chrono::milliseconds(rule.ms_max));
        fault.lasts = std::min(fault.lasts, budget.span - fault.at);
        // Whole milliseconds read better.
        fault.lasts -= fault.lasts % std::chrono::milliseconds(1);
      }
      fault.at -= fault.at % std::chrono::microseconds(1);
      if (rule.amount_max > 0) {
        fault.amount =
            1 + static_cast<std::int64_t>(mine.below(static_cast<std::uint64_t>(rule.amount_max)));
      }
      if (rule.kind == Kind::wall_jump && mine.chance(0.5)) fault.amount = -fault.amount;
      fault.target = mine.next();
      faults.push_back(fault);
    }
  }
  std::stable_sort(faults.begin(), faults.end(),
                   [](const Fault& a, const Fault& b) { return a.at < b.at; });
  return faults;
}

}  // namespace keelway::sim
