// Carries out the effects of the cluster loop: starts control planes, leads or follows, stops them,
// removes what they leave behind.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "client/client.h"
#include "fleet/control_plane.h"
#include "reconcile/loop.h"
#include "runtime/runtime.h"
#include "telemetry/log.h"

namespace keelway::fleet {

struct SupervisorParts {
  runtime::Runtime& runtime;
  runtime::Executor& executor;  // of the hub's loops; everything here happens on it
  client::Client& hub;          // for reading
  Assemble assemble;
  Discard discard;
  std::string advertised_host;  // in the endpoint that clients are told
  telemetry::Log log;
};

// Outlives the manager that runs the cluster loop.
class Supervisor {
 public:
  explicit Supervisor(SupervisorParts parts);
  ~Supervisor();

  // A tenure begins: the loops of clusters may be led. `writer` is fenced by the registration.
  void begin(Registration registration, std::shared_ptr<client::Client> writer);
  // It ends: every cluster follows, control planes stay. What is under way is given up.
  void end();

  void execute(const reconcile::Effect& effect, reconcile::EffectDone done);
  std::size_t running() const { return running_.size(); }
  std::vector<reconcile::Key> running_keys() const;
  // Stops every control plane, those on their way up, too; `done` when the last is down. Nothing
  // is started afterwards.
  void stop_all(runtime::Task done);

 private:
  struct Start;
  using StartPtr = std::shared_ptr<Start>;
  struct Running {
    std::unique_ptr<ControlPlane> plane;
    std::string name_space, uid, version;
    std::int64_t led_epoch = -1;  // -1: not led
    bool reported = false;        // in this tenure
  };

  void halt(const std::string& name, runtime::Task done);
  void tell_if_stopped();
  bool settled(const Start& start) const;
  bool given_up(const Start& start) const;
  void run(StartPtr start);
  void choose(StartPtr start);
  void upgrade(StartPtr start);
  void read_keys(StartPtr start);
  void draw_keys(StartPtr start);
  void assemble(StartPtr start);
  void report(StartPtr start);
  void lead(StartPtr start);
  Running* plane_of(const Start& start);
  void fail(StartPtr start, const std::string& what);
  void discard(const std::string& name_space, const std::string& name, reconcile::EffectDone done);

  SupervisorParts parts_;
  Registration registration_;
  std::shared_ptr<client::Client> writer_;  // null between tenures
  std::uint64_t tenure_ = 0;
  std::map<std::string, Running> running_;  // by object name
  std::map<std::string, StartPtr> starting_;
  std::multiset<std::string> halting_;  // told to stop, not down yet
  bool stopping_ = false;
  runtime::Task stopped_;  // whom stop_all tells
  // Callbacks that outlive the supervisor find it gone.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace keelway::fleet
