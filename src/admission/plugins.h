// The built-in plugins, one function each. admission.cpp puts them in order.
#pragma once

#include <memory>

#include "admission/admission.h"

namespace keelway::admission {

std::unique_ptr<Plugin> namespace_lifecycle();
std::unique_ptr<Plugin> service_account();
std::unique_ptr<Plugin> taint_nodes_by_condition();
std::unique_ptr<Plugin> priority();
std::unique_ptr<Plugin> default_toleration_seconds(std::int64_t not_ready_seconds,
                                                   std::int64_t unreachable_seconds);
std::unique_ptr<Plugin> runtime_class();
std::unique_ptr<Plugin> node_restriction();

// 403 `pods "x" is forbidden: why`; an object that has no name yet goes by its generateName.
std::unexpected<schema::Status> forbid(const Request& request, std::string_view why);

}  // namespace keelway::admission
