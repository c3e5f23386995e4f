// Short texts with a meaning: quantities, durations, times, encodings, names and formats. One text
// is held against all of them; a second one after a cut joins in sums.
#include <fmt/core.h>

#include "base/encoding.h"
#include "base/quantity.h"
#include "base/time.h"
#include "fuzz/input.h"
#include "schema/formats.h"

namespace {

using keelway::base::Quantity;
namespace base = keelway::base;
namespace schema = keelway::schema;

constexpr std::string_view rules[] = {
    "dns1123-label",  "dns1123-subdomain", "dns1035-label", "path-segment",
    "qualified-name", "label-value",       "port-name",     "ip",
    "cidr",           "date-time"};
constexpr std::string_view formats[] = {
    "date",       "date-time",    "duration", "email",   "hostname", "ipv4",  "ipv6",
    "cidr",       "mac",          "uuid",     "uuid3",   "uuid4",    "uuid5", "byte",
    "uri",        "isbn",         "isbn10",   "isbn13",  "hexcolor", "ssn",   "rgbcolor",
    "creditcard", "bsonobjectid", "password", "datetime"};

void check_quantity(std::string_view text, std::string_view other) {
  const auto quantity = Quantity::parse(text);
  const auto canonical = base::canonical_quantity(text);
  KEELWAY_INVARIANT(quantity.has_value() == canonical.has_value(), "half a quantity");
  if (!quantity) return;
  const std::string printed = quantity->to_string();
  const auto again = Quantity::parse(printed);
  KEELWAY_INVARIANT(again.has_value(), "our own quantity does not parse: " + printed);
  KEELWAY_INVARIANT(*again == *quantity, "printing changes the amount: " + printed);
  KEELWAY_INVARIANT(again->to_string() == printed, "another text for the same: " + printed);
  const auto kept = Quantity::parse(*canonical);
  KEELWAY_INVARIANT(kept.has_value() && *kept == *quantity, "kept text differs: " + *canonical);
  Quantity sum = *quantity;
  sum += Quantity::parse_or_zero(other);
  sum -= *quantity;
  sum = -sum;
  sum.round_up_milli();
  static_cast<void>(sum.value() + 0);
  static_cast<void>(sum.milli_value());
  static_cast<void>(sum.to_string());
}

void check_times(std::string_view text) {
  if (const auto duration = base::parse_duration(text)) {
    const std::string printed = base::format_duration(*duration);
    const auto again = base::parse_duration(printed);
    KEELWAY_INVARIANT(again == duration, "duration " + printed + " is not what it was");
    static_cast<void>(base::format_age(*duration));
  }
  if (const auto time = base::parse_rfc3339(text)) {
    // An offset can lead into years that have no four digits.
    const auto again = base::parse_rfc3339(base::format_rfc3339_micro(*time));
    KEELWAY_INVARIANT(!again || again == time, "a time is not what it was");
    static_cast<void>(base::format_rfc3339(*time));
  }
  if (const auto time = base::parse_amz_date(text)) {
    KEELWAY_INVARIANT(base::format_amz_date(*time) == text, "a date is not what it was");
  }
}

void check_encodings(std::string_view text) {
  KEELWAY_INVARIANT(base::base64_decode(base::base64_encode(text)) == text, "base64");
  KEELWAY_INVARIANT(base::base64url_decode(base::base64url_encode(text)) == text, "base64url");
  KEELWAY_INVARIANT(base::percent_decode(base::percent_encode(text)) == text, "percent");
  KEELWAY_INVARIANT(base::percent_decode(base::percent_encode(text, true)) == text, "percent /");
  if (const auto bytes = base::base64_decode(text)) {
    KEELWAY_INVARIANT(base::base64_encode(*bytes) == text, "two texts for the same base64");
  }
  if (const auto bytes = base::base64url_decode(text)) {
    const std::string_view bare = text.substr(0, text.find('='));
    KEELWAY_INVARIANT(base::base64url_encode(*bytes) == bare, "two texts for the same base64url");
  }
  static_cast<void>(base::percent_decode(text, true));
}

void check_names(std::string_view text) {
  for (const std::string_view rule : rules) {
    static_cast<void>(schema::check_name(rule, text, false));
    static_cast<void>(schema::check_name(rule, text, true));
  }
  for (const std::string_view format : formats) {
    static_cast<void>(schema::matches_format(format, text));
  }
  for (const auto check : {schema::check_config_map_key, schema::check_env_name, schema::check_ip,
                           schema::check_port_name, schema::check_label_value}) {
    static_cast<void>(check(text));
  }
  KEELWAY_INVARIANT(!(schema::is_ipv4(text) && schema::is_ipv6(text)), "both families");
  const bool label = schema::check_dns1123_label(text).empty();
  const bool subdomain = schema::check_dns1123_subdomain(text).empty();
  KEELWAY_INVARIANT(!label || subdomain, "a label that is no subdomain");
  KEELWAY_INVARIANT(!subdomain || schema::check_path_segment(text).empty(),
                    "a subdomain that is no path segment");
}

}  // namespace

KEELWAY_FUZZ_TARGET(data, size) {
  keelway::fuzz::Input input(data, size);
  const std::string_view text = input.part();
  const std::string_view other = input.part();
  check_quantity(text, other);
  check_times(text);
  check_encodings(text);
  check_names(text);
  return 0;
}
