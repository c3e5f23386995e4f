// Text as RFC 3629 has it.
#pragma once

#include <string_view>

namespace keelway::value {

// Well-formed: no overlong forms, no surrogates.
bool is_utf8(std::string_view text);

}  // namespace keelway::value
