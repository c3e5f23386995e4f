// Events: what people read under `kubectl describe`. The caller asks for one an occurrence, only
// when something changed; event_correlator.h keeps them few.
#pragma once

#include <string>
#include <string_view>

#include "base/time.h"
#include "client/client.h"
#include "reconcile/loop.h"

namespace keelway::reconcile {

struct EventText {
  std::string reason;    // "ScalingReplicaSet"
  std::string message;   // cut at 1024 bytes
  bool warning = false;  // type Warning; else Normal
};

// A create of a core/v1 Event about `object` (a document with metadata) in its namespace, or in
// `default` for cluster-scoped ones. Named "object.seed in hex", so equal seeds make equal names;
// a failure of any kind is harmless and tolerated.
Action event_action(const client::Resource& resource, const value::Value& object,
                    std::string_view component, EventText text, base::WallTime now, Seed seed);
// The same, of an object that need not be parsed for it.
Action event_action(const client::Resource& resource, const client::Object& object,
                    std::string_view component, EventText text, base::WallTime now, Seed seed);

}  // namespace keelway::reconcile
