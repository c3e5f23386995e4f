#include "sim/injector.h"

#include "runtime/virtual/disk.h"

namespace keelway::sim {

using Kind = Fault::Kind;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

// Longer than most leases, or shorter.
constexpr std::uint64_t down_ms_max = 30'000;

base::Duration down_time(const Fault& fault) {
  return milliseconds(static_cast<std::int64_t>((fault.target >> 8) % down_ms_max));
}

}  // namespace

Injector::Injector(runtime::World& world, const Shape& shape, const std::vector<bool>& enabled,
                   Weather& weather, Hands hands)
    : world_(world),
      shape_(shape),
      weather_(weather),
      hands_(std::move(hands)),
      active_(shape.faults.size(), false) {
  for (std::size_t i = 0; i < shape.faults.size(); ++i) {
    if (i < enabled.size() && !enabled[i]) continue;
    const base::Instant at = base::Instant{} + shape.faults[i].at;
    steps_.emplace(at, Step{i, true});
    steps_.emplace(at + shape.faults[i].lasts, Step{i, false});
  }
}

const base::Instant* Injector::next() const {
  return steps_.empty() ? nullptr : &steps_.begin()->first;
}

void Injector::act() {
  while (!steps_.empty() && steps_.begin()->first <= world_.now()) {
    const Step step = steps_.extract(steps_.begin()).mapped();
    if (step.begins) {
      const Fault& fault = shape_.faults[step.fault];
      const bool several = machines_.servers.size() > 1;
      hands_.note(fault.describe() + (several ? " (" + server_of(fault).name() + ")" : ""));
      active_[step.fault] = true;
      begin(step.fault);
    } else if (active_[step.fault]) {
      active_[step.fault] = false;
      end(step.fault);
    }
  }
}

void Injector::heal() {
  steps_.clear();
  for (std::size_t i = 0; i < active_.size(); ++i) {
    if (active_[i]) end(i);
    active_[i] = false;
  }
}

void Injector::change_weather(const Fault& fault, bool begins) {
  const std::int64_t amount = begins ? fault.amount : 0;
  switch (fault.kind) {
    case Kind::calls_lost:
      weather_.calls_lost = amount;
      break;
    case Kind::answers_lost:
      weather_.answers_lost = amount;
      break;
    case Kind::calls_doubled:
      weather_.calls_doubled = amount;
      break;
    case Kind::answers_late:
      weather_.answer_late_max = milliseconds(amount);
      break;
    case Kind::slow_watch:
      weather_.watch_late_max = milliseconds(amount);
      break;
    case Kind::sold_out:
      weather_.sold_out = amount;
      weather_.sold_out_salt = fault.target;
      break;
    case Kind::throttled:
      weather_.throttled = amount;
      break;
    case Kind::launch_lost:
      weather_.launches_lost = amount;
      break;
    case Kind::store_lost:
      weather_.store_lost = amount;
      break;
    case Kind::store_cut:
      weather_.cut_off[server_of(fault).name()] += begins ? 1 : -1;
      break;
    case Kind::calls_late:
      weather_.call_late_max = milliseconds(amount);
      break;
    case Kind::store_leader:
      weather_.store_leaderless += begins ? 1 : -1;
      break;
    default:
      break;
  }
}

void Injector::change_network(const Fault& fault, bool begins) {
  runtime::Host& server = server_of(fault);
  runtime::Host& users = *machines_.users;
  if (!begins && fault.kind != Kind::slow_link) return world_.heal(server, users);
  if (fault.kind == Kind::partition) world_.partition(server, users);
  if (fault.kind == Kind::mute) world_.silence(server, users);
  if (fault.kind == Kind::slow_link) {
    world_.slow(server, users, begins ? milliseconds(fault.amount) : milliseconds(0));
  }
}

void Injector::begin_disk(const Fault& fault) {
  runtime::VirtualDisk& disk = server_of(fault).disk();
  runtime::DiskFaults faults = disk.faults();
  switch (fault.kind) {
    case Kind::disk_error:
      disk.fail_nth(static_cast<std::uint64_t>(fault.amount),
                    {runtime::DiskCall::write, runtime::DiskCall::sync});
      return;
    case Kind::disk_full:
      faults.capacity = disk.used() + static_cast<std::uint64_t>(fault.amount) * 1024;
      break;
    default:
      faults.latency_max = milliseconds(fault.amount);
  }
  disk.set_faults(faults);
}

void Injector::begin(std::size_t index) {
  const Fault& fault = shape_.faults[index];
  switch (fault.kind) {
    case Kind::kill:
      return hands_.kill(struck(fault), down_time(fault));
    case Kind::power_cut:
      return hands_.lose_power(struck(fault), down_time(fault));
    case Kind::kill_at_answer:
      return hands_.strike_at_answer();
    case Kind::pause:
      return server_of(fault).pause(fault.lasts);
    case Kind::cut:
      return world_.cut_connections(server_of(fault), *machines_.users);
    case Kind::wall_jump:
      return server_of(fault).set_wall_skew(seconds(fault.amount));
    case Kind::compaction:
      return hands_.compact();
    case Kind::node_vanish:
      return hands_.remove_machine(fault.target);
    case Kind::partition:
    case Kind::mute:
    case Kind::slow_link:
      return change_network(fault, true);
    case Kind::disk_error:
    case Kind::disk_full:
    case Kind::disk_slow:
      return begin_disk(fault);
    case Kind::node_hang:
    case Kind::node_lie: {
      const std::string node = hands_.pick_node(fault.target);
      if (node.empty()) return;
      nodes_[index] = node;
      if (fault.kind == Kind::node_hang) ++weather_.nodes[node].hangs;
      // A clock before the others' and one behind them.
      const bool ahead = fault.target % 2 == 0;
      if (fault.kind == Kind::node_lie) {
        weather_.nodes[node].lie = seconds(ahead ? fault.amount : -fault.amount);
      }
      return;
    }
    default:
      return change_weather(fault, true);
  }
}

void Injector::end(std::size_t index) {
  const Fault& fault = shape_.faults[index];
  switch (fault.kind) {
    case Kind::partition:
    case Kind::mute:
    case Kind::slow_link:
      return change_network(fault, false);
    case Kind::disk_full:
    case Kind::disk_slow: {
      runtime::DiskFaults faults = server_of(fault).disk().faults();
      if (fault.kind == Kind::disk_full) faults.capacity.reset();
      if (fault.kind == Kind::disk_slow) faults.latency_max = {};
      return server_of(fault).disk().set_faults(faults);
    }
    case Kind::node_hang:
    case Kind::node_lie: {
      const auto node = nodes_.extract(index);
      if (node.empty()) return;
      NodeTrouble& trouble = weather_.nodes[node.mapped()];
      if (fault.kind == Kind::node_hang) --trouble.hangs;
      if (fault.kind == Kind::node_lie) trouble.lie = {};
      return;
    }
    case Kind::store_leader:
    case Kind::store_cut:
      // Some wake to a store that has forgotten what they missed.
      change_weather(fault, false);
      if (fault.target % 5 < 2) hands_.compact();
      return;
    default:
      return change_weather(fault, false);
  }
}

}  // namespace keelway::sim
