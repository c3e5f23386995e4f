// Carries out the effects of the cluster loop: starts control planes, stops them, removes what
// they leave behind.
#pragma once

#include <map>
#include <memory>
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
  client::Client& hub;
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

  void execute(const reconcile::Effect& effect, reconcile::EffectDone done);
  std::size_t running() const { return running_.size(); }
  // Stops every control plane, those on their way up, too; `done` when the last is down. Nothing
  // is started afterwards.
  void stop_all(runtime::Task done);

 private:
  struct Start;
  using StartPtr = std::shared_ptr<Start>;

  void halt(const std::string& name, runtime::Task done);
  void tell_if_stopped();
  void run(StartPtr start);
  void read_keys(StartPtr start);
  void draw_keys(StartPtr start);
  void assemble(StartPtr start);
  void report(StartPtr start);
  void fail(StartPtr start, const std::string& what);
  void discard(const std::string& name_space, const std::string& name, reconcile::EffectDone done);

  SupervisorParts parts_;
  std::map<std::string, std::unique_ptr<ControlPlane>> running_;  // by object name
  std::map<std::string, StartPtr> starting_;
  std::size_t halting_ = 0;  // told to stop, not down yet
  bool stopping_ = false;
  runtime::Task stopped_;  // whom stop_all tells
  // Callbacks that outlive the supervisor find it gone.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace keelway::fleet
