// One event, two views: v1 and events.k8s.io/v1 name the same stored members differently.
#pragma once

#include "value/value.h"

namespace keelway::kinds {

// The events.k8s.io/v1 form of a v1 Event, and back. What has the same name in both is kept;
// apiVersion is set.
value::Value to_regarding_event(const value::Value& core_event);
value::Value to_core_event(const value::Value& regarding_event);

}  // namespace keelway::kinds
