// Addresses and node ports of Services. Each one in use is a key of its own, created and removed
// in the transaction that writes the Service, so that two writers cannot take the same.
#pragma once

#include "apiserver/core.h"
#include "apiserver/operation.h"

namespace keelway::apiserver {

Answer<void> allot_service(Core& core, Operation& op, Value& object, const Value* old,
                           store::Transaction& transaction);
void free_service(Core& core, const Value& old, store::Transaction& transaction);

struct ServiceRange {
  std::uint32_t base = 0;   // network address
  std::uint32_t count = 0;  // addresses after the network address and before the broadcast one
};
std::optional<ServiceRange> parse_service_range(std::string_view cidr);
std::string format_address(std::uint32_t address);
std::optional<std::uint32_t> parse_address(std::string_view text);

// The keys of what is in use.
std::string address_key(std::string_view address);
std::string node_port_key(std::int64_t port);

}  // namespace keelway::apiserver
