// What certificates and signing requests say, and whether a chain holds.
#include <netinet/in.h>

#include <ctime>

#include "access/openssl.h"
#include "access/pki.h"

namespace keelway::access {
namespace {

using base::ErrorCode;
using base::fail;
using openssl::Certificate;
using openssl::failed;

std::string text_of(const ASN1_STRING* string) {
  unsigned char* utf8 = nullptr;
  const int size = ASN1_STRING_to_UTF8(&utf8, string);
  if (size < 0) return {};
  std::string text(reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(size));
  OPENSSL_free(utf8);
  return text;
}

std::vector<std::string> entries(const X509_NAME* name, int nid) {
  std::vector<std::string> found;
  for (int at = -1; (at = X509_NAME_get_index_by_NID(name, nid, at)) >= 0;) {
    found.push_back(text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at))));
  }
  return found;
}

void read_subject(const X509_NAME* name, LeafFacts& facts) {
  const auto common_names = entries(name, NID_commonName);
  // Where several stand, the last is the most specific, as Go's crypto/x509 reads it.
  if (!common_names.empty()) facts.common_name = common_names.back();
  facts.organizations = entries(name, NID_organizationName);
}

std::string address_text(const ASN1_OCTET_STRING* address) {
  const unsigned char* bytes = ASN1_STRING_get0_data(address);
  const int size = ASN1_STRING_length(address);
  std::string text;
  char piece[8];
  if (size == 4) {
    for (int i = 0; i < 4; ++i) {
      std::snprintf(piece, sizeof piece, i == 0 ? "%u" : ".%u", bytes[i]);
      text += piece;
    }
  } else if (size == 16) {
    for (int i = 0; i < 16; i += 2) {
      std::snprintf(piece, sizeof piece, i == 0 ? "%x" : ":%x", bytes[i] << 8 | bytes[i + 1]);
      text += piece;
    }
  }
  return text;
}

void read_alternative_names(GENERAL_NAMES* names, LeafFacts& facts) {
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    if (name->type == GEN_DNS) facts.dns_names.push_back(text_of(name->d.dNSName));
    if (name->type == GEN_IPADD) facts.ip_addresses.push_back(address_text(name->d.iPAddress));
  }
  GENERAL_NAMES_free(names);
}

base::WallTime wall_time(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return {static_cast<std::int64_t>(timegm(&parts)) * 1'000'000};
}

LeafFacts facts_of(X509* certificate) {
  LeafFacts facts;
  read_subject(X509_get_subject_name(certificate), facts);
  facts.validity = {wall_time(X509_get0_notBefore(certificate)),
                    wall_time(X509_get0_notAfter(certificate))};
  const ASN1_INTEGER* serial = X509_get0_serialNumber(certificate);
  facts.serial.assign(reinterpret_cast<const char*>(ASN1_STRING_get0_data(serial)),
                      static_cast<std::size_t>(ASN1_STRING_length(serial)));
  const std::uint32_t usage = X509_get_extended_key_usage(certificate);
  facts.for_client = usage == UINT32_MAX || (usage & XKU_SSL_CLIENT) != 0;
  if (auto* names = static_cast<GENERAL_NAMES*>(
          X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr))) {
    read_alternative_names(names, facts);
  }
  return facts;
}

using Store = std::unique_ptr<X509_STORE, openssl::Deleter<X509_STORE_free>>;
using StoreContext = std::unique_ptr<X509_STORE_CTX, openssl::Deleter<X509_STORE_CTX_free>>;

struct Chain {
  STACK_OF(X509) * certificates = sk_X509_new_null();
  Chain() = default;
  Chain(const Chain&) = delete;
  Chain& operator=(const Chain&) = delete;
  ~Chain() { sk_X509_pop_free(certificates, X509_free); }
};

Store read_anchors(std::string_view pem) {
  Store store(X509_STORE_new());
  const openssl::Bio bio = openssl::read_bio(pem);
  int count = 0;
  while (X509* anchor =
             PEM_read_bio_X509(bio.get(), nullptr, openssl::refuse_passphrase, nullptr)) {
    count += X509_STORE_add_cert(store.get(), anchor);
    X509_free(anchor);
  }
  ERR_clear_error();  // the end of the input is an error to PEM_read
  if (count == 0) store.reset();
  return store;
}

}  // namespace

base::Result<LeafFacts> parse_certificate_der(std::string_view der) {
  const Certificate certificate = openssl::read_certificate_der(der);
  if (!certificate) return failed(ErrorCode::invalid, "parse a DER certificate");
  return facts_of(certificate.get());
}

base::Result<LeafFacts> parse_certificate_pem(std::string_view pem) {
  const Certificate certificate = openssl::read_certificate(pem);
  if (!certificate) return failed(ErrorCode::invalid, "parse a PEM certificate");
  return facts_of(certificate.get());
}

base::Result<std::string> certificate_pem_to_der(std::string_view pem) {
  const Certificate certificate = openssl::read_certificate(pem);
  unsigned char* bytes = nullptr;
  const int size = certificate ? i2d_X509(certificate.get(), &bytes) : -1;
  if (size < 0) return failed(ErrorCode::invalid, "read a PEM certificate");
  std::string der(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  return der;
}

base::Result<LeafFacts> parse_signing_request(std::string_view csr_pem) {
  const openssl::SigningRequest csr(PEM_read_bio_X509_REQ(openssl::read_bio(csr_pem).get(), nullptr,
                                                          openssl::refuse_passphrase, nullptr));
  if (!csr) return failed(ErrorCode::invalid, "parse a PEM signing request");
  EVP_PKEY* key = X509_REQ_get0_pubkey(csr.get());
  if (key == nullptr || X509_REQ_verify(csr.get(), key) != 1) {
    return failed(ErrorCode::unauthorized,
                  "a signing request is not signed by the key that it is for");
  }
  LeafFacts facts;
  read_subject(X509_REQ_get_subject_name(csr.get()), facts);
  STACK_OF(X509_EXTENSION)* extensions = X509_REQ_get_extensions(csr.get());
  if (auto* names = static_cast<GENERAL_NAMES*>(
          X509V3_get_d2i(extensions, NID_subject_alt_name, nullptr, nullptr))) {
    read_alternative_names(names, facts);
  }
  sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
  return facts;
}

base::Result<void> verify_client_chain(const std::vector<std::string>& chain_der,
                                       std::string_view anchors_pem, base::WallTime now) {
  if (chain_der.empty()) return fail(ErrorCode::unauthorized, "the certificate chain is empty");
  const Certificate leaf = openssl::read_certificate_der(chain_der.front());
  if (!leaf) return failed(ErrorCode::invalid, "the client's leaf certificate does not parse");
  const Store anchors = read_anchors(anchors_pem);
  if (!anchors) return fail(ErrorCode::invalid, "the client CA bundle holds no certificate");
  Chain between;
  for (std::size_t i = 1; i < chain_der.size(); ++i) {
    Certificate one = openssl::read_certificate_der(chain_der[i]);
    if (!one) return failed(ErrorCode::invalid, "a certificate of the chain does not parse");
    sk_X509_push(between.certificates, one.release());
  }
  const StoreContext context(X509_STORE_CTX_new());
  X509_STORE_CTX_init(context.get(), anchors.get(), leaf.get(), between.certificates);
  X509_VERIFY_PARAM* rules = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_time(rules, now.seconds());
  X509_VERIFY_PARAM_set_purpose(rules, X509_PURPOSE_SSL_CLIENT);
  if (X509_verify_cert(context.get()) == 1) return {};
  const int error = X509_STORE_CTX_get_error(context.get());
  ERR_clear_error();
  return fail(ErrorCode::unauthorized, std::string("the client certificate does not verify: ") +
                                           X509_verify_cert_error_string(error));
}

}  // namespace keelway::access
