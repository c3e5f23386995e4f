// Discovery documents of a set of kinds. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "schema/kind.h"
#include "value/value.h"

namespace keelway::apiserver {

struct GroupVersions {
  std::string group;
  std::vector<std::string> versions;  // preferred first
};
// Groups with served resources, in discovery order.
std::vector<GroupVersions> served_groups(const schema::KindSet& kinds);

value::Value api_versions(const std::string& server_address);  // /api
value::Value api_group_list(const schema::KindSet& kinds);     // /apis
value::Value api_group(const GroupVersions& group);            // /apis/GROUP
// /api/v1, /apis/GROUP/VERSION; null where nothing is served there.
value::Value api_resource_list(const schema::KindSet& kinds, std::string_view group,
                               std::string_view version);
// /api (core: true) or /apis in the aggregated form; `version`: "v2" or "v2beta1".
value::Value aggregated_discovery(const schema::KindSet& kinds, bool core,
                                  std::string_view version);

}  // namespace keelway::apiserver
