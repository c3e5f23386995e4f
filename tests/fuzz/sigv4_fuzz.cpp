// Signature Version 4: lines of method, target and headers, a cut, the body. What we sign verifies,
// in headers and presigned, and does not verify once one byte is changed.
#include <algorithm>

#include "fuzz/input.h"
#include "wire/sigv4.h"

namespace {

namespace sigv4 = keelway::wire::sigv4;
using keelway::base::WallTime;

constexpr WallTime now{1'767'323'045'000'000};
const sigv4::Credentials credentials{"AKIAEXAMPLEEXAMPLE22",
                                     "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ""};
const sigv4::Scope scope{"us-east-1", "eks"};

struct Parts {
  std::string method, target;
  std::vector<sigv4::Header> headers;
  std::string body;
};

Parts read(keelway::fuzz::Input input) {
  Parts parts;
  const std::string_view text = input.part();
  keelway::fuzz::Input lines(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  parts.method = lines.line();
  parts.target = lines.line();
  while (!lines.done() && parts.headers.size() < 20) {
    const std::string_view line = lines.line();
    const auto colon = line.find(':');
    std::string name(line.substr(0, colon));
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    parts.headers.emplace_back(std::move(name),
                               colon == std::string_view::npos ? "" : line.substr(colon + 1));
  }
  parts.body = input.rest();
  return parts;
}

// What a signature is made of names that an Authorization header can list.
bool listable(const std::vector<sigv4::Header>& headers) {
  return std::all_of(headers.begin(), headers.end(), [](const sigv4::Header& header) {
    return !header.first.empty() && header.first.find_first_of(" \t,;=") == std::string::npos;
  });
}

// Parts that would be read as somebody else's signature.
bool signs_already(const Parts& parts) {
  return parts.target.find("X-Amz-") != std::string::npos ||
         std::any_of(parts.headers.begin(), parts.headers.end(), [](const auto& header) {
           return header.first.starts_with("x-amz-") || header.first == "authorization" ||
                  header.first == "host";
         });
}

void check_headers(Parts parts) {
  parts.headers.emplace_back("host", "127.0.0.1:4566");
  sigv4::sign_headers(parts.method, parts.target, parts.headers, parts.body, credentials, scope,
                      now);
  sigv4::SignedRequest request{parts.method, parts.target, &parts.headers, parts.body};
  const auto parsed = sigv4::parse(request);
  KEELWAY_INVARIANT(parsed && *parsed, "our own signature does not parse");
  const auto verdict = sigv4::verify(request, **parsed, credentials.secret_key, now);
  KEELWAY_INVARIANT(verdict == sigv4::Verdict::valid, "our own signature does not verify");
  const std::string other = parts.body + "x";
  request.body = other;
  KEELWAY_INVARIANT(
      sigv4::verify(request, **parsed, credentials.secret_key, now) != sigv4::Verdict::valid,
      "another body verifies");
  request.body = parts.body;
  const std::string method = parts.method + "x";
  request.method = method;
  KEELWAY_INVARIANT(
      sigv4::verify(request, **parsed, credentials.secret_key, now) != sigv4::Verdict::valid,
      "another method verifies");
}

void check_presigned(const Parts& parts) {
  std::vector<sigv4::Header> headers = parts.headers;
  headers.emplace_back("host", "127.0.0.1:4566");
  const std::string target = sigv4::presign("GET", parts.target, headers, credentials, scope, now,
                                            std::chrono::seconds(60));
  const sigv4::SignedRequest request{"GET", target, &headers, ""};
  const auto parsed = sigv4::parse(request);
  KEELWAY_INVARIANT(parsed && *parsed && (*parsed)->presigned, "our own address does not parse");
  const auto verdict_at = [&](WallTime at) {
    return sigv4::verify(request, **parsed, credentials.secret_key, at);
  };
  KEELWAY_INVARIANT(verdict_at(now) == sigv4::Verdict::valid, "our own address does not verify");
  KEELWAY_INVARIANT(verdict_at(now + std::chrono::seconds(61)) == sigv4::Verdict::expired,
                    "an address outlives its time");
}

}  // namespace

KEELWAY_FUZZ_TARGET(data, size) {
  Parts parts = read(keelway::fuzz::Input(data, size));
  const sigv4::SignedRequest request{parts.method, parts.target, &parts.headers, parts.body};
  const auto parsed = sigv4::parse(request);
  if (parsed && *parsed) {
    const auto verdict = sigv4::verify(request, **parsed, "another secret", now);
    KEELWAY_INVARIANT(verdict == sigv4::Verdict::mismatch, "a signature of nobody verifies");
    static_cast<void>(sigv4::canonical_request(request, **parsed));
  }
  if (signs_already(parts) || !listable(parts.headers)) return 0;
  check_headers(parts);
  check_presigned(parts);
  return 0;
}
