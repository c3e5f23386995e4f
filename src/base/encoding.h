// Text forms of bytes, and digests. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace keelway::base {

std::string hex_encode(std::string_view bytes);
std::string base64_encode(std::string_view bytes);                   // RFC 4648 4, padded
std::optional<std::string> base64_decode(std::string_view text);     // strict, padded
std::string base64url_encode(std::string_view bytes);                // RFC 4648 5, no padding
std::optional<std::string> base64url_decode(std::string_view text);  // padding optional

// RFC 3986 unreserved characters stay; with keep_slash, '/' stays too.
std::string percent_encode(std::string_view text, bool keep_slash = false);
// nullopt on a broken escape. plus_is_space is for form bodies and query strings.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space = false);

std::string sha256(std::string_view bytes);                             // 32 raw bytes
std::string hmac_sha256(std::string_view key, std::string_view bytes);  // 32 raw bytes
bool equal_in_constant_time(std::string_view a, std::string_view b);

std::uint64_t hash64(std::string_view bytes);  // stable across runs and machines (FNV-1a)
std::uint32_t hash32_fnv1a(std::string_view bytes);

}  // namespace keelway::base
