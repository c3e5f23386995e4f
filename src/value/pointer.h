// JSON pointer (RFC 6901).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "value/value.h"

namespace keelway::value {

// The reference tokens, unescaped; nullopt if `text` is neither empty nor starts with '/'.
std::optional<std::vector<std::string>> parse_pointer(std::string_view text);
std::string to_pointer(const std::vector<std::string>& tokens);
// '~' and '/' escaped.
std::string escape_pointer_token(std::string_view token);

// Null pointer where nothing is there. Array items by index without leading zeros.
const Value* find_pointer(const Value& root, std::string_view pointer);
const Value* find_pointer(const Value& root, const std::vector<std::string>& tokens);

// The index that a token names; nullopt unless all digits without leading zero.
std::optional<std::size_t> parse_array_index(std::string_view token);

}  // namespace keelway::value
