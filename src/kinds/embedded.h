// YAML files of this room as constants, made by tools/kindgen at build time.
#pragma once

#include <span>
#include <string_view>

namespace keelway::kinds {

struct Embedded {
  std::string_view file;  // without folder and suffix: "20-priority-classes"
  std::string_view json;  // one document, compact
};

std::span<const Embedded> bootstrap_documents();  // src/kinds/bootstrap
std::span<const Embedded> crd_documents();        // src/kinds/crds

}  // namespace keelway::kinds
