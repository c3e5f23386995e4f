// Maps by text that are looked up with views of text.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace keelway::base {

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>()(text);
  }
};

// To be looked up, never iterated: its order is nobody's.
template <class T>
using ByText = std::unordered_map<std::string, T, TextHash, std::equal_to<>>;

}  // namespace keelway::base
