#include "value/utf8.h"

#include <simdjson.h>

namespace keelway::value {

bool is_utf8(std::string_view text) {
  return simdjson::validate_utf8(text);
}

}  // namespace keelway::value
