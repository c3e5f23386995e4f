// Update objects: the record of one change of a cluster. One is made after its change has been
// applied, so an Update without a status of its own was successful; only a change of version takes
// the fleet some time.
#pragma once

#include <functional>

#include "aws/eks/service.h"

namespace keelway::aws::eks {

// One request that changes a cluster.
struct ChangeRequest {
  std::string cluster;       // its name
  std::string type;          // of the Update: "LoggingUpdate"
  const char* carried;       // the member of the cluster's spec that carries the Update
  const value::Value& body;  // of the request
};
struct RecordedChange {
  value::Value patch;   // merge patch of the cluster's spec
  value::Value params;  // of the Update: {type, value}
};
// From the object as it is now: what changes, or why not. Called again on the newer object where
// somebody else was faster.
using PlanRecordedChange = std::function<Outcome<RecordedChange>(const value::Value& object)>;

// Changes the cluster and answers {"update": ...}, InProgress. The change and its Update are one
// write: the Cluster carries the Update until it is made, by this door or by the fleet's update
// loop, so a server that dies in between leaves nothing half done. A request that comes again with
// its clientRequestToken changes nothing and gets the Update of the first time.
// Errors: those of the plan; the token came with other input before.
void change_and_record(const ServicePtr& service, const Caller& caller,
                       const ChangeRequest& request, PlanRecordedChange plan, Done done);

}  // namespace keelway::aws::eks
