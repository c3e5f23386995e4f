// Lets the faults of a shape happen, each at its time, and ends them.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "runtime/virtual/world.h"
#include "sim/shape.h"
#include "sim/weather.h"

namespace keelway::sim {

// What only the run itself can do.
struct Hands {
  // `server`: of Machines::servers. Where there are others it stays down for a while.
  std::function<void(std::size_t server, base::Duration down)> kill, lose_power;
  std::function<void()> strike_at_answer;  // kills when the next write is acknowledged
  std::function<void()> compact;
  std::function<void(std::uint64_t target)> remove_machine;
  // The user name of one of the nodes that there are; empty where there is none.
  std::function<std::string(std::uint64_t target)> pick_node;
  std::function<void(const std::string& what)> note;
};

class Injector {
 public:
  // `enabled`: by index of shape.faults; what is left out never happens.
  Injector(runtime::World& world, const Shape& shape, const std::vector<bool>& enabled,
           Weather& weather, Hands hands);

  struct Machines {
    std::vector<runtime::Host*> servers;
    runtime::Host* users = nullptr;
  };
  void set_machines(Machines machines) { machines_ = std::move(machines); }

  // The next instant at which something begins or ends; nothing after the last.
  const base::Instant* next() const;
  // Everything that is due now.
  void act();
  // Ends everything, and nothing begins any more.
  void heal();

 private:
  struct Step {
    std::size_t fault = 0;
    bool begins = true;
  };
  std::size_t struck(const Fault& fault) const { return fault.target % machines_.servers.size(); }
  runtime::Host& server_of(const Fault& fault) const { return *machines_.servers[struck(fault)]; }
  void begin(std::size_t index);
  void end(std::size_t index);
  void begin_disk(const Fault& fault);
  void change_weather(const Fault& fault, bool begins);
  void change_network(const Fault& fault, bool begins);

  runtime::World& world_;
  const Shape& shape_;
  Weather& weather_;
  const Hands hands_;
  Machines machines_;
  std::multimap<base::Instant, Step> steps_;
  std::map<std::size_t, std::string> nodes_;  // in trouble, by fault
  std::vector<bool> active_;
};

}  // namespace keelway::sim
