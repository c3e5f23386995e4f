// Impersonate-User, -Group, -Uid and -Extra-* headers: acting as somebody else needs the verb
// "impersonate" on every part that is taken on.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "access/identity.h"
#include "schema/status.h"

namespace keelway::access {

using HeaderList = std::vector<std::pair<std::string, std::string>>;  // names lower-case

// Whether any Impersonate-* header is there.
bool asks_impersonation(const HeaderList& headers);

// The identity to go on with: `caller` where nothing is asked. Refusals: 403 per part, 500 (as
// upstream) where groups, uid or extras come without a user.
schema::Answer<Identity> impersonate(const Identity& caller, const HeaderList& headers,
                                     const Authorizer& authorizer);

}  // namespace keelway::access
