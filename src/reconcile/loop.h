// The loop kit. A loop plans, then the runner acts: plan() is pure over a view, and only the
// runner speaks to the API, through a client.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/time.h"
#include "client/client.h"
#include "client/view.h"
#include "runtime/runtime.h"
#include "telemetry/log.h"

namespace keelway::reconcile {

using Seed = std::uint64_t;

// Names one object that a loop looks after; `kind` where a loop has several.
struct Key {
  std::string name_space, name, kind;
  friend bool operator==(const Key&, const Key&) = default;
  friend auto operator<=>(const Key&, const Key&) = default;
};

// An object write, or an effect: something outside the API whose executor was handed to the
// runner. Effects carry a token that an object recorded first, so that doing one twice is harmless.
struct Effect {
  std::string name;  // "launch", "terminate" ...
  std::string token;
  value::Value arguments;
};
struct Action {
  std::variant<client::Call, Effect> what;
  // A failure with one of these reasons is as good as success ("NotFound" of a delete,
  // "AlreadyExists" of a create). "*" tolerates any.
  std::vector<std::string> tolerated;
  // A guard, of a get: the round goes on only if the object does not exist or has another uid
  // than this one ("*": not at all); of a list, with "*": only if it is empty. For decisions that a
  // view alone must not make.
  std::string absent_uid = {};
};

struct Done {};  // until something changes
struct After {
  base::Duration wait;
};  // look again then, at the latest
struct Stop {
  std::string reason;
};  // cannot go on until the object changes; reported
struct Plan {
  // Executed in order; the first intolerable failure ends the round, the key is planned again
  // with backoff.
  std::vector<Action> actions;
  std::variant<Done, After, Stop> next = Done{};
  // The actions do not depend on each other: several may be in flight, one first, then twice as
  // many after each success (slow start); a failure lets no further ones start but updates of a
  // status, which tell how far it came.
  bool independent = false;
  // After a round that did something the key is left alone this long, whatever changes: for
  // objects that sum up many others, so that one write tells of many changes.
  base::Duration rest{0};
};

// Level-based, one object at a time.
class KeyedLoop {
 public:
  virtual ~KeyedLoop() = default;
  virtual std::string_view name() const = 0;  // "deployment"; also the field manager
  virtual std::vector<client::Resource> watches() const = 0;
  // The keys that a change may concern.
  virtual void keys_of(const client::Change& change, const client::View& view,
                       std::vector<Key>& keys) const = 0;
  virtual Plan plan(const client::View& view, const Key& key, base::WallTime now,
                    Seed seed) const = 0;
  // What a refused action leaves behind for people: an event, a condition. Carried out when the
  // round is over; failures of these count for nothing. Of one round only the first is told.
  virtual std::vector<Action> on_refusal(const client::View&, const Key&, const Action&,
                                         const std::string& /*message*/, base::WallTime,
                                         Seed) const {
    return {};
  }
  // Keys to plan once when the view is first complete, whether or not their objects exist.
  virtual std::vector<Key> first_keys() const { return {}; }
  // Resources to watch from now on because of this change (of a CRD, say).
  virtual std::vector<client::Resource> more_watches(const client::Change&) const { return {}; }
};

// All pending work at once, over a view and what this loop has issued and not yet seen. The
// actions of a batch plan are independent of each other: issued in order, many in flight, and a
// failure drops only its own action (the next plan sees it gone from `assumed`).
class BatchLoop {
 public:
  virtual ~BatchLoop() = default;
  virtual std::string_view name() const = 0;
  virtual std::vector<client::Resource> watches() const = 0;
  // Every change that the view has taken, in order, before `wakes` and the next plan: for what a
  // loop keeps beside the view. It must not change what is planned, only how fast.
  virtual void observe(const client::Change&) const {}
  // Whether a change can give this loop work.
  virtual bool wakes(const client::Change& change) const = 0;
  // Actions that were issued and whose effect the view does not show yet.
  struct Assumed {
    std::vector<const Action*> actions;
  };
  virtual Plan plan(const client::View& view, const Assumed& assumed, base::WallTime now,
                    Seed seed) const = 0;
  // How long changes are collected before a plan.
  virtual base::Duration batch_window() const { return base::Duration(0); }
};

using EffectDone = std::move_only_function<void(base::Result<value::Value>)>;
using EffectExecutor = std::function<void(const Effect&, EffectDone)>;

// Runs loops of one cluster on one executor over one shared view. An idle manager owns no timer.
class Manager {
 public:
  virtual ~Manager() = default;
  virtual void add(std::unique_ptr<KeyedLoop> loop, EffectExecutor effects = {}) = 0;
  virtual void add(std::unique_ptr<BatchLoop> loop, EffectExecutor effects = {}) = 0;
  virtual void start() = 0;  // after the last add
  virtual const client::View& view() const = 0;
  // Extends the view, and with it every loop that asks for keys of such changes. Known ones are
  // ignored. Any time.
  virtual void watch_more(std::vector<client::Resource> resources) = 0;
};

// `log` hears of Stop and of failures that repeat.
std::unique_ptr<Manager> make_manager(runtime::Executor& executor, client::Client& client,
                                      telemetry::Log log = {});

}  // namespace keelway::reconcile
