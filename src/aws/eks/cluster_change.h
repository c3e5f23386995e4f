// Changing a Cluster object that may change under our hands.
#pragma once

#include <functional>
#include <string>

#include "aws/eks/service.h"

namespace keelway::aws::eks {

// From the object as it is now: the merge patch of its spec, or why not. Called again on the newer
// object where somebody else was faster.
using PlanChange = std::function<Outcome<value::Value>(const value::Value& object)>;

// Reads, plans, writes; after a few lost races ResourceInUseException. Answers the object that was
// planned on, before the change.
void change_cluster(ServicePtr service, Caller caller, std::string name, PlanChange plan,
                    std::move_only_function<void(Outcome<value::Value>)> done);

}  // namespace keelway::aws::eks
