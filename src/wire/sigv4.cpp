#include "wire/sigv4.h"

#include <algorithm>
#include <charconv>

#include "base/encoding.h"

namespace keelway::wire::sigv4 {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr std::string_view kUnsigned = "UNSIGNED-PAYLOAD";
constexpr base::Duration kSkewMax = std::chrono::minutes(15);
constexpr std::int64_t kExpiresMax = 7 * 24 * 3600;
constexpr std::size_t kSignedHeadersMax = 100;

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::pair<std::string_view, std::string_view> path_and_query(std::string_view target) {
  const auto mark = target.find('?');
  if (mark == std::string_view::npos) return {target, {}};
  return {target.substr(0, mark), target.substr(mark + 1)};
}

std::string_view header_of(const SignedRequest& request, std::string_view name) {
  for (const auto& [key, value] : *request.headers) {
    if (key == name) return value;
  }
  return {};
}

// RFC 3986 5.2.4, empty segments removed; then each segment is encoded once more than on the wire.
std::string canonical_path(std::string_view path) {
  std::vector<std::string_view> kept;
  for (const auto segment : split(path, '/')) {
    if (segment == "..") {
      if (!kept.empty()) kept.pop_back();
    } else if (!segment.empty() && segment != ".") {
      kept.push_back(segment);
    }
  }
  std::string out;
  for (const auto segment : kept) {
    out += '/';
    out += base::percent_encode(segment);
  }
  if (out.empty() || path.ends_with('/')) out += '/';
  return out;
}

// Decoded and encoded again, so that every spelling of one query has one form: a plus is a plus.
// What does not decode stays as it is, and is the form of nothing else.
std::string recode(std::string_view text) {
  const auto decoded = base::percent_decode(text);
  return decoded ? base::percent_encode(*decoded) : std::string(text);
}

std::string canonical_query(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> parameters;
  for (const auto part : split(query, '&')) {
    if (part.empty()) continue;
    const auto equals = part.find('=');
    std::string name = recode(part.substr(0, equals));
    if (name == "X-Amz-Signature") continue;
    std::string value;
    if (equals != std::string_view::npos) value = recode(part.substr(equals + 1));
    parameters.emplace_back(std::move(name), std::move(value));
  }
  std::sort(parameters.begin(), parameters.end());
  std::string out;
  for (const auto& [name, value] : parameters) {
    if (!out.empty()) out += '&';
    out += name + '=' + value;
  }
  return out;
}

std::string collapse_spaces(std::string_view text) {
  std::string out;
  for (const char c : trim(text)) {
    if (c == ' ' && out.ends_with(' ')) continue;
    out += c;
  }
  return out;
}

std::string canonical_header(const SignedRequest& request, std::string_view name) {
  std::string line(name);
  line += ':';
  bool first = true;
  for (const auto& [key, value] : *request.headers) {
    if (key != name) continue;
    if (!first) line += ',';
    first = false;
    line += collapse_spaces(value);
  }
  return line + '\n';
}

std::string join(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& name : names) {
    if (!out.empty()) out += ';';
    out += name;
  }
  return out;
}

std::string payload_hash(const SignedRequest& request, const Authorization& authorization) {
  switch (authorization.payload_hash) {
    case PayloadHash::unsigned_:
      return std::string(kUnsigned);
    case PayloadHash::empty:
      return base::hex_encode(base::sha256(""));
    case PayloadHash::of_body:
      break;
  }
  return base::hex_encode(base::sha256(request.body));
}

std::string scope_of(const Authorization& a) {
  return a.date + '/' + a.region + '/' + a.service + "/aws4_request";
}

std::unexpected<base::Error> incomplete(std::string message) {
  return base::fail(base::ErrorCode::invalid, std::move(message));
}

base::Result<void> take_credential(std::string_view credential, Authorization& into) {
  const auto parts = split(credential, '/');
  if (parts.size() != 5 || parts[4] != "aws4_request") {
    return incomplete(
        "Credential must have exactly 5 slash-delimited elements, e.g. "
        "keyid/date/region/service/term, got '" +
        std::string(credential) + "'");
  }
  into.access_key = parts[0];
  into.date = parts[1];
  into.region = parts[2];
  into.service = parts[3];
  return {};
}

base::Result<void> take_signed_headers(std::string_view list, Authorization& into) {
  for (const auto name : split(list, ';')) into.signed_headers.emplace_back(name);
  if (into.signed_headers.size() > kSignedHeadersMax) {
    return incomplete("Authorization header names too many signed headers.");
  }
  const auto& names = into.signed_headers;
  if (std::find(names.begin(), names.end(), "host") == names.end()) {
    return incomplete("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.");
  }
  return {};
}

base::Result<void> check_date(const Authorization& authorization) {
  if (!base::parse_amz_date(authorization.amz_date)) {
    return incomplete("Date must be in ISO-8601 'basic format'. Got '" + authorization.amz_date +
                      "'. See http://en.wikipedia.org/wiki/ISO_8601");
  }
  if (authorization.amz_date.substr(0, 8) != authorization.date) {
    return incomplete(
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of "
        "date from HTTP: '" +
        authorization.date + "' != '" + authorization.amz_date.substr(0, 8) + "', from '" +
        authorization.amz_date + "'.");
  }
  return {};
}

base::Result<std::optional<Authorization>> finish(base::Result<void> step, Authorization made) {
  if (!step) return std::unexpected(step.error());
  if (auto dated = check_date(made); !dated) return std::unexpected(dated.error());
  return std::optional(std::move(made));
}

base::Result<std::optional<Authorization>> parse_header(const SignedRequest& request,
                                                        std::string_view value) {
  Authorization made;
  std::string_view credential, signed_headers;
  for (auto part : split(value.substr(kAlgorithm.size()), ',')) {
    part = trim(part);
    const auto equals = part.find('=');
    if (equals == std::string_view::npos) continue;
    const auto name = part.substr(0, equals);
    const auto text = part.substr(equals + 1);
    if (name == "Credential")
      credential = text;
    else if (name == "SignedHeaders")
      signed_headers = text;
    else if (name == "Signature")
      made.signature = text;
  }
  made.amz_date = header_of(request, "x-amz-date");
  std::string missing;
  if (credential.empty()) missing += "Authorization header requires 'Credential' parameter. ";
  if (made.signature.empty()) missing += "Authorization header requires 'Signature' parameter. ";
  if (signed_headers.empty()) {
    missing += "Authorization header requires 'SignedHeaders' parameter. ";
  }
  if (made.amz_date.empty()) {
    missing +=
        "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' "
        "header. ";
  }
  if (!missing.empty()) return incomplete(missing + "Authorization=" + std::string(value));
  made.session_token = header_of(request, "x-amz-security-token");
  if (header_of(request, "x-amz-content-sha256") == kUnsigned) {
    made.payload_hash = PayloadHash::unsigned_;
  }
  auto step = take_credential(credential, made);
  if (step) step = take_signed_headers(signed_headers, made);
  return finish(std::move(step), std::move(made));
}

base::Result<std::optional<Authorization>> parse_query(const SignedRequest& request,
                                                       std::string_view query) {
  Authorization made;
  made.presigned = true;
  std::string algorithm, credential, signed_headers, expires;
  for (const auto part : split(query, '&')) {
    const auto equals = part.find('=');
    if (equals == std::string_view::npos) continue;
    const auto name = part.substr(0, equals);
    auto value = base::percent_decode(part.substr(equals + 1)).value_or("");
    if (name == "X-Amz-Algorithm")
      algorithm = std::move(value);
    else if (name == "X-Amz-Credential")
      credential = std::move(value);
    else if (name == "X-Amz-SignedHeaders")
      signed_headers = std::move(value);
    else if (name == "X-Amz-Signature")
      made.signature = std::move(value);
    else if (name == "X-Amz-Date")
      made.amz_date = std::move(value);
    else if (name == "X-Amz-Expires")
      expires = std::move(value);
    else if (name == "X-Amz-Security-Token")
      made.session_token = std::move(value);
  }
  for (const auto& [name, value] :
       {std::pair("X-Amz-Credential", &credential), std::pair("X-Amz-Signature", &made.signature),
        std::pair("X-Amz-SignedHeaders", &signed_headers),
        std::pair("X-Amz-Date", &made.amz_date)}) {
    if (value->empty()) {
      return incomplete(std::string("AWS query-string parameters must include '") + name +
                        "'. Re-examine the query-string parameters.");
    }
  }
  if (algorithm != kAlgorithm)
    return incomplete("Unsupported AWS 'algorithm': '" + algorithm + "'.");
  made.expires_seconds = 900;  // what STS takes where the query does not say
  if (!expires.empty()) {
    const char* end = expires.data() + expires.size();
    const auto parsed = std::from_chars(expires.data(), end, made.expires_seconds);
    if (parsed.ec != std::errc() || parsed.ptr != end || made.expires_seconds < 0 ||
        made.expires_seconds > kExpiresMax) {
      return incomplete("X-Amz-Expires must be between 0 and 604800 seconds");
    }
  }
  if (header_of(request, "x-amz-content-sha256") == kUnsigned) {
    made.payload_hash = PayloadHash::unsigned_;
  }
  auto step = take_credential(credential, made);
  if (step) step = take_signed_headers(signed_headers, made);
  return finish(std::move(step), std::move(made));
}

Authorization authorization_of(const std::vector<Header>& headers, const Credentials& credentials,
                               const Scope& scope, base::WallTime now) {
  Authorization made;
  made.access_key = credentials.access_key;
  made.session_token = credentials.session_token;
  made.amz_date = base::format_amz_date(now);
  made.date = made.amz_date.substr(0, 8);
  made.region = scope.region;
  made.service = scope.service;
  for (const auto& [name, value] : headers) made.signed_headers.push_back(name);
  auto& names = made.signed_headers;
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return made;
}

}  // namespace

base::Result<std::optional<Authorization>> parse(const SignedRequest& request) {
  const auto value = header_of(request, "authorization");
  if (value.starts_with(kAlgorithm)) return parse_header(request, value);
  const auto query = path_and_query(request.target).second;
  if (query.find("X-Amz-Signature=") != std::string_view::npos ||
      query.find("X-Amz-Algorithm=") != std::string_view::npos) {
    return parse_query(request, query);
  }
  return std::optional<Authorization>();
}

std::string canonical_request(const SignedRequest& request, const Authorization& authorization) {
  const auto [path, query] = path_and_query(request.target);
  std::string out(request.method);
  out += '\n' + canonical_path(path) + '\n' + canonical_query(query) + '\n';
  for (const auto& name : authorization.signed_headers) out += canonical_header(request, name);
  return out + '\n' + join(authorization.signed_headers) + '\n' +
         payload_hash(request, authorization);
}

std::string string_to_sign(const Authorization& authorization, std::string_view canonical) {
  return std::string(kAlgorithm) + '\n' + authorization.amz_date + '\n' + scope_of(authorization) +
         '\n' + base::hex_encode(base::sha256(canonical));
}

std::string signing_key(std::string_view secret_key, const Authorization& authorization) {
  std::string key = base::hmac_sha256("AWS4" + std::string(secret_key), authorization.date);
  key = base::hmac_sha256(key, authorization.region);
  key = base::hmac_sha256(key, authorization.service);
  return base::hmac_sha256(key, "aws4_request");
}

std::string signature(const SignedRequest& request, const Authorization& authorization,
                      std::string_view secret_key) {
  const auto text = string_to_sign(authorization, canonical_request(request, authorization));
  return base::hex_encode(base::hmac_sha256(signing_key(secret_key, authorization), text));
}

Verdict verify(const SignedRequest& request, const Authorization& authorization,
               std::string_view secret_key, base::WallTime now) {
  const auto expected = signature(request, authorization, secret_key);
  if (!base::equal_in_constant_time(expected, authorization.signature)) return Verdict::mismatch;
  const auto signed_at = base::parse_amz_date(authorization.amz_date);
  if (!signed_at) return Verdict::mismatch;
  if (*signed_at - now > kSkewMax) return Verdict::not_yet_valid;
  const base::Duration life =
      authorization.presigned ? std::chrono::seconds(authorization.expires_seconds) : kSkewMax;
  return now - *signed_at > life ? Verdict::expired : Verdict::valid;
}

void sign_headers(std::string_view method, std::string_view target, std::vector<Header>& headers,
                  std::string_view body, const Credentials& credentials, const Scope& scope,
                  base::WallTime now) {
  std::erase_if(headers, [](const Header& header) {
    return header.first == "authorization" || header.first == "x-amz-date" ||
           header.first == "x-amz-security-token";
  });
  headers.emplace_back("x-amz-date", base::format_amz_date(now));
  if (!credentials.session_token.empty()) {
    headers.emplace_back("x-amz-security-token", credentials.session_token);
  }
  const auto made = authorization_of(headers, credentials, scope, now);
  const SignedRequest request{method, target, &headers, body};
  const auto value = std::string(kAlgorithm) + " Credential=" + made.access_key + '/' +
                     scope_of(made) + ", SignedHeaders=" + join(made.signed_headers) +
                     ", Signature=" + signature(request, made, credentials.secret_key);
  headers.emplace_back("authorization", value);
}

std::string presign(std::string_view method, std::string_view target,
                    const std::vector<Header>& headers, const Credentials& credentials,
                    const Scope& scope, base::WallTime now, base::Duration expires) {
  auto made = authorization_of(headers, credentials, scope, now);
  made.presigned = true;
  std::string url(target);
  url += target.find('?') == std::string_view::npos ? '?' : '&';
  url += "X-Amz-Algorithm=" + std::string(kAlgorithm) +
         "&X-Amz-Credential=" + base::percent_encode(made.access_key + '/' + scope_of(made)) +
         "&X-Amz-Date=" + made.amz_date + "&X-Amz-Expires=" +
         std::to_string(std::chrono::duration_cast<std::chrono::seconds>(expires).count()) +
         "&X-Amz-SignedHeaders=" + base::percent_encode(join(made.signed_headers));
  if (!made.session_token.empty()) {
    url += "&X-Amz-Security-Token=" + base::percent_encode(made.session_token);
  }
  const SignedRequest request{method, url, &headers, ""};
  return url + "&X-Amz-Signature=" + signature(request, made, credentials.secret_key);
}

}  // namespace keelway::wire::sigv4
