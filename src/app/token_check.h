// Bearer tokens of `aws eks get-token`, shown to one cluster.
#pragma once

#include "access/authenticator.h"
#include "app/key_directory.h"

namespace keelway::app {

// Good tokens are remembered while they are valid and no access key changes: clients show one
// with every request, and its signature costs more than most requests. `keys` outlives the check,
// which belongs to one executor.
access::AwsTokenCheck make_token_check(const KeyDirectory& keys, std::string cluster,
                                       std::string creator_arn);

}  // namespace keelway::app
