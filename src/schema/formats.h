// Text formats: names, labels, and the string formats of JSON schemas. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace keelway::schema {

// Each answers upstream's sentences about what is wrong; empty: right.
using Complaints = std::vector<std::string>;
Complaints check_dns1123_label(std::string_view text);      // 63
Complaints check_dns1123_subdomain(std::string_view text);  // 253
Complaints check_dns1035_label(std::string_view text);
Complaints check_path_segment(std::string_view text);    // RBAC names
Complaints check_qualified_name(std::string_view text);  // label keys
Complaints check_label_value(std::string_view text);
Complaints check_port_name(std::string_view text);  // IANA service name, 15
Complaints check_config_map_key(std::string_view text);
Complaints check_env_name(std::string_view text);  // relaxed: printable ASCII without =
Complaints check_port_number(std::int64_t port);
Complaints check_ip(std::string_view text);
// By the names that Kind::name_rule and Rules::format use; unknown names accept everything.
// prefix: a generateName, which may end in '-' or '.'.
Complaints check_name(std::string_view rule, std::string_view text, bool prefix = false);

bool is_ipv4(std::string_view text);
bool is_ipv6(std::string_view text);
bool is_cidr(std::string_view text);

// The formats that custom resources may use ("date-time", "email", "uuid" ...). An unknown format
// is no format: nullopt.
std::optional<bool> matches_format(std::string_view format, std::string_view text);

}  // namespace keelway::schema
