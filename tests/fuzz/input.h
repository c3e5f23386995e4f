// What a fuzz input is to its target: parts of text, and choices.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace keelway::fuzz {

// A line that cuts an input into parts, so that a seed with several documents is readable text.
inline constexpr std::string_view cut = "\n====\n";

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size)
      : rest_(reinterpret_cast<const char*>(data), size) {}

  // Up to the next cut; empty where nothing is left.
  std::string_view part() {
    const auto at = rest_.find(cut);
    const std::string_view found = rest_.substr(0, at);
    rest_.remove_prefix(at == std::string_view::npos ? rest_.size() : at + cut.size());
    return found;
  }
  std::string_view line() {
    const auto at = rest_.find('\n');
    const std::string_view found = rest_.substr(0, at);
    rest_.remove_prefix(at == std::string_view::npos ? rest_.size() : at + 1);
    return found;
  }
  std::uint8_t byte() {
    if (rest_.empty()) return 0;
    const auto first = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return first;
  }
  std::string_view rest() const { return rest_; }
  bool done() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

}  // namespace keelway::fuzz

// One target: the rest of the file's functions lie in an anonymous namespace.
#define KEELWAY_FUZZ_TARGET(data, size) \
  extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
