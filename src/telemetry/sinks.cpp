#include "telemetry/sinks.h"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <algorithm>
#include <memory>

namespace keelway::telemetry {
namespace {

constexpr std::size_t kFileBytesMax = 64u << 20;
constexpr std::size_t kOldFiles = 3;

spdlog::level::level_enum to_native(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warning:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

// One event stays one line, and a value that is not one plain word is quoted.
void append_value(std::string& line, std::string_view value) {
  const bool plain = !value.empty() && std::all_of(value.begin(), value.end(), [](char c) {
    return c > ' ' && c != '"' && c != '=' && c != '\\' && c != 0x7f;
  });
  if (plain) {
    line += value;
    return;
  }
  line += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') line += '\\';
    if (c == '\n')
      line += "\\n";
    else if (c == '\r')
      line += "\\r";
    else if (static_cast<unsigned char>(c) < ' ')
      line += ' ';
    else
      line += c;
  }
  line += '"';
}

void append_message(std::string& line, std::string_view message) {
  for (const char c : message) line += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
}

// The logger is the sink's own: spdlog's global registry stays unused.
Log::Sink to_sink(std::shared_ptr<spdlog::sinks::sink> target, Level minimum) {
  target->set_formatter(std::make_unique<spdlog::pattern_formatter>(
      "%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc));
  auto logger = std::make_shared<spdlog::logger>("", std::move(target));
  logger->set_level(to_native(minimum));
  logger->flush_on(spdlog::level::info);
  return [logger](Level level, std::string_view component, std::string_view message,
                  std::initializer_list<Pair> pairs) {
    if (!logger->should_log(to_native(level))) return;
    std::string line(component.empty() ? "-" : component);
    line += ' ';
    append_message(line, message);
    for (const auto& [key, value] : pairs) {
      line += ' ';
      line += key;
      line += '=';
      append_value(line, value);
    }
    logger->log(to_native(level), spdlog::string_view_t(line));
  };
}

}  // namespace

Log::Sink make_stderr_sink(Level minimum) {
  return to_sink(std::make_shared<spdlog::sinks::stderr_sink_mt>(), minimum);
}

base::Result<Log::Sink> make_file_sink(const std::string& path, Level minimum) {
  try {
    return to_sink(
        std::make_shared<spdlog::sinks::rotating_file_sink_mt>(path, kFileBytesMax, kOldFiles),
        minimum);
  } catch (const spdlog::spdlog_ex& error) {
    return base::fail(base::ErrorCode::internal,
                      "cannot log to " + path + ": " + error.what() + "; choose another file");
  }
}

}  // namespace keelway::telemetry
