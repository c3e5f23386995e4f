#include "apiserver/bootstrap.h"

#include <gtest/gtest.h>

#include <optional>

#include "apiserver/testing/rig.h"

namespace keelway::apiserver {
namespace {

using testing::Rig;

// Servers beside the rig's own, of one other keyspace.
struct Shared {
  Rig rig{1, Rig::Start::bare};
  std::unique_ptr<store::Keyspace> keyspace;
  std::vector<std::unique_ptr<Server>> servers;

  Shared() {
    rig.executor->post([this] { keyspace = rig.engine->open("shared", *rig.executor); });
    rig.run_for(std::chrono::milliseconds(10));
  }
  ~Shared() {
    rig.executor->post([this] {
      servers.clear();
      keyspace.reset();
    });
    rig.run_for(std::chrono::milliseconds(10));
  }

  base::Result<void> start(Founding founding) {
    std::optional<base::Result<void>> started;
    rig.executor->post([&] {
      Config config;
      config.cluster_name = "test";
      config.kinds = kinds::catalog(33);
      config.runtime = &rig.host->runtime();
      config.executor = rig.executor.get();
      config.keyspace = rig.engine->open("shared", *rig.executor);
      config.shared_store = true;
      config.founding = founding;
      servers.push_back(make_server(std::move(config)));
      servers.back()->start([&](base::Result<void> done) { started = std::move(done); });
    });
    rig.world->run_while_waiting([&] { return started.has_value(); });
    return *started;
  }
  base::Result<Fence> take(FenceClaim claim) {
    std::optional<base::Result<Fence>> taken;
    rig.executor->post([&] {
      servers[0]->take_fence(std::move(claim), [&](base::Result<Fence> fence) { taken = fence; });
    });
    rig.world->run_while_waiting([&] { return taken.has_value(); });
    return *taken;
  }
  base::Result<void> found(FencePtr fence) {
    std::optional<base::Result<void>> founded;
    rig.executor->post([&] {
      servers[0]->found({}, std::move(fence),
                        [&](base::Result<void> done) { founded = std::move(done); });
    });
    rig.world->run_while_waiting([&] { return founded.has_value(); });
    return *founded;
  }
  // How many keys there are.
  std::size_t written() {
    std::optional<std::size_t> count;
    rig.executor->post([&] {
      keyspace->range({"", "", 10'000, 0}, [&](base::Result<store::RangeResult> read) {
        count = read ? read->entries.size() : 0;
      });
    });
    rig.world->run_while_waiting([&] { return count.has_value(); });
    return *count;
  }
};

TEST(Bootstrap, AFollowerBringsNoKeyspaceToLife) {
  Shared shared;
  const auto follower = shared.start(Founding::by_another);
  ASSERT_FALSE(follower);
  EXPECT_EQ(follower.error().code, base::ErrorCode::unavailable);
  EXPECT_EQ(shared.written(), 0u);
}

TEST(Bootstrap, IsWrittenByWhoLeadsAndThenFollowersStart) {
  Shared shared;
  ASSERT_TRUE(shared.start(Founding::later));
  EXPECT_EQ(shared.written(), 0u);
  const auto fence = shared.take({"a", 1, 1});
  ASSERT_TRUE(fence);
  EXPECT_TRUE(shared.found(std::make_shared<const Fence>(*fence)));
  EXPECT_GT(shared.written(), 4u);
  EXPECT_TRUE(shared.start(Founding::by_another));
}

TEST(Bootstrap, IsNotWrittenByWhoLedBefore) {
  Shared shared;
  ASSERT_TRUE(shared.start(Founding::later));
  const auto fence = shared.take({"a", 1, 1});
  ASSERT_TRUE(fence);
  ASSERT_TRUE(shared.take({"b", 2, 1}));
  EXPECT_FALSE(shared.found(std::make_shared<const Fence>(*fence)));
  EXPECT_EQ(shared.written(), 1u) << "the fence alone";
}

}  // namespace
}  // namespace keelway::apiserver
