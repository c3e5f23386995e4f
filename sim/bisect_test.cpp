#include "sim/bisect.h"

#include <gtest/gtest.h>

#include "sim/shape.h"

namespace keelway::sim {
namespace {

TEST(Bisect, KeepsOnlyTheFaultsThatAreNeeded) {
  const auto fails = [](const std::vector<bool>& on) { return on[3] && on[7]; };
  std::vector<bool> wanted(10, false);
  wanted[3] = wanted[7] = true;
  EXPECT_EQ(fewest_faults(10, fails), wanted);
}

TEST(Bisect, SaysThatNoFaultIsNeeded) {
  EXPECT_EQ(fewest_faults(4, [](const auto&) { return true; }), std::vector<bool>(4, false));
}

TEST(Bisect, StopsAfterItsPlays) {
  int plays = 0;
  const auto fails = [&plays](const std::vector<bool>&) {
    ++plays;
    return false;
  };
  EXPECT_EQ(fewest_faults(30, fails, 5), std::vector<bool>(30, true));
  EXPECT_EQ(plays, 5);
}

TEST(Shape, OneSeedIsOneShapeAndSeedsDiffer) {
  EXPECT_EQ(draw_shape(5).describe(), draw_shape(5).describe());
  EXPECT_NE(draw_shape(5).describe(), draw_shape(6).describe());
}

TEST(Shape, EveryFaultHasEndedWhenTheWorldHeals) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const Shape shape = draw_shape(seed);
    for (const Fault& fault : shape.faults) {
      EXPECT_LE(fault.at + fault.lasts, shape.safety_time) << fault.describe();
    }
  }
}

}  // namespace
}  // namespace keelway::sim
