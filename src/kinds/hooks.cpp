#include "kinds/hooks.h"

#include "kinds/hooks/hooks.h"
#include "kinds/printers/printers.h"

namespace keelway::kinds {

schema::Hooks hooks_of(std::string_view api_version, std::string_view kind) {
  return {.apply_defaults = apply_defaults_of(api_version, kind),
          .prepare = prepare_of(api_version, kind),
          .validate = validate_of(api_version, kind),
          .print = print_of(api_version, kind)};
}

}  // namespace keelway::kinds
