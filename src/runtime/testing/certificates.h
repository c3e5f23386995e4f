// Throw-away certificates for tests. Only tests include this.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <string>

namespace keelway::runtime::testing {

struct Identity {
  X509* certificate = nullptr;
  EVP_PKEY* key = nullptr;
  std::string certificate_pem;
  std::string key_pem;
  Identity() = default;
  Identity(const Identity&) = delete;
  Identity(Identity&& other) noexcept
      : certificate(std::exchange(other.certificate, nullptr)),
        key(std::exchange(other.key, nullptr)),
        certificate_pem(std::move(other.certificate_pem)),
        key_pem(std::move(other.key_pem)) {}
  ~Identity() {
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
};

inline void add_extension(X509* certificate, X509* issuer, int id, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, id, value);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

template <class Write>
std::string to_pem(Write write) {
  BIO* bio = BIO_new(BIO_s_mem());
  write(bio);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  return text;
}

// Valid from 2020 to 2049. `issuer` null: a self-signed authority. `names`: subjectAltName, as in
// "DNS:localhost,IP:127.0.0.1"; empty for clients.
inline Identity make_identity(const std::string& common_name, const Identity* issuer,
                              const std::string& names = "") {
  Identity made;
  made.key = EVP_EC_gen("P-256");
  made.certificate = X509_new();
  X509* certificate = made.certificate;
  X509_set_version(certificate, 2);
  static long serial = 0;
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
  ASN1_TIME_set_string(X509_getm_notBefore(certificate), "20200101000000Z");
  ASN1_TIME_set_string(X509_getm_notAfter(certificate), "20491231000000Z");
  X509_set_pubkey(certificate, made.key);
  X509_NAME* name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1,
                             0);
  X509* parent = issuer != nullptr ? issuer->certificate : certificate;
  X509_set_issuer_name(certificate, X509_get_subject_name(parent));
  if (issuer == nullptr)
    add_extension(certificate, parent, NID_basic_constraints, "critical,CA:TRUE");
  if (!names.empty()) {
    add_extension(certificate, parent, NID_subject_alt_name, names.c_str());
    add_extension(certificate, parent, NID_ext_key_usage, "serverAuth");
  } else if (issuer != nullptr) {
    add_extension(certificate, parent, NID_ext_key_usage, "clientAuth");
  }
  X509_sign(certificate, issuer != nullptr ? issuer->key : made.key, EVP_sha256());
  made.certificate_pem = to_pem([&](BIO* bio) { PEM_write_bio_X509(bio, certificate); });
  made.key_pem = to_pem([&](BIO* bio) {
    PEM_write_bio_PrivateKey(bio, made.key, nullptr, nullptr, 0, nullptr, nullptr);
  });
  return made;
}

}  // namespace keelway::runtime::testing
