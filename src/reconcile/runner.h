// What the keyed and the batch runner share: the context, and the running of one action.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "client/client.h"
#include "reconcile/event_correlator.h"
#include "reconcile/feeds.h"
#include "reconcile/loop.h"
#include "runtime/runtime.h"
#include "telemetry/log.h"

namespace keelway::reconcile {

class Runner;

struct Context {
  runtime::Executor& executor;
  client::Client& client;
  Feeds& feeds;
  EventCorrelator& events;
  telemetry::Log log;
  // Gone once the manager is: what comes back later is dropped.
  std::weak_ptr<void> alive;
  // On behalf of one runner, which then observes their changes, those that are in the view too.
  std::function<void(Runner&, std::vector<client::Resource>)> watch_more;
};

class Runner {
 public:
  virtual ~Runner() = default;
  virtual std::vector<client::Resource> watches() const = 0;
  // The view has taken the change already.
  virtual void observe(const client::Change& change) = 0;
  // The view moved; after the observes of a batch.
  virtual void advance() = 0;
};

// The revision at which a write shows, and the feed that will show it (-1: none).
struct Visible {
  int feed = -1;
  client::Revision revision = 0;
  // An object was written there, so the feed will come to it; else perhaps nothing was, and the
  // feed reaches the revision only with the next thing that happens.
  bool is_certain = false;
};

struct ActionResult {
  enum class Kind {
    done,
    guarded,  // the guard holds the rest of the round back
    failed,
    lost,  // nobody knows whether it happened
  };
  Kind kind = Kind::done;
  Visible visible;      // of a write that is done
  std::string message;  // of failed and lost
};
using ActionDone = std::function<void(ActionResult)>;

// `done` comes later, never inside; never once the manager is gone.
void run_action(const Context& context, const EffectExecutor& effects, std::string_view loop,
                const Action& action, ActionDone done);

// What became of a write whose answer was lost: where it can be seen once the view is there. The
// object itself is read, or, where its name is not known, the head of its collection; again and
// again while reads are lost, too. kind failed: it may not be read.
void read_back(const Context& context, const client::Call& lost, ActionDone done);

// Where the object of a call stands; empty name: it is not known.
struct Address {
  client::Resource resource;
  std::string name_space, name;
};
Address address_of(const client::Call& call);

// Whether the view shows less of the object than the store holds: what was written there is still
// on its way. No, where the object may not be read or has no name.
void look_behind(const Context& context, const Address& address,
                 std::move_only_function<void(bool is_behind)> done);

// 5 ms, doubled with each failure, at most 30 s; jittered down to its half.
base::Duration backoff(int failures, base::Random& random);

}  // namespace keelway::reconcile
