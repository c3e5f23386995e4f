#include "kinds/hooks/hooks.h"

namespace keelway::kinds {

ApplyDefaults apply_defaults_of(std::string_view, std::string_view) {
  return nullptr;
}
Prepare prepare_of(std::string_view, std::string_view) {
  return nullptr;
}
Validate validate_of(std::string_view, std::string_view) {
  return nullptr;
}

}  // namespace keelway::kinds
