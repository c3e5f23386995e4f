// /_keelway/keys: access keys are made, listed and deleted through the door that checks them.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "aws/eks/service.h"
#include "http/server.h"

namespace keelway::aws {

inline constexpr std::string_view keys_path = "/_keelway/keys";

struct KeyDesk {
  eks::ServicePtr service;
  std::string operator_account;
  std::function<std::string(std::size_t)> random_bytes;  // cryptographically strong
};

// GET and POST on keys_path, DELETE on keys_path/ID, from a verified caller. Root of an account
// manages the keys of that account; root of the operator's account those of every account; users
// none. The operator's last root key stays, else nobody could make another. An answer comes once
// the door's view shows the change: a new key works, a deleted one no longer does.
void answer_keys(const KeyDesk& desk, const http::Request& request, const Caller& caller,
                 std::string request_id, std::shared_ptr<http::Exchange> exchange);

}  // namespace keelway::aws
