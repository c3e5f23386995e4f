// What a night of runs has come by. A site of `sometimes` is alive in one run of four and fires one
// time of four there.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/random.h"
#include "runtime/virtual/world.h"

namespace keelway::sim {

using Reached = std::map<std::string, std::uint64_t, std::less<>>;  // how often, by mark

class MarkBook final : public runtime::Marks {
 public:
  explicit MarkBook(std::uint64_t seed) : seed_(seed), random_(seed ^ 0x3a4b) {}
  bool sometimes(std::string_view site) override;
  void reached(std::string_view mark) override { ++reached_[std::string(mark)]; }
  const Reached& all() const { return reached_; }

 private:
  const std::uint64_t seed_;
  base::Random random_;
  std::map<std::string, bool, std::less<>> alive_;
  Reached reached_;
};

// Every mark that a night must come by, sites of `sometimes` among them.
const std::vector<std::string>& expected_marks();

}  // namespace keelway::sim
