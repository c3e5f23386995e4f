// A pod that a node runs from its own files and shows to the cluster. It gives its node no rights.
#pragma once

#include "value/value.h"

namespace keelway::access {

bool is_mirror_pod(const value::Value& pod);

}  // namespace keelway::access
