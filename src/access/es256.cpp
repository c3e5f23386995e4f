#include "access/es256.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>

#include "base/encoding.h"

namespace keelway::access::es256 {
namespace {

using openssl::Key;
using Signature = std::unique_ptr<ECDSA_SIG, openssl::Deleter<ECDSA_SIG_free>>;

const unsigned char* raw_bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string public_der(const Key& key) {
  unsigned char* bytes = nullptr;
  const int size = i2d_PUBKEY(key.get(), &bytes);
  if (size < 0) return {};
  std::string der(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  return der;
}

std::string raw_from_der(std::string_view der) {
  const unsigned char* at = raw_bytes(der);
  const Signature signature(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
  if (!signature) return {};
  std::string raw(2 * coordinate_bytes, '\0');
  auto* out = reinterpret_cast<unsigned char*>(raw.data());
  BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), out, coordinate_bytes);
  BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), out + coordinate_bytes, coordinate_bytes);
  return raw;
}

std::string der_from_raw(std::string_view raw) {
  const Signature signature(ECDSA_SIG_new());
  ECDSA_SIG_set0(signature.get(), BN_bin2bn(raw_bytes(raw), coordinate_bytes, nullptr),
                 BN_bin2bn(raw_bytes(raw) + coordinate_bytes, coordinate_bytes, nullptr));
  unsigned char* bytes = nullptr;
  const int size = i2d_ECDSA_SIG(signature.get(), &bytes);
  if (size < 0) return {};
  std::string der(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  return der;
}

}  // namespace

bool is_p256(const Key& key) {
  char group[32];
  std::size_t size = 0;
  return key && EVP_PKEY_get_base_id(key.get()) == EVP_PKEY_EC &&
         EVP_PKEY_get_group_name(key.get(), group, sizeof group, &size) == 1 &&
         std::string_view(group, size) == "prime256v1";
}

std::string key_id(const Key& key) {
  return base::base64url_encode(base::sha256(public_der(key)));
}

base::Result<std::string> sign(const Key& private_key, std::string_view text) {
  const openssl::Digest digest(EVP_MD_CTX_new());
  std::size_t size = 0;
  if (EVP_DigestSignInit(digest.get(), nullptr, EVP_sha256(), nullptr, private_key.get()) != 1 ||
      EVP_DigestSign(digest.get(), nullptr, &size, raw_bytes(text), text.size()) != 1) {
    return openssl::failed(base::ErrorCode::internal, "sign a token");
  }
  std::string der(size, '\0');
  if (EVP_DigestSign(digest.get(), reinterpret_cast<unsigned char*>(der.data()), &size,
                     raw_bytes(text), text.size()) != 1) {
    return openssl::failed(base::ErrorCode::internal, "sign a token");
  }
  der.resize(size);
  return raw_from_der(der);
}

bool verify(const Key& public_key, std::string_view text, std::string_view signature) {
  if (signature.size() != 2 * coordinate_bytes) return false;
  const std::string der = der_from_raw(signature);
  const openssl::Digest digest(EVP_MD_CTX_new());
  const bool good =
      EVP_DigestVerifyInit(digest.get(), nullptr, EVP_sha256(), nullptr, public_key.get()) == 1 &&
      EVP_DigestVerify(digest.get(), raw_bytes(der), der.size(), raw_bytes(text), text.size()) == 1;
  ERR_clear_error();
  return good;
}

}  // namespace keelway::access::es256
