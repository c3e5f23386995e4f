// POST /_keelway/reset: an account begins anew.
#pragma once

#include <memory>

#include "aws/eks/service.h"
#include "base/time.h"
#include "http/server.h"

namespace keelway::aws {

// Deletes the caller's account's clusters of every region, whatever their state and protection, and
// answers {"clustersDeleted": n} once they are gone; 504 where that takes longer than `timeout`.
void reset_account(eks::ServicePtr service, const Caller& caller, base::Duration timeout,
                   std::shared_ptr<http::Exchange> exchange);

}  // namespace keelway::aws
