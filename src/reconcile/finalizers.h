// metadata.finalizers of any kind.
#pragma once

#include <string_view>

#include "reconcile/loop.h"

namespace keelway::reconcile {

bool has_finalizer(const value::Value& object, std::string_view finalizer);
// All of them but this one.
value::Value finalizers_without(const value::Value& object, std::string_view finalizer);
// The document as it stands, without it; another writer's change is not overwritten.
Action drop_finalizer(const client::Resource& resource, value::Value document,
                      std::string_view finalizer);

}  // namespace keelway::reconcile
