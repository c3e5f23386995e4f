#include "base/time.h"

#include <fmt/core.h>

#include <cstdint>
#include <utility>

namespace keelway::base {
namespace {

struct Civil {
  std::int64_t year;
  unsigned month, day;
  int hour, minute, second, micro;
};

Civil civil_of(WallTime at) {
  using namespace std::chrono;
  const sys_time<microseconds> time{microseconds(at.microseconds)};
  const auto day = floor<days>(time);
  const year_month_day date{day};
  const hh_mm_ss clock{time - day};
  return {static_cast<int>(date.year()),
          static_cast<unsigned>(date.month()),
          static_cast<unsigned>(date.day()),
          static_cast<int>(clock.hours().count()),
          static_cast<int>(clock.minutes().count()),
          static_cast<int>(clock.seconds().count()),
          static_cast<int>(clock.subseconds().count())};
}

// Reads exactly `digits` decimal digits at the front of `text`.
std::optional<int> take_digits(std::string_view& text, int digits) {
  if (text.size() < static_cast<std::size_t>(digits)) return std::nullopt;
  int value = 0;
  for (int i = 0; i < digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<WallTime> wall_of(int year, int month, int day, int seconds_of_day) {
  using namespace std::chrono;
  const year_month_day date{std::chrono::year(year), std::chrono::month(month),
                            std::chrono::day(day)};
  if (!date.ok()) return std::nullopt;
  const auto days_since = sys_days(date).time_since_epoch();
  return WallTime{(duration_cast<seconds>(days_since).count() + seconds_of_day) * 1'000'000};
}

// Hours, minutes and seconds as seconds of the day; `separator` 0 means none.
std::optional<int> take_clock(std::string_view& text, char separator) {
  const auto hour = take_digits(text, 2);
  if (!hour || (separator != 0 && !take(text, separator))) return std::nullopt;
  const auto minute = take_digits(text, 2);
  if (!minute || (separator != 0 && !take(text, separator))) return std::nullopt;
  const auto second = take_digits(text, 2);
  if (!second || *hour > 23 || *minute > 59 || *second > 59) return std::nullopt;
  return *hour * 3600 + *minute * 60 + *second;
}

std::optional<std::int64_t> take_offset_seconds(std::string_view& text) {
  if (take(text, 'Z') || take(text, 'z')) return 0;
  if (text.empty() || (text.front() != '+' && text.front() != '-')) return std::nullopt;
  const int sign = text.front() == '+' ? 1 : -1;
  text.remove_prefix(1);
  const auto hour = take_digits(text, 2);
  if (!hour || !take(text, ':')) return std::nullopt;
  const auto minute = take_digits(text, 2);
  if (!minute || *hour > 23 || *minute > 59) return std::nullopt;
  return sign * (*hour * 3600 + *minute * 60);
}

// Overwrites the digits at `at`: formatting a time is part of every request.
void put_digits(std::string& text, std::size_t at, std::size_t digits, std::int64_t number) {
  while (digits-- > 0) {
    text[at + digits] = static_cast<char>('0' + number % 10);
    number /= 10;
  }
}

void put_rfc3339(std::string& text, const Civil& c) {
  put_digits(text, 0, 4, c.year);
  put_digits(text, 5, 2, c.month);
  put_digits(text, 8, 2, c.day);
  put_digits(text, 11, 2, c.hour);
  put_digits(text, 14, 2, c.minute);
  put_digits(text, 17, 2, c.second);
}

bool has_four_digits(std::int64_t year) {
  return year >= 0 && year <= 9999;
}

// `number` with its last `places` digits behind a point, without zeros at the end.
std::string decimal(std::uint64_t number, int places) {
  std::string digits = fmt::format("{:0{}}", number, places + 1);
  digits.insert(digits.size() - static_cast<std::size_t>(places), 1, '.');
  digits.erase(digits.find_last_not_of('0') + 1);
  if (digits.back() == '.') digits.pop_back();
  return digits;
}

constexpr std::uint64_t duration_max = std::uint64_t{1} << 63;  // of a negative one

std::optional<std::uint64_t> take_duration_unit(std::string_view& text) {
  static constexpr std::pair<std::string_view, std::uint64_t> units[] = {
      {"ns", 1},         {"us", 1'000},        {"\u00b5s", 1'000},    {"\u03bcs", 1'000},
      {"ms", 1'000'000}, {"s", 1'000'000'000}, {"m", 60'000'000'000}, {"h", 3'600'000'000'000}};
  for (const auto& [name, nanoseconds] : units) {
    if (!text.starts_with(name)) continue;
    text.remove_prefix(name.size());
    return nanoseconds;
  }
  return std::nullopt;
}

// One "1.5h"; nullopt also where it is more than a duration can be.
std::optional<std::uint64_t> take_duration_part(std::string_view& text) {
  std::uint64_t whole = 0;
  double fraction = 0, scale = 1;
  bool digits = false;
  const auto is_digit = [&] { return !text.empty() && text[0] >= '0' && text[0] <= '9'; };
  for (; is_digit(); text.remove_prefix(1), digits = true) {
    if (whole > duration_max / 10) return std::nullopt;
    whole = whole * 10 + static_cast<std::uint64_t>(text[0] - '0');
    if (whole > duration_max) return std::nullopt;
  }
  if (take(text, '.')) {
    for (; is_digit(); text.remove_prefix(1), digits = true) {
      if (scale >= 1e17) continue;  // finer than a nanosecond of an hour
      fraction = fraction * 10 + (text[0] - '0');
      scale *= 10;
    }
  }
  const auto unit = digits ? take_duration_unit(text) : std::nullopt;
  if (!unit || whole > duration_max / *unit) return std::nullopt;
  const auto rest = static_cast<std::uint64_t>(fraction * (static_cast<double>(*unit) / scale));
  const std::uint64_t sum = whole * *unit + rest;
  if (sum > duration_max) return std::nullopt;
  return sum;
}

}  // namespace

std::string format_rfc3339(WallTime at) {
  const Civil c = civil_of(at);
  if (has_four_digits(c.year)) {
    std::string text = "0000-00-00T00:00:00Z";
    put_rfc3339(text, c);
    return text;
  }
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", c.year, c.month, c.day, c.hour,
                     c.minute, c.second);
}

std::string format_rfc3339_micro(WallTime at) {
  const Civil c = civil_of(at);
  if (has_four_digits(c.year)) {
    std::string text = "0000-00-00T00:00:00.000000Z";
    put_rfc3339(text, c);
    put_digits(text, 20, 6, c.micro);
    return text;
  }
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", c.year, c.month, c.day, c.hour,
                     c.minute, c.second, c.micro);
}

std::string format_amz_date(WallTime at) {
  const Civil c = civil_of(at);
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", c.year, c.month, c.day, c.hour, c.minute,
                     c.second);
}

std::optional<WallTime> parse_rfc3339(std::string_view text) {
  const auto year = take_digits(text, 4);
  if (!year || !take(text, '-')) return std::nullopt;
  const auto month = take_digits(text, 2);
  if (!month || !take(text, '-')) return std::nullopt;
  const auto day = take_digits(text, 2);
  if (!day || !(take(text, 'T') || take(text, 't'))) return std::nullopt;
  const auto clock = take_clock(text, ':');
  if (!clock) return std::nullopt;
  std::int64_t micro = 0;
  if (take(text, '.')) {
    std::int64_t scale = 100'000;
    if (text.empty() || text.front() < '0' || text.front() > '9') return std::nullopt;
    for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; text.remove_prefix(1)) {
      micro += (text.front() - '0') * scale;
      scale /= 10;
    }
  }
  const auto offset = take_offset_seconds(text);
  if (!offset || !text.empty()) return std::nullopt;
  const auto wall = wall_of(*year, *month, *day, *clock);
  if (!wall) return std::nullopt;
  return WallTime{wall->microseconds + micro - *offset * 1'000'000};
}

std::optional<WallTime> parse_amz_date(std::string_view text) {
  const auto year = take_digits(text, 4);
  const auto month = year ? take_digits(text, 2) : std::nullopt;
  const auto day = month ? take_digits(text, 2) : std::nullopt;
  if (!day || !take(text, 'T')) return std::nullopt;
  const auto clock = take_clock(text, 0);
  if (!clock || text != "Z") return std::nullopt;
  return wall_of(*year, *month, *day, *clock);
}

std::optional<Duration> parse_duration(std::string_view text) {
  const bool negative = !text.empty() && text.front() == '-';
  if (negative || (!text.empty() && text.front() == '+')) text.remove_prefix(1);
  if (text == "0") return Duration(0);
  if (text.empty()) return std::nullopt;
  std::uint64_t total = 0;
  while (!text.empty()) {
    const auto part = take_duration_part(text);
    if (!part || *part > duration_max - total) return std::nullopt;
    total += *part;
  }
  if (negative) return Duration(static_cast<std::int64_t>(0 - total));
  if (total == duration_max) return std::nullopt;
  return Duration(static_cast<std::int64_t>(total));
}

std::string format_duration(Duration d) {
  if (d.count() == 0) return "0s";
  const std::string sign = d.count() < 0 ? "-" : "";
  const auto count = static_cast<std::uint64_t>(d.count());
  const std::uint64_t ns = d.count() < 0 ? 0 - count : count;
  if (ns < 1'000) return sign + fmt::format("{}ns", ns);
  if (ns < 1'000'000) return sign + decimal(ns, 3) + "µs";
  if (ns < 1'000'000'000) return sign + decimal(ns, 6) + "ms";
  const std::uint64_t hours = ns / 3'600'000'000'000;
  const std::uint64_t minutes = ns / 60'000'000'000 % 60;
  const std::string seconds = decimal(ns % 60'000'000'000, 9) + "s";
  if (hours > 0) return sign + fmt::format("{}h{}m{}", hours, minutes, seconds);
  if (minutes > 0) return sign + fmt::format("{}m{}", minutes, seconds);
  return sign + seconds;
}

std::string format_age(Duration d) {
  const std::int64_t seconds = d.count() / 1'000'000'000;
  if (seconds < -1) return "<invalid>";
  if (seconds < 0) return "0s";
  if (seconds < 120) return fmt::format("{}s", seconds);
  const std::int64_t minutes = seconds / 60;
  if (minutes < 10) {
    const std::int64_t rest = seconds % 60;
    return rest == 0 ? fmt::format("{}m", minutes) : fmt::format("{}m{}s", minutes, rest);
  }
  if (minutes < 180) return fmt::format("{}m", minutes);
  const std::int64_t hours = minutes / 60;
  if (hours < 8) {
    const std::int64_t rest = minutes % 60;
    return rest == 0 ? fmt::format("{}h", hours) : fmt::format("{}h{}m", hours, rest);
  }
  if (hours < 48) return fmt::format("{}h", hours);
  const std::int64_t days = hours / 24;
  if (hours < 192) {
    const std::int64_t rest = hours % 24;
    return rest == 0 ? fmt::format("{}d", days) : fmt::format("{}d{}h", days, rest);
  }
  if (days < 365 * 2) return fmt::format("{}d", days);
  const std::int64_t years = days / 365;
  if (days < 365 * 8) {
    const std::int64_t rest = days % 365;
    return rest == 0 ? fmt::format("{}y", years) : fmt::format("{}y{}d", years, rest);
  }
  return fmt::format("{}y", years);
}

}  // namespace keelway::base
