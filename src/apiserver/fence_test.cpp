#include "apiserver/fence.h"

#include <gtest/gtest.h>

#include <optional>

#include "apiserver/testing/rig.h"

namespace keelway::apiserver {
namespace {

using testing::Rig;

// The revision of the fence, or 0 where it was not given.
store::Revision take(Rig& rig, FenceClaim claim) {
  std::optional<base::Result<Fence>> taken;
  rig.executor->post([&] {
    rig.server->take_fence(std::move(claim), [&](base::Result<Fence> fence) { taken = fence; });
  });
  rig.world->run_while_waiting([&] { return taken.has_value(); }, std::chrono::minutes(1));
  return taken && *taken ? (*taken)->revision : 0;
}

TEST(LoopFence, LaterEpochsTakeItAndEarlierOnesDoNot) {
  Rig rig(1, Rig::Start::bare);
  const auto first = take(rig, {"a", 1, 7});
  EXPECT_GT(first, 0);
  const auto second = take(rig, {"b", 2, 1});
  EXPECT_GT(second, first);
  EXPECT_EQ(take(rig, {"a", 1, 8}), 0);
  EXPECT_EQ(take(rig, {"a", 2, 8}), 0) << "one epoch has one holder";
}

TEST(LoopFence, ALeaseThatComesBackHasAFenceOfItsOwn) {
  Rig rig(1, Rig::Start::bare);
  const auto before = take(rig, {"a", 1, 1});
  EXPECT_GT(before, 0);
  EXPECT_EQ(take(rig, {"a", 1, 1}), before) << "an answer may be lost";
  EXPECT_GT(take(rig, {"a", 1, 2}), before);
  EXPECT_EQ(take(rig, {"a", 1, 1}), 0);
}

}  // namespace
}  // namespace keelway::apiserver
