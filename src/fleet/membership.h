// One server's place among several on one store: a Server object on the hub, created when the
// server comes and renewed while it lives. One lease stands for all its clusters.
//
// Time is each server's own: a server stops its loops when no renewal that it sent in the last
// `give_up` intervals was answered; it removes another's Server object when it has seen no
// renewal of it for `lease` intervals. The later is longer, so a server has stopped before another
// takes its clusters; and as clocks may stand still, the removal also makes the fence of the
// removed fall, in the same transaction.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "client/client.h"
#include "runtime/runtime.h"
#include "telemetry/log.h"
#include "value/value.h"

namespace keelway::fleet {

// One stay on the hub: ends for good when the Server object goes.
struct Registration {
  std::string server;             // name of the Server object; empty: the only server of its store
  std::string uid;                // unique for all time
  client::Revision revision = 0;  // of its creation
};

struct MembershipParts {
  runtime::Executor& executor;
  client::Client& hub;      // not fenced
  std::string name;         // unique among the servers of a store
  std::string incarnation;  // drawn at random for each process
  value::Value spec;        // what others may know of this server
  base::Duration interval;  // between renewals
  telemetry::Log log;
};

class Membership {
 public:
  static constexpr int give_up = 3;  // intervals
  static constexpr int lease = 5;

  // `gained`: loops may run, with writes that the registration fences. `lost`: they must stop now.
  // The two alternate.
  Membership(MembershipParts parts, std::function<void(const Registration&)> gained,
             std::function<void()> lost);
  ~Membership();
  Membership(const Membership&) = delete;

  // A Server object of this name that is there is taken for this server before its restart and
  // replaced. (Two that run under one name replace each other once, then one of them waits.)
  void start();
  // Gives the place back, so that others need not wait. Neither gained nor lost is called any more.
  void leave(runtime::Task done);

 private:
  struct Neighbour {
    std::string uid;
    client::Revision revision = 0;
    base::Instant seen;  // of the last change
  };
  void tick();
  void enter();
  void meet_namesake();
  void entered(const value::Value& object, client::Revision revision);
  void renew();
  void renewed(base::Instant sent, const schema::Answer<client::Reply>& answer);
  void hold(bool holds);
  void removed();
  void watch_neighbours(const client::ChangeBatch& batch);
  void remove_silent();

  MembershipParts parts_;
  std::function<void(const Registration&)> gained_;
  std::function<void()> lost_;
  std::unique_ptr<client::Subscription> feed_;
  std::map<std::string, Neighbour> neighbours_;  // by name
  Registration place_;                           // uid empty: not registered
  std::uint64_t entry_ = 1;                      // counts our own entries
  bool entering_ = false, first_ = true, holding_ = false, leaving_ = false;
  base::Instant last_good_;  // when the last renewal that succeeded was sent
  runtime::TimerId timer_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace keelway::fleet
