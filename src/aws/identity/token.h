// Bearer tokens of `aws eks get-token`: "k8s-aws-v1." and a presigned STS GetCallerIdentity
// address. The signature is checked in process against our own keys; nothing is forwarded.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/time.h"
#include "client/view.h"

namespace keelway::aws {

struct AccessKey {
  std::string access_key_id, secret_access_key, account_id;
  std::string user_name;  // empty for root
  bool root = false;

  std::string arn() const;      // arn:aws:iam::A:root, arn:aws:iam::A:user/N
  std::string user_id() const;  // A of root, AIDA... of a user
};

using KeyLookup = std::function<std::optional<AccessKey>(std::string_view access_key_id)>;

// Over the AccessKey objects of the hub; the view outlives the lookup.
KeyLookup lookup_in(const client::View& hub);

struct TokenCaller {
  std::string arn, account_id, user_id, access_key_id;
};

// `cluster` must be the value of the signed header x-k8s-aws-id.
base::Result<TokenCaller> verify_token(std::string_view token, std::string_view cluster,
                                       const KeyLookup& keys, base::WallTime now);

}  // namespace keelway::aws
