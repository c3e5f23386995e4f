// Kubernetes' resource.Quantity: "100m", "1.5Gi", "2e3". Exact arithmetic, canonical text.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace keelway::base {

// A fixed-point number of nano units with the suffix family that it was written in. Decimal
// values saturate at about 1.7e29; binary ones, as upstream, at 2^63-1. What is finer than a nano
// is rounded away from zero.
class Quantity {
 public:
  enum class Format : std::uint8_t { decimal_si, binary_si, decimal_exponent };

  Quantity() = default;  // 0
  // The error's message is upstream's ("quantities must match the regular expression '...'").
  static Result<Quantity> parse(std::string_view text);
  // What cannot be parsed reads as zero: for texts that validation has seen.
  static Quantity parse_or_zero(std::string_view text);
  static Quantity of(std::int64_t units, Format format = Format::decimal_si);
  static Quantity of_milli(std::int64_t milli, Format format = Format::decimal_si);
  static Quantity of_nano(__int128 nano, Format format = Format::decimal_si);

  Format format() const { return format_; }
  __int128 nano() const { return nano_; }
  // Rounded away from zero, saturating.
  std::int64_t value() const;
  std::int64_t milli_value() const;
  double as_double() const;
  bool is_integer() const { return nano_ % 1'000'000'000 == 0; }
  bool is_zero() const { return nano_ == 0; }
  int sign() const { return nano_ > 0 ? 1 : nano_ < 0 ? -1 : 0; }

  // The canonical text: no fraction, the largest suffix of the family that loses nothing.
  // A binary quantity that is not whole, or below 1024, prints as decimal.
  std::string to_string() const;

  // Rounds up to milli, as the values of a ResourceList are. True if nothing was lost.
  bool round_up_milli();

  // Saturating. The format of the left side stays, unless the left side is zero.
  Quantity& operator+=(const Quantity& other);
  Quantity& operator-=(const Quantity& other);
  friend Quantity operator+(Quantity a, const Quantity& b) { return a += b; }
  friend Quantity operator-(Quantity a, const Quantity& b) { return a -= b; }
  Quantity operator-() const { return of_nano(-nano_, format_); }

  // By amount; the format does not count.
  friend std::strong_ordering operator<=>(const Quantity& a, const Quantity& b) {
    return a.nano_ <=> b.nano_;
  }
  friend bool operator==(const Quantity& a, const Quantity& b) { return a.nano_ == b.nano_; }

 private:
  __int128 nano_ = 0;
  Format format_ = Format::decimal_si;
};

// The text that an object keeps for a quantity that came in as `text`: canonical, save that
// upstream leaves some forms alone ("1.500", "+5") which it takes for canonical already.
Result<std::string> canonical_quantity(std::string_view text);

}  // namespace keelway::base
