// Who signed this request: SigV4 in headers or in the query, checked in process.
#pragma once

#include <string>

#include "aws/identity/access_key.h"
#include "aws/protocol/dialect.h"
#include "aws/protocol/service_error.h"
#include "base/time.h"
#include "http/server.h"

namespace keelway::aws {

struct Caller {
  std::string arn, account_id, user_id, access_key_id;
  std::string region, service;  // of the credential scope
  bool root = false;            // root of the account, not one of its users
};

struct Refusal {
  Dialect dialect = Dialect::rest_json;
  ServiceError error;
};

std::expected<Caller, Refusal> verify_request(const http::Request& request, const KeyLookup& keys,
                                              base::WallTime now);

}  // namespace keelway::aws
