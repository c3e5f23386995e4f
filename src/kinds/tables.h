// What tools/kindgen makes of the YAML files: constant tables, one File each.
#pragma once

#include <span>

#include "schema/kind.h"

namespace keelway::kinds::tables {

struct File {
  std::span<const schema::Kind> kinds;
  std::span<const schema::Struct* const> structs;
};

std::span<const File* const> files();

}  // namespace keelway::kinds::tables
