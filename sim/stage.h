// The world of one run: the server and its lives, the users' machine, the shared store, the oracles
// that look on. Lets time pass with the faults of the shape in it.
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
  Life& life() { return *life_; }
  Crowd& crowd() { return *crowd_; }
  Outcome& outcome() { return outcome_; }
  BudgetOracle& budget() { return budget_; }
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
  // Dies and starts anew, outside of any fault.
  void restart_server() { kill_server(false); }
  std::int64_t count(const client::Resource& resource) const;
  std::string describe_rest() const;
  const StoreOracle* store_of(const std::string& keyspace) const;

 private:
  void tell(const client::Change& change) const;
  telemetry::Log story() const;
  Hands hands();
  void start_life();
  void kill_server(bool power);
  void revive();
  void look();
  void look_at_rates();
  void verify();
  void aim_users();

  const Shape& shape_;
  const bool story_;
  const bool whole_story_;
  MarkBook marks_;
  Weather weather_;
  std::unique_ptr<runtime::World> world_;
  std::unique_ptr<runtime::Host> host_, store_host_;
  std::unique_ptr<store::Engine> shared_store_;  // null: on the server's disk
  Watchers watchers_;
  AcknowledgedWrites writes_{"default"};
  BudgetOracle budget_;
  std::unique_ptr<Crowd> crowd_;
  std::unique_ptr<Life> life_;
  std::unique_ptr<Injector> injector_;
  bool verified_ = false, verifying_ = false;  // of this life
  bool strike_ = false;                        // at the next acknowledgement
  bool healed_ = false;
  base::Instant revive_at_;  // of a server whose disk failed; zero: never
  Outcome outcome_;
};

}  // namespace keelway::sim
