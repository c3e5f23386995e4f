// The calendar of Kubernetes versions that the service knows.
#pragma once

#include <string_view>

namespace keelway::aws::eks {

// "1.33": whether a cluster of that version can be made.
bool can_create(std::string_view version);

}  // namespace keelway::aws::eks
