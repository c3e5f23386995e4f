// OpenSSL's objects with owners. Only .cpp files of this room and tests include it.
#pragma once

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"

namespace keelway::access::openssl {

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* p) const {
    Free(p);
  }
};
using Bio = std::unique_ptr<BIO, Deleter<BIO_free_all>>;
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Deleter<X509_free>>;
using SigningRequest = std::unique_ptr<X509_REQ, Deleter<X509_REQ_free>>;
using Digest = std::unique_ptr<EVP_MD_CTX, Deleter<EVP_MD_CTX_free>>;
using Bignum = std::unique_ptr<BIGNUM, Deleter<BN_free>>;

inline Bio read_bio(std::string_view bytes) {
  return Bio(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
}
inline Bio write_bio() {
  return Bio(BIO_new(BIO_s_mem()));
}
inline std::string bytes_of(const Bio& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return size > 0 ? std::string(data, static_cast<std::size_t>(size)) : std::string();
}

// An encrypted key must never make the process ask on its terminal.
inline int refuse_passphrase(char*, int, int, void*) {
  return -1;
}

inline Key read_private_key(std::string_view pem) {
  return Key(PEM_read_bio_PrivateKey(read_bio(pem).get(), nullptr, refuse_passphrase, nullptr));
}
inline Key read_public_key(std::string_view pem) {
  return Key(PEM_read_bio_PUBKEY(read_bio(pem).get(), nullptr, refuse_passphrase, nullptr));
}
inline Certificate read_certificate(std::string_view pem) {
  return Certificate(PEM_read_bio_X509(read_bio(pem).get(), nullptr, refuse_passphrase, nullptr));
}
inline Certificate read_certificate_der(std::string_view der) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  return Certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
}

// Takes OpenSSL's error queue along, so that it never leaks into the next call.
inline std::unexpected<base::Error> failed(base::ErrorCode code, std::string what) {
  if (const unsigned long error = ERR_peek_error(); error != 0) {
    char text[256];
    ERR_error_string_n(error, text, sizeof text);
    what += ": ";
    what += text;
  }
  ERR_clear_error();
  return base::fail(code, std::move(what));
}

}  // namespace keelway::access::openssl
