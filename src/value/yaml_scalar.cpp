#include "value/yaml_scalar.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>

namespace keelway::value {
namespace {

template <std::size_t N>
bool among(const std::array<std::string_view, N>& words, std::string_view text) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

constexpr std::array<std::string_view, 5> kNulls{"", "~", "null", "Null", "NULL"};
constexpr std::array<std::string_view, 11> kTrue{"y",    "Y",    "yes", "Yes", "YES", "true",
                                                 "True", "TRUE", "on",  "On",  "ON"};
constexpr std::array<std::string_view, 11> kFalse{"n",     "N",     "no",  "No",  "NO", "false",
                                                  "False", "FALSE", "off", "Off", "OFF"};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::optional<Value> as_integer(std::string_view digits) {
  bool negative = false;
  if (!digits.empty() && (digits[0] == '-' || digits[0] == '+')) {
    negative = digits[0] == '-';
    digits.remove_prefix(1);
  }
  int base = 10;
  if (digits.size() > 1 && digits[0] == '0') {
    const char kind = digits[1];
    base = kind == 'x' || kind == 'X' ? 16 : kind == 'b' || kind == 'B' ? 2 : 8;
    digits.remove_prefix(is_digit(kind) ? 1 : 2);
    if (base == 8 && !is_digit(kind) && kind != 'o' && kind != 'O') return std::nullopt;
  }
  if (digits.empty() || digits[0] == '-' || digits[0] == '+') return std::nullopt;
  std::uint64_t n = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), n, base);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  constexpr auto max = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (n <= max)
    return Value(negative ? -static_cast<std::int64_t>(n) : static_cast<std::int64_t>(n));
  if (negative && n == max + 1) return Value(std::numeric_limits<std::int64_t>::min());
  const double d = static_cast<double>(n);
  return Value(negative ? -d : d);
}

// [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?
bool is_float(std::string_view text) {
  std::size_t at = 0;
  const auto digits = [&] {
    const std::size_t from = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    return at - from;
  };
  if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
  const std::size_t whole = digits();
  if (at < text.size() && text[at] == '.') {
    ++at;
    if (digits() == 0 && whole == 0) return false;
  } else if (whole == 0) {
    return false;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
    if (digits() == 0) return false;
  }
  return at == text.size();
}

}  // namespace

Value resolve_yaml_scalar(std::string_view text) {
  if (among(kNulls, text)) return Value();
  if (among(kTrue, text)) return Value(true);
  if (among(kFalse, text)) return Value(false);
  const char first = text[0];
  if (!is_digit(first) && first != '-' && first != '+' && first != '.') return Value(text);
  std::string plain(text);
  std::erase(plain, '_');
  if (const auto integer = as_integer(plain)) return *integer;
  if (is_float(plain)) {
    std::string_view number = plain;
    if (number[0] == '+') number.remove_prefix(1);
    double d = 0;
    const auto result = std::from_chars(number.data(), number.data() + number.size(), d);
    if (result.ec == std::errc()) return Value(d);
  }
  return Value(text);
}

}  // namespace keelway::value
