// The entry points of all targets in one program; CMakeLists.txt writes the table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace keelway::fuzz {

struct Target {
  const char* name;
  int (*run)(const std::uint8_t* data, std::size_t size);
};
std::vector<Target> targets();

}  // namespace keelway::fuzz
