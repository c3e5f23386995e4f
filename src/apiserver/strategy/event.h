// core/v1 and events.k8s.io/v1 events are two views of one stored object (core/v1).
#pragma once

#include "value/value.h"

namespace keelway::apiserver {

value::Value event_from_core(const value::Value& core);
value::Value event_to_core(const value::Value& event);

}  // namespace keelway::apiserver
