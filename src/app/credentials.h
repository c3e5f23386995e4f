// What this server shows of itself: who its loops are, how long its certificates hold.
#pragma once

#include <string>

#include "access/identity.h"
#include "access/pki.h"

namespace keelway::app {

// In-process only: a loop may do everything.
inline access::Identity loop_identity(const std::string& name) {
  return access::component("system:keelway:" + name, {"system:masters"});
}

// Serving certificates are made anew at each start; this only bounds a server that is never
// restarted.
inline access::Validity serving_validity(base::WallTime now) {
  return {now + -std::chrono::hours(1), now + std::chrono::hours(24 * 825)};
}

}  // namespace keelway::app
