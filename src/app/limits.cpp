#include "app/limits.h"

#include <fmt/core.h>

#include <charconv>

namespace keelway::app {
namespace {

constexpr std::int64_t kSecondsMax = 86'400;

// A number of things, of MiB or of seconds, somewhere in Limits.
struct Entry {
  std::string_view name;
  std::int64_t least, most;
  int* (*count)(Limits&) = nullptr;
  std::size_t* (*mebibytes)(Limits&) = nullptr;
  base::Duration* (*seconds)(Limits&) = nullptr;
};

constexpr Entry entries[] = {
    {.name = "connections",
     .least = 1,
     .most = 1'000'000,
     .count = [](Limits& l) { return &l.http.connections_max; }},
    {.name = "connections-per-source",
     .least = 1,
     .most = 1'000'000,
     .count = [](Limits& l) { return &l.http.connections_per_source_max; }},
    {.name = "handshakes",
     .least = 1,
     .most = 1'000'000,
     .count = [](Limits& l) { return &l.http.handshakes_max; }},
    {.name = "streams-per-connection",
     .least = 1,
     .most = 10'000,
     .count = [](Limits& l) { return &l.http.streams_per_connection_max; }},
    {.name = "unsent-mib-per-connection",
     .least = 1,
     .most = 4'096,
     .mebibytes = [](Limits& l) { return &l.http.unsent_bytes_max; }},
    {.name = "request-memory-mib",
     .least = 8,
     .most = 1'000'000,
     .mebibytes = [](Limits& l) { return &l.memory.request_bytes_max; }},
    {.name = "answer-memory-mib",
     .least = 8,
     .most = 1'000'000,
     .mebibytes = [](Limits& l) { return &l.memory.answer_bytes_max; }},
    {.name = "handshake-seconds",
     .least = 1,
     .most = kSecondsMax,
     .seconds = [](Limits& l) { return &l.http.handshake_timeout; }},
    {.name = "header-seconds",
     .least = 1,
     .most = kSecondsMax,
     .seconds = [](Limits& l) { return &l.http.header_timeout; }},
    {.name = "body-seconds",
     .least = 1,
     .most = kSecondsMax,
     .seconds = [](Limits& l) { return &l.http.body_timeout; }},
    {.name = "idle-seconds",
     .least = 1,
     .most = kSecondsMax,
     .seconds = [](Limits& l) { return &l.http.idle_timeout; }},
    {.name = "stall-seconds",
     .least = 1,
     .most = kSecondsMax,
     .seconds = [](Limits& l) { return &l.http.stall_timeout; }},
    {.name = "drain-seconds",
     .least = 0,
     .most = kSecondsMax,
     .seconds = [](Limits& l) { return &l.http.drain_timeout; }},
    {.name = "requests-in-flight",
     .least = 8,
     .most = 1'000'000,
     .count = [](Limits& l) { return &l.fairness.seats; }},
    {.name = "aws-requests-in-flight",
     .least = 1,
     .most = 1'000'000,
     .count = [](Limits& l) { return &l.aws_requests_max; }},
    {.name = "queue-length",
     .least = 1,
     .most = 100'000,
     .count = [](Limits& l) { return &l.fairness.queue_length; }},
    {.name = "queue-seconds",
     .least = 1,
     .most = kSecondsMax,
     .seconds = [](Limits& l) { return &l.fairness.wait_max; }},
    {.name = "request-seconds",
     .least = 1,
     .most = kSecondsMax,
     .seconds = [](Limits& l) { return &l.request_timeout; }},
    {.name = "shutdown-delay-seconds",
     .least = 0,
     .most = kSecondsMax,
     .seconds = [](Limits& l) { return &l.shutdown_delay; }},
};

std::int64_t value_of(const Entry& entry, Limits& limits) {
  if (entry.count != nullptr) return *entry.count(limits);
  if (entry.mebibytes != nullptr) return static_cast<std::int64_t>(*entry.mebibytes(limits) >> 20);
  return std::chrono::duration_cast<std::chrono::seconds>(*entry.seconds(limits)).count();
}

void set_value(const Entry& entry, Limits& limits, std::int64_t value) {
  if (entry.count != nullptr) {
    *entry.count(limits) = static_cast<int>(value);
  } else if (entry.mebibytes != nullptr) {
    *entry.mebibytes(limits) = static_cast<std::size_t>(value) << 20;
  } else {
    *entry.seconds(limits) = std::chrono::seconds(value);
  }
}

}  // namespace

base::Result<void> set_limit(Limits& limits, std::string_view assignment) {
  const std::size_t equals = assignment.find('=');
  const std::string_view name = assignment.substr(0, equals);
  for (const Entry& entry : entries) {
    if (entry.name != name) continue;
    const std::string_view text =
        equals == std::string_view::npos ? "" : assignment.substr(equals + 1);
    std::int64_t value = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = read.ec == std::errc() && read.ptr == text.data() + text.size();
    if (!whole || value < entry.least || value > entry.most) {
      return base::fail(
          base::ErrorCode::invalid,
          fmt::format("--limit {}: give {}={} to {}", assignment, name, entry.least, entry.most));
    }
    set_value(entry, limits, value);
    return {};
  }
  std::string names;
  for (const std::string& limit : list_limits()) names += " " + limit;
  return base::fail(
      base::ErrorCode::invalid,
      fmt::format("--limit {}: there is no such limit; there are:{}", assignment, names));
}

std::vector<std::string> list_limits() {
  Limits defaults;
  std::vector<std::string> names;
  for (const Entry& entry : entries) {
    names.push_back(fmt::format("{}={}", entry.name, value_of(entry, defaults)));
  }
  return names;
}

}  // namespace keelway::app
