// Bearer tokens of `aws eks get-token`: "k8s-aws-v1." and a presigned STS GetCallerIdentity
// address. The signature is checked in process against our own keys; nothing is forwarded.
#pragma once

#include <string>
#include <string_view>

#include "aws/identity/access_key.h"
#include "base/error.h"
#include "base/time.h"

namespace keelway::aws {

struct TokenCaller {
  std::string arn, account_id, user_id, access_key_id;
  base::WallTime valid_from, valid_until;  // while the key stands: what a memory may rest on
};

// `cluster` must be the value of the signed header x-k8s-aws-id. Any host is taken: the address is
// that of our own endpoint or of the real STS, by how the caller's tool is set up, and the host is
// part of what is signed.
base::Result<TokenCaller> verify_token(std::string_view token, std::string_view cluster,
                                       const KeyLookup& keys, base::WallTime now);

}  // namespace keelway::aws
