// Structured logs, one line an event: time, level, component, message, key=value pairs.
#pragma once

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace keelway::telemetry {

enum class Level { debug, info, warning, error };
using Pair = std::pair<std::string_view, std::string_view>;  // key and value

// Cheap to copy; handed down, never global. The sink is thread-safe.
class Log {
 public:
  using Sink = std::function<void(Level, std::string_view component, std::string_view message,
                                  std::initializer_list<Pair> pairs)>;
  Log() = default;  // says nothing
  Log(std::string component, Sink sink)
      : component_(std::move(component)), sink_(std::move(sink)) {}
  Log with(std::string component) const { return Log(std::move(component), sink_); }

  void debug(std::string_view m, std::initializer_list<Pair> p = {}) const {
    say(Level::debug, m, p);
  }
  void info(std::string_view m, std::initializer_list<Pair> p = {}) const {
    say(Level::info, m, p);
  }
  void warning(std::string_view m, std::initializer_list<Pair> p = {}) const {
    say(Level::warning, m, p);
  }
  void error(std::string_view m, std::initializer_list<Pair> p = {}) const {
    say(Level::error, m, p);
  }

 private:
  void say(Level level, std::string_view m, std::initializer_list<Pair> p) const {
    if (sink_) sink_(level, component_, m, p);
  }
  std::string component_;
  Sink sink_;
};

}  // namespace keelway::telemetry
