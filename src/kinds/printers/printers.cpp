#include "kinds/printers/printers.h"

namespace keelway::kinds {

Print print_of(std::string_view, std::string_view) { return nullptr; }

}  // namespace keelway::kinds
