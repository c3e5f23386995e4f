// One cluster's control plane, assembled: an API server on one executor, the TLS port before it on
// a second, its loops on a third.
#pragma once

#include <map>
#include <memory>

#include "app/config.h"
#include "app/connections.h"
#include "app/key_directory.h"
#include "app/seams.h"
#include "cloud/cloud.h"
#include "fleet/control_plane.h"
#include "schema/kind.h"

namespace keelway::app {

class ClusterPlane;

struct PlaneParts {
  const Seams& seams;
  const Config& config;
  runtime::Executor& owner;  // every call is made there, every callback runs there
  const KeyDirectory& keys;
  Connections& connections;
};

// Every control plane of this process; implements fleet::Assemble. Destroying it is safe only when
// all planes are stopped or none of their executors can run any more.
class Planes {
 public:
  explicit Planes(PlaneParts parts);
  ~Planes();

  void assemble(fleet::ControlPlaneSpec spec, fleet::Assembled assembled);
  void begin_leaving();   // every cluster's readyz fails from now on
  void begin_draining();  // no cluster takes new connections from now on, and watches end

 private:
  friend class PlaneHandle;
  void stop(const std::string& id, runtime::Task done);
  void upgrade(const std::string& id, int minor, fleet::ControlPlane::Done done);
  schema::KindSetPtr kinds_of(int minor);
  cloud::CataloguePtr catalogue_of(const std::string& region);

  PlaneParts parts_;
  std::map<int, schema::KindSetPtr> kinds_;                // by minor, shared by its clusters
  std::map<std::string, cloud::CataloguePtr> catalogues_;  // by region, likewise
  std::map<std::string, std::unique_ptr<ClusterPlane>> planes_;
};

}  // namespace keelway::app
