// AWS Signature Version 4 as arithmetic: canonical request, string to sign, key, signature. Used by
// the server to verify and by our own clients to sign. Paths are normalised and encoded twice, as
// every service but S3 does.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/time.h"

namespace keelway::wire::sigv4 {

using Header = std::pair<std::string, std::string>;

struct SignedRequest {
  std::string_view method;
  std::string_view target;                       // as on the wire: path and query, percent-encoded
  const std::vector<Header>* headers = nullptr;  // lower-case names, `host` among them
  std::string_view body;
};

enum class PayloadHash {
  of_body,    // SHA-256 of the body
  unsigned_,  // x-amz-content-sha256: UNSIGNED-PAYLOAD
  empty,      // SHA-256 of nothing: presigned requests
};

// What a request says about its signature.
struct Authorization {
  std::string access_key;
  std::string date;  // "20260102"
  std::string region;
  std::string service;
  std::vector<std::string> signed_headers;  // lower-case, in the order of the request
  std::string signature;                    // 64 hexadecimal digits
  std::string amz_date;                     // "20260102T030405Z"
  std::string session_token;                // empty where there is none
  bool presigned = false;                   // came in the query
  std::int64_t expires_seconds = 0;         // presigned only
  PayloadHash payload_hash = PayloadHash::of_body;
};

// nullopt: the request carries no SigV4 signature at all. An error (invalid): it carries a broken
// one; the message is AWS's own for IncompleteSignature.
base::Result<std::optional<Authorization>> parse(const SignedRequest& request);

enum class Verdict {
  valid,
  mismatch,      // SignatureDoesNotMatch
  expired,       // more than 15 minutes old, or past X-Amz-Expires
  not_yet_valid  // more than 15 minutes ahead
};
Verdict verify(const SignedRequest& request, const Authorization& authorization,
               std::string_view secret_key, base::WallTime now);

struct Credentials {
  std::string access_key;
  std::string secret_key;
  std::string session_token;
};
struct Scope {
  std::string region;
  std::string service;
};

// Adds x-amz-date, x-amz-security-token (with a session) and authorization. `headers` holds host
// and whatever else shall be signed.
void sign_headers(std::string_view method, std::string_view target, std::vector<Header>& headers,
                  std::string_view body, const Credentials& credentials, const Scope& scope,
                  base::WallTime now);

// The target with the X-Amz-* query parameters appended. `headers` (host at least) are all signed.
std::string presign(std::string_view method, std::string_view target,
                    const std::vector<Header>& headers, const Credentials& credentials,
                    const Scope& scope, base::WallTime now, base::Duration expires);

// The steps, for tests and for error messages that show them as AWS does.
std::string canonical_request(const SignedRequest& request, const Authorization& authorization);
std::string string_to_sign(const Authorization& authorization, std::string_view canonical);
std::string signing_key(std::string_view secret_key, const Authorization& authorization);
std::string signature(const SignedRequest& request, const Authorization& authorization,
                      std::string_view secret_key);

}  // namespace keelway::wire::sigv4
