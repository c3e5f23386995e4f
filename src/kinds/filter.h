// A copy of the compiled tables with only the fields that one minor version has.
#pragma once

#include <deque>
#include <unordered_map>
#include <vector>

#include "schema/kind.h"

namespace keelway::kinds {

// Owns what it made; the pointers that it answers live as long as it does.
class FilteredStructs {
 public:
  explicit FilteredStructs(int minor) : minor_(minor) {}
  FilteredStructs(const FilteredStructs&) = delete;
  FilteredStructs& operator=(const FilteredStructs&) = delete;

  // The struct itself where nothing below any table is out of bounds.
  const schema::Struct* of(const schema::Struct* original);

 private:
  schema::Shape copy(const schema::Shape& original);

  int minor_;
  std::unordered_map<const schema::Struct*, const schema::Struct*> made_;  // looked up only
  std::deque<schema::Struct> structs_;
  std::deque<std::vector<schema::Field>> fields_;
  std::deque<std::vector<std::uint16_t>> orders_;
  std::deque<schema::Shape> shapes_;
};

// Does 1.MINOR have what carries these bounds?
inline bool served(int minor, int since, int until) {
  return minor >= since && (until == 0 || minor < until);
}

}  // namespace keelway::kinds
