#include "aws/protocol/verify.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/encoding.h"
#include "wire/sigv4.h"

namespace keelway::aws {
namespace {

namespace sigv4 = wire::sigv4;

constexpr int skew_minutes = 5;
constexpr int skew_minutes_sts = 15;
constexpr std::string_view mismatch_text =
    "The request signature we calculated does not match the signature you provided. Check your AWS "
    "Secret Access Key and signing method. Consult the service documentation for details.";

ServiceError mismatch(std::string message) {
  return {403, "InvalidSignatureException", std::move(message), {}};
}

// The signature is worth nothing outside of its window, in the words of the real services.
std::optional<ServiceError> check_time(const sigv4::Authorization& authorization,
                                       base::WallTime now) {
  const int minutes = authorization.service == "sts" ? skew_minutes_sts : skew_minutes;
  const base::Duration skew = std::chrono::minutes(minutes);
  const base::WallTime signed_at =
      base::parse_amz_date(authorization.amz_date).value_or(base::WallTime{});
  base::Duration life = skew;
  if (authorization.presigned) life = std::chrono::seconds(authorization.expires_seconds);
  if (signed_at + life < now) {
    const std::string at = base::format_amz_date(now);
    const std::string earliest = base::format_amz_date(now + -life);
    if (authorization.presigned) {
      return mismatch(fmt::format("Signature expired: {} is now earlier than {} ({} - {} sec.)",
                                  authorization.amz_date, earliest, at,
                                  authorization.expires_seconds));
    }
    return mismatch(fmt::format("Signature expired: {} is now earlier than {} ({} - {} min.)",
                                authorization.amz_date, earliest, at, minutes));
  }
  if (now + skew < signed_at) {
    return mismatch(
        fmt::format("Signature not yet current: {} is still later than {} ({} + {} "
                    "min.)",
                    authorization.amz_date, base::format_amz_date(now + skew),
                    base::format_amz_date(now), minutes));
  }
  return std::nullopt;
}

bool is_plain_region(std::string_view region) {
  return !region.empty() && region.size() <= 32 &&
         std::all_of(region.begin(), region.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}

}  // namespace

std::expected<Caller, Refusal> verify_request(const http::Request& request, const KeyLookup& keys,
                                              base::WallTime now) {
  std::vector<sigv4::Header> headers = request.headers;
  const sigv4::SignedRequest signed_request{request.method, request.target, &headers, request.body};
  auto parsed = sigv4::parse(signed_request);
  Dialect dialect = dialect_of_unsigned(request);
  const auto refuse_with = [&dialect](ServiceError error) {
    return std::unexpected(Refusal{dialect, std::move(error)});
  };
  if (!parsed) {
    return refuse_with({400, "IncompleteSignatureException", parsed.error().message, {}});
  }
  if (!*parsed) {
    return refuse_with(
        {403, "MissingAuthenticationTokenException", "Missing Authentication Token", {}});
  }
  sigv4::Authorization& authorization = **parsed;
  dialect = dialect_of(authorization.service);
  const auto key = keys(authorization.access_key);
  if (!key || !authorization.session_token.empty()) {
    // Session credentials are not vended here, so a session token is nobody's.
    return refuse_with({403,
                        "UnrecognizedClientException",
                        "The security token included in the request is invalid.",
                        {}});
  }
  if (!is_plain_region(authorization.region)) {
    return refuse_with(mismatch("Credential should be scoped to a valid region."));
  }
  if (auto late = check_time(authorization, now)) return refuse_with(std::move(*late));
  if (authorization.presigned) {
    authorization.payload_hash =
        request.body.empty() ? sigv4::PayloadHash::empty : sigv4::PayloadHash::of_body;
  } else if (authorization.service != "s3") {
    // Only S3 takes a body that the signature does not cover.
    authorization.payload_hash = sigv4::PayloadHash::of_body;
  }
  const std::string expected =
      sigv4::signature(signed_request, authorization, key->secret_access_key);
  if (!base::equal_in_constant_time(expected, authorization.signature)) {
    return refuse_with(mismatch(std::string(mismatch_text)));
  }
  return Caller{key->arn(),           key->account_id,       key->user_id(), key->access_key_id,
                authorization.region, authorization.service, key->root};
}

}  // namespace keelway::aws
