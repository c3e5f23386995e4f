// Time as values. Nothing here reads a clock: instants are handed in by runtime.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace keelway::base {

using Duration = std::chrono::nanoseconds;

// A point of the monotonic clock of one process life. Only differences mean anything.
struct Instant {
  std::int64_t nanoseconds = 0;
  auto operator<=>(const Instant&) const = default;
};
inline Instant operator+(Instant at, Duration d) {
  return {at.nanoseconds + d.count()};
}
inline Duration operator-(Instant a, Instant b) {
  return Duration(a.nanoseconds - b.nanoseconds);
}

// A point of civil time, microseconds since 1970-01-01T00:00:00Z.
struct WallTime {
  std::int64_t microseconds = 0;
  auto operator<=>(const WallTime&) const = default;
  std::int64_t seconds() const { return microseconds / 1'000'000; }
};
inline WallTime operator+(WallTime at, Duration d) {
  return {at.microseconds + d.count() / 1000};
}
// A duration holds 292 years, less than lie between two dates that a user can write: saturates.
inline Duration operator-(WallTime a, WallTime b) {
  constexpr std::int64_t microseconds_max = INT64_MAX / 1000;
  const std::int64_t between = a.microseconds - b.microseconds;
  if (between > microseconds_max) return Duration::max();
  if (between < -microseconds_max) return Duration::min();
  return Duration(between * 1000);
}

// metav1.Time: "2026-01-02T03:04:05Z".
std::string format_rfc3339(WallTime at);
// metav1.MicroTime: "2026-01-02T03:04:05.000006Z".
std::string format_rfc3339_micro(WallTime at);
// SigV4's X-Amz-Date: "20260102T030405Z".
std::string format_amz_date(WallTime at);
// RFC 3339 with optional fraction and any offset; nothing else.
std::optional<WallTime> parse_rfc3339(std::string_view text);
std::optional<WallTime> parse_amz_date(std::string_view text);

// Go's time.ParseDuration for the units h, m, s, ms, us, ns ("1h30m", "720h", "0s").
std::optional<Duration> parse_duration(std::string_view text);
// Go's Duration.String ("1h30m0s", "15s", "100ms").
std::string format_duration(Duration d);
// The age that kubectl prints: "5s", "3m20s", "2h", "4d5h", "2y10d".
std::string format_age(Duration d);

}  // namespace keelway::base
