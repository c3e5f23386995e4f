// ECDSA over P-256 with SHA-256, in the form that JSON web signatures have (RFC 7518 3.4): r and s
// side by side. Only the .cpp files of this room include it.
#pragma once

#include <string>
#include <string_view>

#include "access/openssl.h"

namespace keelway::access::es256 {

inline constexpr int coordinate_bytes = 32;

bool is_p256(const openssl::Key& key);
// base64url(SHA-256 of the DER public key), as upstream names service account keys.
std::string key_id(const openssl::Key& key);
base::Result<std::string> sign(const openssl::Key& private_key, std::string_view text);
bool verify(const openssl::Key& public_key, std::string_view text, std::string_view signature);

}  // namespace keelway::access::es256
