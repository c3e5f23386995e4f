#include "access/identity.h"

#include <algorithm>

namespace keelway::access {

bool Identity::in_group(std::string_view group) const {
  return std::find(groups.begin(), groups.end(), group) != groups.end();
}

Identity anonymous() {
  return {"system:anonymous", "", {"system:unauthenticated"}, {}};
}

Identity component(std::string user, std::vector<std::string> groups) {
  groups.emplace_back("system:authenticated");
  return {std::move(user), "", std::move(groups), {}};
}

}  // namespace keelway::access
