#include "aws/identity/token.h"

#include <algorithm>
#include <array>
#include <set>
#include <vector>

#include "base/encoding.h"
#include "wire/sigv4.h"

namespace keelway::aws {
namespace {

using base::ErrorCode;

constexpr std::string_view prefix = "k8s-aws-v1.";
constexpr std::string_view cluster_header = "x-k8s-aws-id";
constexpr std::size_t token_bytes_max = 4096;
constexpr base::Duration lifetime = std::chrono::minutes(15);
// A clock ahead of ours by more than this makes tokens that are not valid yet.
constexpr base::Duration clock_skew_max = std::chrono::minutes(15);
constexpr std::int64_t expires_seconds_max = 900;

std::unexpected<base::Error> refuse(std::string why) {
  return base::fail(ErrorCode::unauthorized, "eks token: " + std::move(why));
}

struct Address {
  std::string host;    // with the port, as it was signed
  std::string target;  // path and query
};

// GetCallerIdentity by GET on the root path, over http (our own endpoint) or https.
base::Result<Address> split_address(std::string_view url) {
  const std::size_t scheme_end = url.find("://");
  if (scheme_end == std::string_view::npos) return refuse("it holds no address");
  const std::string_view scheme = url.substr(0, scheme_end);
  if (scheme != "http" && scheme != "https") return refuse("its address is neither http nor https");
  url.remove_prefix(scheme_end + 3);
  const std::size_t end = url.find_first_of("/?#");
  Address address{std::string(url.substr(0, end)), ""};
  if (address.host.empty() || address.host.find('@') != std::string::npos) {
    return refuse("its address has no plain host");
  }
  if (end == std::string_view::npos || url.find('#') != std::string_view::npos) {
    return refuse("its address has no query");
  }
  address.target = url.substr(end);
  if (address.target.starts_with('?')) address.target.insert(0, "/");
  if (!address.target.starts_with("/?")) return refuse("its path is not /");
  return address;
}

bool allowed_parameter(std::string_view lower_case_name) {
  static constexpr std::array<std::string_view, 9> allowed = {"action",
                                                              "version",
                                                              "x-amz-algorithm",
                                                              "x-amz-credential",
                                                              "x-amz-date",
                                                              "x-amz-expires",
                                                              "x-amz-security-token",
                                                              "x-amz-signature",
                                                              "x-amz-signedheaders"};
  return std::find(allowed.begin(), allowed.end(), lower_case_name) != allowed.end();
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// Names in any case; two spellings of one name count as a duplicate.
base::Result<void> check_parameters(std::string_view query) {
  std::set<std::string> seen;
  bool action = false;
  while (!query.empty()) {
    const std::string_view part = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), part.size() + 1));
    if (part.empty()) continue;
    const std::size_t equals = part.find('=');
    const auto name = base::percent_decode(part.substr(0, equals));
    const auto text = equals == std::string_view::npos
                          ? std::optional<std::string>("")
                          : base::percent_decode(part.substr(equals + 1));
    if (!name || !text) return refuse("its query has a broken escape");
    const std::string key = lower(*name);
    if (!allowed_parameter(key)) return refuse("its query has the parameter " + *name);
    if (!seen.insert(key).second) return refuse("its query repeats the parameter " + *name);
    if (key == "action") action = *text == "GetCallerIdentity";
  }
  if (!action) return refuse("its action is not GetCallerIdentity");
  return {};
}

struct Validity {
  base::WallTime from, until;
};

base::Result<Validity> check_time(const wire::sigv4::Authorization& authorization,
                                  base::WallTime now) {
  const auto signed_at = base::parse_amz_date(authorization.amz_date);
  if (!signed_at) return refuse("its X-Amz-Date is not a date");
  if (authorization.expires_seconds < 0 || authorization.expires_seconds > expires_seconds_max) {
    return refuse("its X-Amz-Expires is not within 0-900");
  }
  if (*signed_at + lifetime < now) return refuse("it was signed more than 15 minutes ago");
  if (now + clock_skew_max < *signed_at) return refuse("it was signed in the future");
  return Validity{*signed_at + -clock_skew_max, *signed_at + lifetime};
}

}  // namespace

base::Result<TokenCaller> verify_token(std::string_view token, std::string_view cluster,
                                       const KeyLookup& keys, base::WallTime now) {
  if (token.size() > token_bytes_max) return refuse("it is longer than 4096 bytes");
  if (!token.starts_with(prefix)) return refuse("its prefix is not k8s-aws-v1.");
  const auto url = base::base64url_decode(token.substr(prefix.size()));
  if (!url) return refuse("it is not base64url");
  const auto address = split_address(*url);
  if (!address) return std::unexpected(address.error());
  if (auto good = check_parameters(std::string_view(address->target).substr(2)); !good) {
    return std::unexpected(good.error());
  }
  // The header is not in the token: whoever presents it to a cluster claims that cluster's name,
  // and the signature shows whether the name was signed.
  const std::vector<wire::sigv4::Header> headers = {
      {"host", address->host}, {std::string(cluster_header), std::string(cluster)}};
  wire::sigv4::SignedRequest request{"GET", address->target, &headers, ""};
  auto parsed = wire::sigv4::parse(request);
  if (!parsed) return refuse(parsed.error().message);
  if (!*parsed || !(*parsed)->presigned) return refuse("its address is not presigned");
  wire::sigv4::Authorization& authorization = **parsed;
  authorization.payload_hash = wire::sigv4::PayloadHash::empty;
  const auto& names = authorization.signed_headers;
  if (std::find(names.begin(), names.end(), cluster_header) == names.end() ||
      std::find(names.begin(), names.end(), "host") == names.end()) {
    return refuse("host and x-k8s-aws-id are not both signed");
  }
  if (authorization.service != "sts") return refuse("it is signed for another service than sts");
  const auto validity = check_time(authorization, now);
  if (!validity) return std::unexpected(validity.error());
  const auto key = keys(authorization.access_key);
  if (!key) return refuse("its access key is unknown");
  // X-Amz-Expires bounds a call to STS, not the token: clients say 60 and keep it for 14 minutes.
  const std::string expected =
      wire::sigv4::signature(request, authorization, key->secret_access_key);
  if (!base::equal_in_constant_time(expected, authorization.signature)) {
    return refuse("its signature does not match");
  }
  return TokenCaller{key->arn(),         key->account_id, key->user_id(),
                     key->access_key_id, validity->from,  validity->until};
}

}  // namespace keelway::aws
