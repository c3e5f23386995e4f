// What is not the plain verb on the whole object: subresources with verbs of their own, and
// resources that are answered and forgotten.
#pragma once

#include <string_view>
#include <vector>

#include "apiserver/core.h"
#include "apiserver/operation.h"

namespace keelway::apiserver {

using SubresourceVerb = void (*)(Core&, OperationPtr, OutcomeCallback);

// Null: the plain verb does it (also for "status").
SubresourceVerb special_verb(const schema::Kind& kind, std::string_view subresource,
                             std::string_view verb);

// One line of discovery.
struct SubresourceFacts {
  std::string_view name;
  std::vector<std::string_view> verbs;  // sorted
  std::string_view kind;                // empty: the resource's own
  std::string_view group, version;      // of `kind` where it differs
};
const SubresourceFacts* subresource_facts(std::string_view name);
bool offers_subresource(const schema::Kind& kind, std::string_view subresource,
                        std::string_view verb);

}  // namespace keelway::apiserver
