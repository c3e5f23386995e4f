#include "base/quantity.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>

namespace keelway::base {
namespace {

constexpr __int128 kNano = 1'000'000'000;
// About 8.5e37 nano; twice that still fits.
constexpr __int128 kMax = (static_cast<__int128>(1) << 126) - 1;
constexpr int kDigitsFast = 18;  // what upstream takes without arbitrary precision

constexpr std::string_view kWrongFormat =
    "quantities must match the regular expression "
    "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
constexpr std::string_view kWrongNumber = "unable to parse numeric part of quantity";
constexpr std::string_view kWrongSuffix = "unable to parse quantity's suffix";

struct Suffix {
  std::string_view text;
  int base;
  int exponent;
};
constexpr std::array<Suffix, 16> kSuffixes{{{"", 10, 0},
                                            {"n", 10, -9},
                                            {"u", 10, -6},
                                            {"m", 10, -3},
                                            {"k", 10, 3},
                                            {"M", 10, 6},
                                            {"G", 10, 9},
                                            {"T", 10, 12},
                                            {"P", 10, 15},
                                            {"E", 10, 18},
                                            {"Ki", 2, 10},
                                            {"Mi", 2, 20},
                                            {"Gi", 2, 30},
                                            {"Ti", 2, 40},
                                            {"Pi", 2, 50},
                                            {"Ei", 2, 60}}};

// The parts of a well-formed text.
struct Parts {
  bool negative = false;
  std::string_view whole, fraction, suffix;  // digits; leading zeros of `whole` removed
  int base = 10;
  int exponent = 0;
  Quantity::Format format = Quantity::Format::decimal_si;
};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::string_view take_digits(std::string_view& text) {
  std::size_t n = 0;
  while (n < text.size() && is_digit(text[n])) ++n;
  const std::string_view digits = text.substr(0, n);
  text.remove_prefix(n);
  return digits;
}

bool interpret_suffix(Parts& parts) {
  for (const Suffix& suffix : kSuffixes) {
    if (suffix.text != parts.suffix) continue;
    parts.base = suffix.base;
    parts.exponent = suffix.exponent;
    parts.format = suffix.base == 2 ? Quantity::Format::binary_si : Quantity::Format::decimal_si;
    return true;
  }
  if (parts.suffix.size() < 2 || (parts.suffix[0] != 'e' && parts.suffix[0] != 'E')) return false;
  std::string_view digits = parts.suffix.substr(1);
  if (digits[0] == '+') digits.remove_prefix(1);
  int exponent = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
  if (error != std::errc() || end != digits.data() + digits.size()) return false;
  parts.exponent = exponent;
  parts.format = Quantity::Format::decimal_exponent;
  return true;
}

Result<Parts> split(std::string_view text) {
  const auto wrong = [](std::string_view why) {
    return fail(ErrorCode::invalid, std::string(why));
  };
  if (text.empty()) return wrong(kWrongFormat);
  Parts parts;
  std::string_view rest = text;
  if (rest[0] == '-' || rest[0] == '+') {
    parts.negative = rest[0] == '-';
    rest.remove_prefix(1);
  }
  const bool any_zero = !rest.empty() && rest[0] == '0';
  while (!rest.empty() && rest[0] == '0') rest.remove_prefix(1);
  parts.whole = take_digits(rest);
  if (!rest.empty() && rest[0] == '.') {
    rest.remove_prefix(1);
    parts.fraction = take_digits(rest);
  }
  if (!any_zero && parts.whole.empty() && parts.fraction.empty()) {
    // Upstream's scanner takes a missing number for zero where nothing follows it.
    return wrong(rest.empty() ? kWrongNumber : kWrongFormat);
  }
  parts.suffix = rest;
  std::size_t at = 0;
  while (at < rest.size() && std::string_view("eEinumkKMGTP").find(rest[at]) != rest.npos) ++at;
  if (at < rest.size() && (rest[at] == '-' || rest[at] == '+')) ++at;
  while (at < rest.size() && is_digit(rest[at])) ++at;
  if (at != rest.size()) return wrong(kWrongFormat);
  if (!interpret_suffix(parts)) return wrong(kWrongSuffix);
  return parts;
}

__int128 saturating_multiply(__int128 a, __int128 b) {
  return a != 0 && b > kMax / a ? kMax : a * b;
}

// The amount of `parts` in nano units, rounded away from zero, never negative.
__int128 amount_of(const Parts& parts) {
  // Decimal places that count: the exponent moves the point, nine places are nano.
  const std::int64_t shift = parts.base == 10 ? parts.exponent : 0;
  const std::int64_t places = 9 + shift;
  __int128 amount = 0;
  bool lost = false;
  std::int64_t position = static_cast<std::int64_t>(parts.whole.size());
  const auto add_digit = [&](char digit) {
    // `position` places stand left of the point after this digit's own.
    --position;
    if (position + places < 0) {
      lost = lost || digit != '0';
      return;
    }
    amount = saturating_multiply(amount, 10);
    amount = std::min<__int128>(amount + (digit - '0'), kMax);
  };
  for (const char digit : parts.whole) add_digit(digit);
  for (const char digit : parts.fraction) add_digit(digit);
  for (; position + places > 0 && amount != 0 && amount < kMax; --position) {
    amount = saturating_multiply(amount, 10);
  }
  if (parts.base == 2) {
    // Digits below nano can matter once multiplied; upstream multiplies first, exactly.
    amount = saturating_multiply(amount, static_cast<__int128>(1) << parts.exponent);
  }
  if (lost && amount < kMax) ++amount;
  return amount;
}

// What upstream's Canonicalize takes for canonical without looking closer.
bool keeps_text(const Parts& parts, __int128 amount) {
  if (amount == 0) return false;
  const std::size_t digits = parts.whole.size() + parts.fraction.size();
  if (parts.base == 2) {
    if (!parts.fraction.empty() ||
        15 - static_cast<int>(digits) -
                static_cast<int>(static_cast<float>(parts.exponent) * 3 / 10) - 1 <
            0) {
      return false;
    }
    return ((amount / kNano >> parts.exponent) & 7) != 0;
  }
  const int scale = parts.exponent - static_cast<int>(parts.fraction.size());
  if (digits > kDigitsFast || scale < -9 || scale % 3 != 0) return false;
  if (parts.whole.empty()) return false;  // upstream sees "0" there
  const std::string shifted = std::string(parts.whole) + std::string(parts.fraction);
  return !shifted.ends_with("000") && shifted[0] != '0';
}

Quantity from_parts(const Parts& parts) {
  __int128 amount = amount_of(parts);
  Quantity::Format format = parts.format;
  if (format == Quantity::Format::binary_si) {
    const __int128 cap = static_cast<__int128>(std::numeric_limits<std::int64_t>::max()) * kNano;
    amount = std::min(amount, cap);
    if (amount > 0 && amount < kNano) format = Quantity::Format::decimal_si;
  }
  return Quantity::of_nano(parts.negative ? -amount : amount, format);
}

std::int64_t divide_rounding_out(__int128 nano, __int128 unit) {
  __int128 result = nano / unit;
  if (nano % unit != 0) result += nano > 0 ? 1 : -1;
  constexpr __int128 max = std::numeric_limits<std::int64_t>::max();
  return static_cast<std::int64_t>(std::clamp(result, -max - 1, max));
}

std::string digits_of(__int128 n) {
  if (n == 0) return "0";
  const bool negative = n < 0;
  if (negative) n = -n;
  std::string text;
  for (; n != 0; n /= 10)
    text.insert(text.begin(), static_cast<char>('0' + static_cast<int>(n % 10)));
  return negative ? "-" + text : text;
}

std::optional<std::string_view> suffix_text(int base, int exponent) {
  for (const Suffix& suffix : kSuffixes) {
    if (suffix.base == base && suffix.exponent == exponent) return suffix.text;
  }
  return std::nullopt;
}

}  // namespace

Result<Quantity> Quantity::parse(std::string_view text) {
  auto parts = split(text);
  if (!parts) return std::unexpected(std::move(parts.error()));
  return from_parts(*parts);
}

Quantity Quantity::parse_or_zero(std::string_view text) {
  return parse(text).value_or(Quantity());
}

Quantity Quantity::of(std::int64_t units, Format format) {
  return of_nano(units * kNano, format);
}

Quantity Quantity::of_milli(std::int64_t milli, Format format) {
  return of_nano(static_cast<__int128>(milli) * 1'000'000, format);
}

Quantity Quantity::of_nano(__int128 nano, Format format) {
  Quantity q;
  q.nano_ = std::clamp(nano, -kMax, kMax);
  q.format_ = format;
  return q;
}

std::int64_t Quantity::value() const {
  return divide_rounding_out(nano_, kNano);
}
std::int64_t Quantity::milli_value() const {
  return divide_rounding_out(nano_, 1'000'000);
}
double Quantity::as_double() const {
  return static_cast<double>(nano_) / 1e9;
}

std::string Quantity::to_string() const {
  if (nano_ == 0) return "0";
  const __int128 magnitude = nano_ < 0 ? -nano_ : nano_;
  if (format_ == Format::binary_si && magnitude >= 1024 * kNano && is_integer()) {
    __int128 number = nano_ / kNano;
    int exponent = 0;
    for (; exponent < 60 && number % 1024 == 0; exponent += 10) number /= 1024;
    return digits_of(number) + std::string(suffix_text(2, exponent).value_or(""));
  }
  __int128 number = nano_;
  int exponent = -9;
  for (; number % 1000 == 0; exponent += 3) number /= 1000;
  const auto si = suffix_text(10, exponent);
  if (format_ != Format::decimal_exponent && si) return digits_of(number) + std::string(*si);
  return digits_of(number) + (exponent == 0 ? "" : "e" + std::to_string(exponent));
}

bool Quantity::round_up_milli() {
  const __int128 rest = nano_ % 1'000'000;
  if (rest == 0) return true;
  nano_ += nano_ > 0 ? 1'000'000 - rest : -1'000'000 - rest;
  nano_ = std::clamp(nano_, -kMax, kMax);
  return false;
}

Quantity& Quantity::operator+=(const Quantity& other) {
  if (nano_ == 0) format_ = other.format_;
  nano_ = std::clamp(nano_ + other.nano_, -kMax, kMax);
  return *this;
}

Quantity& Quantity::operator-=(const Quantity& other) {
  return *this += -other;
}

Result<std::string> canonical_quantity(std::string_view text) {
  auto parts = split(text);
  if (!parts) return std::unexpected(std::move(parts.error()));
  if (keeps_text(*parts, amount_of(*parts))) return std::string(text);
  return from_parts(*parts).to_string();
}

}  // namespace keelway::base
