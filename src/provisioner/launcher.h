// Carries out the claim loop's effects: launches and terminates machines, and writes down in the
// claim what came of it.
#pragma once

#include <memory>

#include "client/client.h"
#include "cloud/cloud.h"
#include "reconcile/loop.h"
#include "runtime/runtime.h"
#include "telemetry/log.h"

namespace keelway::provisioner {

struct LauncherParts {
  runtime::Executor& executor;
  client::Client& client;  // of the cluster
  cloud::Cloud& cloud;
  cloud::CataloguePtr catalogue;
  telemetry::Log log;
};

// Outlives the manager that it is handed to.
class Launcher {
 public:
  explicit Launcher(LauncherParts parts) : parts_(std::move(parts)) {}
  ~Launcher() { *alive_ = false; }
  void execute(const reconcile::Effect& effect, reconcile::EffectDone done);

 private:
  struct Launch;
  struct Sweep;
  void launch(const reconcile::Effect& effect, reconcile::EffectDone done);
  void try_next(std::shared_ptr<Launch> launch);
  void inspect(const reconcile::Effect& effect, reconcile::EffectDone done);
  void terminate(const std::string& token, reconcile::EffectDone done);
  void sweep(reconcile::EffectDone done);
  void remove_node(const value::Value& node, reconcile::EffectDone done);
  void terminate_next(std::shared_ptr<Sweep> sweep);
  void record(std::shared_ptr<Launch> launch);
  void record_labels(std::shared_ptr<Launch> launch);
  void unrecorded(std::shared_ptr<Launch> launch, const schema::Status& why);
  void give_up(std::shared_ptr<Launch> launch, base::Error error);

  LauncherParts parts_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace keelway::provisioner
