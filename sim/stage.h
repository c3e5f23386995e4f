// The world of one run: the servers and their lives, the users' machine, the shared store, the
// oracles that look on. Lets time pass with the faults of the shape in it.
#pragma once

#include <memory>
#include <string>

#include "sim/crowd.h"
#include "sim/injector.h"
#include "sim/life.h"
#include "sim/marks.h"
#include "sim/oracles/acknowledged.h"
#include "sim/oracles/budget.h"
#include "sim/run.h"

namespace keelway::sim {

class Stage {
 public:
  Stage(const Shape& shape, const RunOptions& options);
  ~Stage();
  Stage(const Stage&) = delete;

  runtime::World& world() { return *world_; }
  // Of the server that the observer looks through: another when it dies and others live.
  Life& life() { return *servers_[front_]->life; }
  Crowd& crowd() { return *crowd_; }
  Outcome& outcome() { return outcome_; }
  BudgetOracle& budget() { return budget_; }
  Facts& facts() { return facts_; }
  bool ok() const { return outcome_.failure.empty(); }
  void fail(std::string what);
  void note(const std::string& what) const;

  void start();
  // Every fault is over; the server runs from now on.
  void heal();
  // Lets time pass with the faults in it, and the oracles looking on at its end.
  void pass(base::Duration duration);
  // Passes until `done` or the limit.
  bool wait(const std::string& what, const std::function<bool()>& done,
            base::Duration limit = std::chrono::minutes(10));
  // Asks until it is so: a user whose call was lost asks again.
  // `also`: a reason that is as good as success.
  client::Reply demand(client::Call call, bool of_hub, const char* also = "AlreadyExists");
  // Gathers what was seen; nothing runs afterwards.
  void finish();
  // What is left of the acknowledged writes is asked for anew.
  void verify_again() { verified_ = false; }
  bool verified() const { return verified_; }
  // An observer's write beside all the rest.
  void write();
  // All die and start anew, outside of any fault.
  void restart_servers();
  std::int64_t count(const client::Resource& resource) const;
  std::string describe_rest() const;
  const StoreOracles& stores() const { return stores_; }

 private:
  void tell(const client::Change& change) const;
  telemetry::Log story(const std::string& server) const;
  Hands hands();
  // One process of keelway, in all its lives.
  struct Server {
    std::unique_ptr<runtime::Host> host;
    Watchers watchers;
    std::unique_ptr<Life> life;  // null: it is down
    base::Instant start_at;      // of one that is down
    base::Instant revive_at;     // of one whose disk failed; zero: never
  };
  bool several() const { return servers_.size() > 1; }
  const Life& life() const { return *servers_[front_]->life; }
  void make_server(int index);
  void start_life(Server& server);
  void kill_server(std::size_t index, bool power, base::Duration down = {});
  void look_through_another();
  void observer_is_lost();
  bool is_broken(const Server& server) const;
  void revive();
  void revive(std::size_t index);
  void look();
  void look_at(Server& server);
  void look_at_rates();
  void verify();
  void aim_users();

  const Shape& shape_;
  const bool story_;
  const bool whole_story_;
  MarkBook marks_;
  Weather weather_;
  std::unique_ptr<runtime::World> world_;
  std::unique_ptr<runtime::Host> store_host_;
  std::unique_ptr<store::Engine> shared_store_;  // null: on the server's disk, or town_
  StoreOracles stores_;
  FenceOracle fences_;
  Facts facts_;
  std::unique_ptr<Witness> town_;  // the store of several servers
  std::vector<std::unique_ptr<Server>> servers_;
  std::size_t front_ = 0;        // always with a life, once started
  std::size_t users_at_ = 0;     // the server that the users ask
  std::uint64_t observers_ = 0;  // how many there were: an answer to an earlier one is void
  AcknowledgedWrites writes_{"default"};
  BudgetOracle budget_;
  std::unique_ptr<Crowd> crowd_;
  client::Revision budget_seen_ = 0;
  std::unique_ptr<Injector> injector_;
  bool verified_ = false, verifying_ = false;  // of this life
  bool strike_ = false;                        // at the next acknowledgement
  bool healed_ = false;
  Outcome outcome_;
};

}  // namespace keelway::sim
