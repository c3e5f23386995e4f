#include "base/time.h"

#include <gtest/gtest.h>

namespace keelway::base {
namespace {

std::optional<std::int64_t> ns(std::string_view text) {
  const auto parsed = parse_duration(text);
  return parsed ? std::optional(parsed->count()) : std::nullopt;
}

TEST(Time, DurationsAsGoReadsThem) {
  EXPECT_EQ(ns("1h30m"), 5'400'000'000'000);
  EXPECT_EQ(ns("1.5h"), 5'400'000'000'000);
  EXPECT_EQ(ns(".5s"), 500'000'000);
  EXPECT_EQ(ns("-1.s"), -1'000'000'000);
  EXPECT_EQ(ns("2us"), 2'000);
  EXPECT_EQ(ns("2\u00b5s"), 2'000);
  EXPECT_EQ(ns("2\u03bcs"), 2'000);
  EXPECT_EQ(ns("+0"), 0);
  EXPECT_EQ(ns("9223372036854775807ns"), INT64_MAX);
  EXPECT_EQ(ns("2562047h47m16.854775807s"), INT64_MAX);
  EXPECT_EQ(ns("-9223372036854775808ns"), INT64_MIN);
  for (const char* bad : {"", "-", "1", ".s", "s", "1x", "1 s", "9223372036854775808ns", "3000000h",
                          "1e3s", "99999999999999999999s", "--1s"}) {
    EXPECT_EQ(ns(bad), std::nullopt) << bad;
  }
}

TEST(Time, DurationsPrintAsGoPrintsThem) {
  for (const char* text :
       {"0s", "1ns", "1.5µs", "100ms", "1m0s", "1h30m0.5s", "-15s", "1m0.000000004s",
        "2562047h47m16.854775807s", "-2562047h47m16.854775808s"}) {
    const auto parsed = parse_duration(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(format_duration(*parsed), text);
  }
}

TEST(Time, AgesOfAnyDateSaturate) {
  const WallTime now = *parse_rfc3339("2026-01-02T03:04:05Z");
  const WallTime first = *parse_rfc3339("0001-01-01T00:00:00Z");
  EXPECT_EQ(now - first, Duration::max());
  EXPECT_EQ(first - now, Duration::min());
  EXPECT_EQ(now - now, Duration(0));
}

}  // namespace
}  // namespace keelway::base
