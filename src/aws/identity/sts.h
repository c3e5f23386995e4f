// STS as far as it is served: who am I.
#pragma once

#include "aws/protocol/verify.h"
#include "http/server.h"

namespace keelway::aws {

// `request_id`: a fresh uuid.
http::Response answer_sts(const http::Request& request, const Caller& caller,
                          std::string_view request_id);

}  // namespace keelway::aws
