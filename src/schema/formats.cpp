#include "schema/formats.h"

#include <arpa/inet.h>
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/encoding.h"
#include "base/time.h"

namespace keelway::schema {
namespace {

constexpr std::string_view kLabelPattern = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
constexpr std::string_view kQualifiedPattern = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";

bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_lower_alnum(char c) {
  return is_lower(c) || is_digit(c);
}
bool is_alnum(char c) {
  return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}
bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool matches_label(std::string_view text) {
  return !text.empty() && is_lower_alnum(text.front()) && is_lower_alnum(text.back()) &&
         std::ranges::all_of(text, [](char c) { return is_lower_alnum(c) || c == '-'; });
}

bool matches_subdomain(std::string_view text) {
  while (true) {
    const std::size_t dot = text.find('.');
    if (!matches_label(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

bool matches_qualified_part(std::string_view text) {
  return !text.empty() && is_alnum(text.front()) && is_alnum(text.back()) &&
         std::ranges::all_of(
             text, [](char c) { return is_alnum(c) || c == '-' || c == '_' || c == '.'; });
}

std::string too_long_text(std::size_t length_max) {
  return fmt::format("must be no more than {} characters", length_max);
}

std::string pattern_text(std::string_view sentence, std::string_view pattern,
                         std::initializer_list<std::string_view> examples) {
  std::string text(sentence);
  text += " (e.g. ";
  bool first = true;
  for (const std::string_view example : examples) {
    if (!first) text += " or ";
    first = false;
    text += fmt::format("'{}', ", example);
  }
  return text + fmt::format("regex used for validation is '{}')", pattern);
}

}  // namespace

Complaints check_dns1123_label(std::string_view text) {
  Complaints out;
  if (text.size() > 63) out.push_back(too_long_text(63));
  if (matches_label(text)) return out;
  if (matches_subdomain(text)) {
    out.push_back("must not contain dots");
    return out;
  }
  out.push_back(pattern_text(
      "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
      "must start and end with an alphanumeric character",
      kLabelPattern, {"my-name", "123-abc"}));
  return out;
}

Complaints check_dns1123_subdomain(std::string_view text) {
  Complaints out;
  if (text.size() > 253) out.push_back(too_long_text(253));
  if (matches_subdomain(text)) return out;
  out.push_back(pattern_text(
      "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
      "'.', and must start and end with an alphanumeric character",
      fmt::format("{0}(\\.{0})*", kLabelPattern), {"example.com"}));
  return out;
}

Complaints check_dns1035_label(std::string_view text) {
  Complaints out;
  if (text.size() > 63) out.push_back(too_long_text(63));
  if (matches_label(text) && is_lower(text.front())) return out;
  out.push_back(pattern_text(
      "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
      "alphabetic character, and end with an alphanumeric character",
      "[a-z]([-a-z0-9]*[a-z0-9])?", {"my-name", "abc-123"}));
  return out;
}

Complaints check_path_segment(std::string_view text) {
  if (text == ".") return {"may not be '.'"};
  if (text == "..") return {"may not be '..'"};
  Complaints out;
  if (text.find('/') != text.npos) out.push_back("may not contain '/'");
  if (text.find('%') != text.npos) out.push_back("may not contain '%'");
  return out;
}

Complaints check_qualified_name(std::string_view text) {
  constexpr std::string_view sentence =
      "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
      "alphanumeric character";
  Complaints out;
  std::string_view name = text;
  const std::size_t slash = text.find('/');
  if (slash != text.npos && text.find('/', slash + 1) != text.npos) {
    return {"a qualified name " +
            pattern_text(sentence, kQualifiedPattern, {"MyName", "my.name", "123-abc"}) +
            " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"};
  }
  if (slash != text.npos) {
    const std::string_view prefix = text.substr(0, slash);
    name = text.substr(slash + 1);
    if (prefix.empty()) {
      out.push_back("prefix part must be non-empty");
    } else {
      for (const std::string& what : check_dns1123_subdomain(prefix)) {
        out.push_back("prefix part " + what);
      }
    }
  }
  if (name.empty()) out.push_back("name part must be non-empty");
  if (name.size() > 63) out.push_back("name part " + too_long_text(63));
  if (!matches_qualified_part(name)) {
    out.push_back("name part " +
                  pattern_text(sentence, kQualifiedPattern, {"MyName", "my.name", "123-abc"}));
  }
  return out;
}

Complaints check_label_value(std::string_view text) {
  Complaints out;
  if (text.size() > 63) out.push_back(too_long_text(63));
  if (text.empty() || matches_qualified_part(text)) return out;
  out.push_back(pattern_text(
      "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
      "'.', and must start and end with an alphanumeric character",
      fmt::format("({})?", kQualifiedPattern), {"MyValue", "my_value", "12345"}));
  return out;
}

Complaints check_port_name(std::string_view text) {
  Complaints out;
  if (text.size() > 15) out.push_back(too_long_text(15));
  if (text.empty() ||
      !std::ranges::all_of(text, [](char c) { return is_lower_alnum(c) || c == '-'; })) {
    out.push_back("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
  }
  if (!std::ranges::any_of(text, is_lower)) {
    out.push_back("must contain at least one letter (a-z)");
  }
  if (text.find("--") != text.npos) out.push_back("must not contain consecutive hyphens");
  if (!text.empty() && (text.front() == '-' || text.back() == '-')) {
    out.push_back("must not begin or end with a hyphen");
  }
  return out;
}

Complaints check_config_map_key(std::string_view text) {
  Complaints out;
  if (text.size() > 253) out.push_back(too_long_text(253));
  if (text.empty() || !std::ranges::all_of(text, [](char c) {
        return is_alnum(c) || c == '-' || c == '_' || c == '.';
      })) {
    out.push_back(
        pattern_text("a valid config key must consist of alphanumeric characters, '-', "
                     "'_' or '.'",
                     "[-._a-zA-Z0-9]+", {"key.name", "KEY_NAME", "key-name"}));
  }
  if (text == ".")
    out.push_back("must not be '.'");
  else if (text == "..")
    out.push_back("must not be '..'");
  else if (text.starts_with(".."))
    out.push_back("must not start with '..'");
  return out;
}

Complaints check_env_name(std::string_view text) {
  if (!text.empty() &&
      std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~' && c != '='; })) {
    return {};
  }
  return {
      "a valid environment variable name must consist only of printable ASCII characters other "
      "than '='"};
}

Complaints check_port_number(std::int64_t port) {
  if (port >= 1 && port <= 65535) return {};
  return {"must be between 1 and 65535, inclusive"};
}

Complaints check_ip(std::string_view text) {
  if (is_ipv4(text) || is_ipv6(text)) return {};
  return {"must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"};
}

Complaints check_name(std::string_view rule, std::string_view text, bool prefix) {
  std::string name(text);
  if (prefix && rule != "path-segment" && name.size() > 1 && name.back() == '-') {
    name.pop_back();
    while (!name.empty() && name.back() == '-') name.pop_back();
    name += 'a';
  }
  if (rule == "dns1123-subdomain" || rule == "k8s-long-name") return check_dns1123_subdomain(name);
  if (rule == "dns1123-label" || rule == "k8s-short-name") return check_dns1123_label(name);
  if (rule == "dns1035-label") return check_dns1035_label(name);
  if (rule == "path-segment") return check_path_segment(name);
  if (rule == "qualified-name") return check_qualified_name(name);
  if (rule == "label-value") return check_label_value(name);
  if (rule == "config-map-key") return check_config_map_key(name);
  if (rule == "port-name") return check_port_name(name);
  if (rule == "ip") return check_ip(name);
  return {};
}

namespace {

// Upstream tolerates leading zeros in IPv4; inet_pton does not.
std::string without_leading_zeros(std::string_view text) {
  std::string out;
  bool at_start = true;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool digit_follows = i + 1 < text.size() && is_digit(text[i + 1]);
    if (at_start && text[i] == '0' && digit_follows) continue;
    at_start = text[i] == '.';
    out += text[i];
  }
  return out;
}

bool is_mac(std::string_view text) {
  if (text.size() != 17) return false;
  const char separator = text[2];
  if (separator != ':' && separator != '-') return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i % 3 == 2 ? text[i] != separator : !is_hex(text[i])) return false;
  }
  return true;
}

// `version`: '3', '4', '5', or 0 for any.
bool is_uuid(std::string_view text, char version) {
  std::string digits;
  for (const char c : text) {
    if (c != '-') digits += c;
  }
  if (digits.size() != 32 || !std::ranges::all_of(digits, is_hex)) return false;
  if (version == 0) return true;
  if (digits[12] != version) return false;
  const char variant = digits[16];
  return version == '3' || std::string_view("89abAB").find(variant) != std::string_view::npos;
}

bool is_hostname(std::string_view text) {
  if (text.empty() || text.size() > 255) return false;
  if (text.back() == '.') text.remove_suffix(1);
  while (true) {
    const std::size_t dot = text.find('.');
    const std::string_view part = text.substr(0, dot);
    if (part.empty() || part.size() > 63 || !is_alnum(part.front()) || !is_alnum(part.back())) {
      return false;
    }
    if (!std::ranges::all_of(part, [](char c) { return is_alnum(c) || c == '-' || c == '_'; })) {
      return false;
    }
    if (dot == text.npos) return true;
    text.remove_prefix(dot + 1);
  }
}

bool is_email(std::string_view text) {
  const std::size_t at = text.rfind('@');
  if (at == text.npos || at == 0 || at + 1 == text.size()) return false;
  return std::ranges::all_of(text.substr(0, at), [](char c) { return c > ' ' && c != '@'; }) &&
         is_hostname(text.substr(at + 1));
}

bool is_uri(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (text.starts_with("/")) return true;
  if (colon == text.npos || colon == 0) return false;
  return is_alnum(text.front()) &&
         std::ranges::all_of(
             text.substr(0, colon),
             [](char c) { return is_alnum(c) || c == '+' || c == '-' || c == '.'; }) &&
         text.find(' ') == text.npos;
}

bool is_date(std::string_view text) {
  return text.size() == 10 && base::parse_rfc3339(std::string(text) + "T00:00:00Z").has_value();
}

// Go durations, and a number with a unit in words ("3 days") as go-openapi's strfmt has it.
bool is_duration(std::string_view text) {
  if (base::parse_duration(text)) return true;
  std::size_t i = 0;
  while (i < text.size() && is_digit(text[i])) ++i;
  if (i == 0) return false;
  while (i < text.size() && text[i] == ' ') ++i;
  constexpr std::array<std::string_view, 26> units{"ns",
                                                   "nanosecond",
                                                   "nanoseconds",
                                                   "us",
                                                   "microsecond",
                                                   "microseconds",
                                                   "ms",
                                                   "millisecond",
                                                   "milliseconds",
                                                   "s",
                                                   "sec",
                                                   "secs",
                                                   "second",
                                                   "seconds",
                                                   "m",
                                                   "min",
                                                   "minute",
                                                   "minutes",
                                                   "h",
                                                   "hr",
                                                   "hour",
                                                   "hours",
                                                   "d",
                                                   "day",
                                                   "days",
                                                   "w"};
  const std::string_view unit = text.substr(i);
  return std::ranges::find(units, unit) != units.end() || unit == "week" || unit == "weeks";
}

bool is_hex_color(std::string_view text) {
  if (text.starts_with('#')) text.remove_prefix(1);
  return (text.size() == 3 || text.size() == 6) && std::ranges::all_of(text, is_hex);
}

std::string only_digits(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (is_digit(c))
      out += c;
    else if (c != '-' && c != ' ')
      return "";
  }
  return out;
}

bool is_credit_card(std::string_view text) {
  const std::string digits = only_digits(text);
  if (digits.size() < 12 || digits.size() > 19) return false;
  int sum = 0;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    int digit = digits[digits.size() - 1 - i] - '0';
    if (i % 2 == 1) digit = digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
    sum += digit;
  }
  return sum % 10 == 0;
}

bool is_isbn13(std::string_view text) {
  const std::string digits = only_digits(text);
  if (digits.size() != 13) return false;
  int sum = 0;
  for (std::size_t i = 0; i < 13; ++i) sum += (digits[i] - '0') * (i % 2 == 0 ? 1 : 3);
  return sum % 10 == 0;
}

bool is_isbn10(std::string_view text) {
  std::string digits;
  for (const char c : text) {
    if (c != '-' && c != ' ') digits += c;
  }
  if (digits.size() != 10) return false;
  int sum = 0;
  for (std::size_t i = 0; i < 10; ++i) {
    const bool ten = i == 9 && (digits[i] == 'X' || digits[i] == 'x');
    if (!ten && !is_digit(digits[i])) return false;
    sum += static_cast<int>(10 - i) * (ten ? 10 : digits[i] - '0');
  }
  return sum % 11 == 0;
}

bool is_ssn(std::string_view text) {
  return text.size() == 11 && (text[3] == '-' || text[3] == ' ') && text[6] == text[3] &&
         only_digits(text).size() == 9;
}

bool is_rgb_color(std::string_view text) {
  if (!text.starts_with("rgb(") || !text.ends_with(')')) return false;
  text = text.substr(4, text.size() - 5);
  int parts = 0;
  while (true) {
    const std::size_t comma = text.find(',');
    std::string_view part = text.substr(0, comma);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    int amount = -1;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), amount);
    if (error != std::errc() || end != part.data() + part.size() || amount < 0 || amount > 255) {
      return false;
    }
    ++parts;
    if (comma == text.npos) return parts == 3;
    text.remove_prefix(comma + 1);
  }
}

struct NamedFormat {
  std::string_view name;
  bool (*matches)(std::string_view);
};

constexpr std::array kFormats{
    NamedFormat{
        "bsonobjectid",
        [](std::string_view t) { return t.size() == 24 && std::ranges::all_of(t, is_hex); }},
    NamedFormat{"uri", is_uri},
    NamedFormat{"email", is_email},
    NamedFormat{"hostname", is_hostname},
    NamedFormat{"ipv4", is_ipv4},
    NamedFormat{"ipv6", is_ipv6},
    NamedFormat{"cidr", is_cidr},
    NamedFormat{"mac", is_mac},
    NamedFormat{"uuid", [](std::string_view t) { return is_uuid(t, 0); }},
    NamedFormat{"uuid3", [](std::string_view t) { return is_uuid(t, '3'); }},
    NamedFormat{"uuid4", [](std::string_view t) { return is_uuid(t, '4'); }},
    NamedFormat{"uuid5", [](std::string_view t) { return is_uuid(t, '5'); }},
    NamedFormat{"isbn", [](std::string_view t) { return is_isbn10(t) || is_isbn13(t); }},
    NamedFormat{"isbn10", is_isbn10},
    NamedFormat{"isbn13", is_isbn13},
    NamedFormat{"creditcard", is_credit_card},
    NamedFormat{"ssn", is_ssn},
    NamedFormat{"hexcolor", is_hex_color},
    NamedFormat{"rgbcolor", is_rgb_color},
    NamedFormat{"byte", [](std::string_view t) { return base::base64_decode(t).has_value(); }},
    NamedFormat{"password", [](std::string_view) { return true; }},
    NamedFormat{"date", is_date},
    NamedFormat{"duration", is_duration},
    NamedFormat{"date-time", [](std::string_view t) { return base::parse_rfc3339(t).has_value(); }},
    NamedFormat{"datetime", [](std::string_view t) { return base::parse_rfc3339(t).has_value(); }},
    NamedFormat{"k8s-short-name",
                [](std::string_view t) { return check_dns1123_label(t).empty(); }},
    NamedFormat{"k8s-long-name",
                [](std::string_view t) { return check_dns1123_subdomain(t).empty(); }},
};

}  // namespace

bool is_ipv4(std::string_view text) {
  in_addr address{};
  return text.size() < 64 && inet_pton(AF_INET, without_leading_zeros(text).c_str(), &address) == 1;
}

bool is_ipv6(std::string_view text) {
  in6_addr address{};
  return text.size() < 64 && text.find(':') != text.npos &&
         inet_pton(AF_INET6, std::string(text).c_str(), &address) == 1;
}

bool is_cidr(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == text.npos) return false;
  const std::string_view address = text.substr(0, slash), bits = text.substr(slash + 1);
  int length = -1;
  const auto [end, error] = std::from_chars(bits.data(), bits.data() + bits.size(), length);
  if (error != std::errc() || end != bits.data() + bits.size() || length < 0) return false;
  if (is_ipv4(address)) return length <= 32;
  return is_ipv6(address) && length <= 128;
}

std::optional<bool> matches_format(std::string_view format, std::string_view text) {
  for (const NamedFormat& known : kFormats) {
    if (known.name == format) return known.matches(text);
  }
  return std::nullopt;
}

}  // namespace keelway::schema
