#include "telemetry/sinks.h"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <array>
#include <memory>

namespace keelway::telemetry {
namespace {

constexpr std::size_t kFileBytesMax = 64u << 20;
constexpr std::size_t kOldFiles = 3;
constexpr std::size_t kUsualLine = 384;

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

// What a plain word has none of.
constexpr std::array<bool, 256> kQuoted = [] {
  std::array<bool, 256> table{};
  for (int c = 0; c < 256; ++c) {
    table[static_cast<std::size_t>(c)] = c <= ' ' || c >= 0x7f || c == '"' || c == '=' || c == '\\';
  }
  return table;
}();

// One event stays one line, and a value that is not one plain word is quoted.
void append_value(std::string& line, std::string_view value) {
  bool quoted = value.empty();
  for (const char c : value) quoted |= kQuoted[static_cast<unsigned char>(c)];
  if (!quoted) {
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

using LoggerPtr = std::shared_ptr<spdlog::logger>;

// The logger is the sink's own: spdlog's global registry stays unused.
LoggerPtr make_logger(std::shared_ptr<spdlog::sinks::sink> target, Level minimum) {
  target->set_formatter(std::make_unique<spdlog::pattern_formatter>(
      "%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc));
  auto logger = std::make_shared<spdlog::logger>("", std::move(target));
  logger->set_level(to_native(minimum));
  return logger;
}

Log::Sink sink_of(LoggerPtr logger) {
  return [logger = std::move(logger)](Level level, std::string_view component,
                                      std::string_view message, std::initializer_list<Pair> pairs) {
    if (!logger->should_log(to_native(level))) return;
    std::string line;
    line.reserve(kUsualLine);
    line += component.empty() ? "-" : component;
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

base::Result<std::shared_ptr<spdlog::sinks::sink>> open_file(const std::string& path) {
  try {
    return std::make_shared<spdlog::sinks::rotating_file_sink_mt>(path, kFileBytesMax, kOldFiles);
  } catch (const spdlog::spdlog_ex& error) {
    return base::fail(base::ErrorCode::internal,
                      "cannot log to " + path + ": " + error.what() + "; choose another file");
  }
}

}  // namespace

Log::Sink make_stderr_sink(Level minimum) {
  LoggerPtr logger = make_logger(std::make_shared<spdlog::sinks::stderr_sink_mt>(), minimum);
  logger->flush_on(spdlog::level::info);
  return sink_of(std::move(logger));
}

base::Result<FileSink> make_file_sink(const std::string& path, Level minimum) {
  auto file = open_file(path);
  if (!file) return std::unexpected(file.error());
  LoggerPtr logger = make_logger(std::move(*file), minimum);
  logger->flush_on(spdlog::level::warn);
  return FileSink{sink_of(logger), [logger] { logger->flush(); }};
}

}  // namespace keelway::telemetry
