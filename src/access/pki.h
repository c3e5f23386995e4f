// X.509 with P-256 keys: a cluster's authority, its leaves, and what a client's leaf says.
// Everything is PEM or DER text in and out; OpenSSL's types stay in the .cpp.
//
// Key generation and ECDSA nonces draw on OpenSSL's own generator: keys must be strong in every
// world, and no decision of the program depends on their bits. Serials and validity are arguments.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/time.h"

namespace keelway::access {

struct Validity {
  base::WallTime not_before, not_after;
};

// A certificate (or CA) with its private key, both PEM (PKCS #8).
struct KeyedCertificate {
  std::string certificate_pem;
  std::string private_key_pem;
};

struct LeafRequest {
  std::string common_name;                 // the user of a client certificate
  std::vector<std::string> organizations;  // its groups
  std::vector<std::string> dns_names;      // subject alternative names, servers only
  std::vector<std::string> ip_addresses;   // literal IPv4 or IPv6
  bool for_server = false;                 // extendedKeyUsage serverAuth
  bool for_client = false;                 // extendedKeyUsage clientAuth
};

// What a certificate says about its holder.
struct LeafFacts {
  std::string common_name;
  std::vector<std::string> organizations;
  std::vector<std::string> dns_names, ip_addresses;
  Validity validity;
  std::string serial;       // raw big-endian bytes
  bool for_client = false;  // extendedKeyUsage names clientAuth (or is absent)
};

base::Result<std::string> make_p256_key_pem();

// `serial`: 1-20 raw bytes, the caller's random; the top bit is cleared.
base::Result<KeyedCertificate> make_authority(std::string_view common_name, std::string_view serial,
                                              Validity validity);
// A leaf with a fresh key, signed by `authority`. The chain is the leaf alone.
base::Result<KeyedCertificate> issue_leaf(const KeyedCertificate& authority,
                                          const LeafRequest& request, std::string_view serial,
                                          Validity validity);
// A leaf for the key of a PEM certificate signing request; names are taken from `request`.
base::Result<std::string> issue_for_signing_request(const KeyedCertificate& authority,
                                                    std::string_view csr_pem,
                                                    const LeafRequest& request,
                                                    std::string_view serial, Validity validity);
// The names that a PEM signing request asks for; its own signature is checked.
base::Result<LeafFacts> parse_signing_request(std::string_view csr_pem);

base::Result<LeafFacts> parse_certificate_der(std::string_view der);
base::Result<LeafFacts> parse_certificate_pem(std::string_view pem);
base::Result<std::string> certificate_pem_to_der(std::string_view pem);  // the first one
// Whether `chain_der` (leaf first) leads to one of the anchors at `now`, for client auth.
base::Result<void> verify_client_chain(const std::vector<std::string>& chain_der,
                                       std::string_view anchors_pem, base::WallTime now);

// The names under which pods and tools reach an API server: kubernetes[.default[.svc[.domain]]],
// localhost, 127.0.0.1, ::1, the service address and `hosts` (names or addresses, sorted out).
LeafRequest api_server_leaf(const std::vector<std::string>& hosts, std::string_view service_ip,
                            std::string_view cluster_domain = "cluster.local");

}  // namespace keelway::access
