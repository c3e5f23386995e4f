// Hosts in text: an IPv6 address stands in brackets where a port may follow.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace keelway::base {

// "[::1]" of "::1", "host" of "host".
inline std::string with_brackets(std::string_view host) {
  const bool is_v6 = host.find(':') != std::string_view::npos;
  return is_v6 ? '[' + std::string(host) + ']' : std::string(host);
}

// "[::1]:80" of "::1", "host:80" of "host".
inline std::string host_and_port(std::string_view host, std::int64_t port) {
  return with_brackets(host) + ':' + std::to_string(port);
}

// "::1" of "[::1]"; everything else is as it was.
inline std::string_view without_brackets(std::string_view host) {
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  return bracketed ? host.substr(1, host.size() - 2) : host;
}

}  // namespace keelway::base
