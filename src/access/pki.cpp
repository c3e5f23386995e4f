#include "access/pki.h"

#include <openssl/ec.h>

#include <algorithm>

#include "access/openssl.h"

namespace keelway::access {
namespace {

using base::ErrorCode;
using base::fail;
using openssl::Bio;
using openssl::Certificate;
using openssl::failed;
using openssl::Key;

Key make_key() {
  return Key(EVP_EC_gen("P-256"));
}

base::Result<std::string> key_to_pem(const Key& key) {
  const Bio bio = openssl::write_bio();
  if (PEM_write_bio_PKCS8PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) !=
      1) {
    return failed(ErrorCode::internal, "write a private key as PEM");
  }
  return openssl::bytes_of(bio);
}

base::Result<std::string> certificate_to_pem(const Certificate& certificate) {
  const Bio bio = openssl::write_bio();
  if (PEM_write_bio_X509(bio.get(), certificate.get()) != 1) {
    return failed(ErrorCode::internal, "write a certificate as PEM");
  }
  return openssl::bytes_of(bio);
}

bool add_name(X509_NAME* name, const char* field, std::string_view text) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, bytes,
                                    static_cast<int>(text.size()), -1, 0) == 1;
}

bool set_serial(X509* certificate, std::string_view serial) {
  std::string bytes(serial.substr(0, 20));
  if (bytes.empty()) return false;
  bytes[0] = static_cast<char>(bytes[0] & 0x7f);
  const openssl::Bignum number(BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()),
                                         static_cast<int>(bytes.size()), nullptr));
  return number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool set_validity(X509* certificate, const Validity& validity) {
  return ASN1_TIME_set(X509_getm_notBefore(certificate), validity.not_before.seconds()) &&
         ASN1_TIME_set(X509_getm_notAfter(certificate), validity.not_after.seconds());
}

bool add_extension(X509* certificate, X509* issuer, int nid, const std::string& text) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, text.c_str());
  if (extension == nullptr) return false;
  const bool added = X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added;
}

// Names go in as ASN.1 values, never through OpenSSL's configuration syntax, where a comma in a
// name would start another one.
bool add_alternative_names(X509* certificate, const LeafRequest& request) {
  GENERAL_NAMES* names = GENERAL_NAMES_new();
  if (names == nullptr) return false;
  bool good = true;
  for (const std::string& dns : request.dns_names) {
    ASN1_IA5STRING* text = ASN1_IA5STRING_new();
    GENERAL_NAME* name = GENERAL_NAME_new();
    ASN1_STRING_set(text, dns.data(), static_cast<int>(dns.size()));
    GENERAL_NAME_set0_value(name, GEN_DNS, text);
    good = sk_GENERAL_NAME_push(names, name) > 0 && good;
  }
  for (const std::string& ip : request.ip_addresses) {
    ASN1_OCTET_STRING* address = a2i_IPADDRESS(ip.c_str());
    if (address == nullptr) {
      good = false;
      continue;
    }
    GENERAL_NAME* name = GENERAL_NAME_new();
    GENERAL_NAME_set0_value(name, GEN_IPADD, address);
    good = sk_GENERAL_NAME_push(names, name) > 0 && good;
  }
  if (good && sk_GENERAL_NAME_num(names) > 0) {
    good = X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1;
  }
  GENERAL_NAMES_free(names);
  return good;
}

std::string extended_usage(const LeafRequest& request) {
  if (request.for_server && request.for_client) return "serverAuth,clientAuth";
  return request.for_server ? "serverAuth" : "clientAuth";
}

base::Result<Certificate> sign_leaf(const KeyedCertificate& authority, EVP_PKEY* subject_key,
                                    const LeafRequest& request, std::string_view serial,
                                    const Validity& validity) {
  if (!request.for_server && !request.for_client) {
    return fail(ErrorCode::invalid,
                "issue " + request.common_name + ": a leaf is for a server, a client or both");
  }
  const Certificate issuer = openssl::read_certificate(authority.certificate_pem);
  const Key issuer_key = openssl::read_private_key(authority.private_key_pem);
  if (!issuer || !issuer_key) {
    return failed(ErrorCode::invalid, "issue " + request.common_name + ": the CA does not parse");
  }
  Certificate leaf(X509_new());
  X509_NAME* name = X509_get_subject_name(leaf.get());
  bool good = X509_set_version(leaf.get(), X509_VERSION_3) && set_serial(leaf.get(), serial) &&
              set_validity(leaf.get(), validity);
  for (const std::string& group : request.organizations) good = good && add_name(name, "O", group);
  if (!request.common_name.empty()) good = good && add_name(name, "CN", request.common_name);
  good = good && X509_set_issuer_name(leaf.get(), X509_get_subject_name(issuer.get())) &&
         X509_set_pubkey(leaf.get(), subject_key) &&
         add_extension(leaf.get(), issuer.get(), NID_basic_constraints, "critical,CA:FALSE") &&
         add_extension(leaf.get(), issuer.get(), NID_key_usage,
                       "critical,digitalSignature,keyEncipherment") &&
         add_extension(leaf.get(), issuer.get(), NID_ext_key_usage, extended_usage(request)) &&
         add_extension(leaf.get(), issuer.get(), NID_authority_key_identifier, "keyid") &&
         add_alternative_names(leaf.get(), request) &&
         X509_sign(leaf.get(), issuer_key.get(), EVP_sha256()) > 0;
  if (!good) {
    return failed(ErrorCode::invalid,
                  "issue " + request.common_name + ": a name, serial or date is not usable");
  }
  return leaf;
}

bool is_address(const std::string& host) {
  ASN1_OCTET_STRING* address = a2i_IPADDRESS(host.c_str());
  ERR_clear_error();
  if (address == nullptr) return false;
  ASN1_OCTET_STRING_free(address);
  return true;
}

}  // namespace

base::Result<std::string> make_p256_key_pem() {
  const Key key = make_key();
  if (!key) return failed(ErrorCode::internal, "make a P-256 key");
  return key_to_pem(key);
}

base::Result<KeyedCertificate> make_authority(std::string_view common_name, std::string_view serial,
                                              Validity validity) {
  const Key key = make_key();
  if (!key) return failed(ErrorCode::internal, "make a P-256 key");
  Certificate authority(X509_new());
  X509* x509 = authority.get();
  X509_NAME* name = X509_get_subject_name(x509);
  const bool good = X509_set_version(x509, X509_VERSION_3) && set_serial(x509, serial) &&
                    set_validity(x509, validity) && add_name(name, "CN", common_name) &&
                    X509_set_issuer_name(x509, name) && X509_set_pubkey(x509, key.get()) &&
                    add_extension(x509, x509, NID_basic_constraints, "critical,CA:TRUE") &&
                    add_extension(x509, x509, NID_key_usage,
                                  "critical,digitalSignature,keyEncipherment,keyCertSign") &&
                    add_extension(x509, x509, NID_subject_key_identifier, "hash") &&
                    X509_sign(x509, key.get(), EVP_sha256()) > 0;
  if (!good) {
    return failed(ErrorCode::invalid, "make the authority " + std::string(common_name) +
                                          ": the name, serial or dates are not usable");
  }
  auto certificate_pem = certificate_to_pem(authority);
  auto key_pem = key_to_pem(key);
  if (!certificate_pem) return std::unexpected(certificate_pem.error());
  if (!key_pem) return std::unexpected(key_pem.error());
  return KeyedCertificate{std::move(*certificate_pem), std::move(*key_pem)};
}

base::Result<KeyedCertificate> issue_leaf(const KeyedCertificate& authority,
                                          const LeafRequest& request, std::string_view serial,
                                          Validity validity) {
  const Key key = make_key();
  if (!key) return failed(ErrorCode::internal, "make a P-256 key");
  const auto leaf = sign_leaf(authority, key.get(), request, serial, validity);
  if (!leaf) return std::unexpected(leaf.error());
  auto certificate_pem = certificate_to_pem(*leaf);
  auto key_pem = key_to_pem(key);
  if (!certificate_pem) return std::unexpected(certificate_pem.error());
  if (!key_pem) return std::unexpected(key_pem.error());
  return KeyedCertificate{std::move(*certificate_pem), std::move(*key_pem)};
}

base::Result<std::string> issue_for_signing_request(const KeyedCertificate& authority,
                                                    std::string_view csr_pem,
                                                    const LeafRequest& request,
                                                    std::string_view serial, Validity validity) {
  const openssl::SigningRequest csr(PEM_read_bio_X509_REQ(openssl::read_bio(csr_pem).get(), nullptr,
                                                          openssl::refuse_passphrase, nullptr));
  EVP_PKEY* key = csr ? X509_REQ_get0_pubkey(csr.get()) : nullptr;
  if (key == nullptr) {
    return failed(ErrorCode::invalid, "issue a certificate: the signing request does not parse");
  }
  const auto leaf = sign_leaf(authority, key, request, serial, validity);
  if (!leaf) return std::unexpected(leaf.error());
  return certificate_to_pem(*leaf);
}

LeafRequest api_server_leaf(const std::vector<std::string>& hosts, std::string_view service_ip,
                            std::string_view cluster_domain) {
  LeafRequest leaf;
  leaf.common_name = "kube-apiserver";
  leaf.for_server = true;
  leaf.dns_names = {"kubernetes", "kubernetes.default", "kubernetes.default.svc",
                    "kubernetes.default.svc." + std::string(cluster_domain), "localhost"};
  leaf.ip_addresses = {"127.0.0.1", "::1"};
  if (!service_ip.empty()) leaf.ip_addresses.emplace_back(service_ip);
  for (const std::string& host : hosts) {
    auto& list = is_address(host) ? leaf.ip_addresses : leaf.dns_names;
    if (std::find(list.begin(), list.end(), host) == list.end()) list.push_back(host);
  }
  return leaf;
}

}  // namespace keelway::access
