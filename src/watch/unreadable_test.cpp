#include "watch/unreadable.h"

#include <gtest/gtest.h>

#include "runtime/virtual/world.h"
#include "store/memory/memory.h"
#include "store/sealed/sealed.h"
#include "watch/cache.h"

namespace keelway::watch {
namespace {

store::Bytes bytes(const std::string& text) {
  return std::make_shared<const std::string>(text);
}

// A cache over a sealed store, some of whose values were written beside the seal.
class UnreadableTest : public testing::Test {
 protected:
  UnreadableTest()
      : world_(runtime::make_world(7)),
        host_(world_->make_host("server")),
        executor_(host_->runtime().make_executor("api")) {
    auto memory = store::make_memory(host_->runtime());
    raw_ = memory->open("c", *executor_);
    store::KeyRing ring;
    ring.keys[1] = std::string(32, 'k');
    ring.current = 1;
    engine_ = *store::make_sealed(std::move(memory), host_->runtime(), ring);
    sealed_ = engine_->open("c", *executor_);
  }

  void put(store::Keyspace& keyspace, const std::string& name) {
    store::Transaction transaction;
    transaction.puts.push_back({"/core/configmaps/default/" + name,
                                bytes(R"({"metadata":{"name":")" + name + "\"}}"),
                                {}});
    transact(keyspace, std::move(transaction));
  }
  void transact(store::Keyspace& keyspace, store::Transaction transaction) {
    bool done = false;
    executor_->post([&] {
      keyspace.transact(std::move(transaction), [&](auto result) { done = result->committed; });
    });
    ASSERT_TRUE(world_->run_while_waiting([&] { return done; }));
  }
  base::Result<void> start() {
    cache_ = std::make_unique<Cache>(*executor_, *sealed_, limits_);
    std::optional<base::Result<void>> started;
    executor_->post([&] { cache_->start([&](auto result) { started = std::move(result); }); });
    EXPECT_TRUE(world_->run_while_waiting([&] { return started.has_value(); }));
    return std::move(*started);
  }
  bool has(const std::string& name) {
    return cache_->get("/core/configmaps/default/" + name) != nullptr;
  }
  Revision unreadable(const std::string& name) {
    return cache_->unreadable("/core/configmaps/default/" + name);
  }

  CacheLimits limits_;
  std::unique_ptr<runtime::World> world_;
  std::unique_ptr<runtime::Host> host_;
  std::unique_ptr<runtime::Executor> executor_;
  std::unique_ptr<store::Keyspace> raw_, sealed_;
  std::unique_ptr<store::Engine> engine_;
  std::unique_ptr<Cache> cache_;
};

TEST_F(UnreadableTest, EverythingElseIsServed) {
  for (const bool from_history : {false, true}) {
    limits_.replayed_max = from_history ? 1'000 : 0;
    const std::string broken = from_history ? "b1" : "b0";
    put(*sealed_, "a");
    put(*raw_, broken);
    put(*sealed_, "c");
    const auto started = start();
    ASSERT_TRUE(started) << started.error().message;
    EXPECT_TRUE(has("a") && has("c"));
    EXPECT_FALSE(has(broken));
    EXPECT_EQ(unreadable("a"), 0);
    EXPECT_GT(unreadable(broken), 0);
    EXPECT_EQ(cache_->unreadable_count(), 1u);

    put(*sealed_, broken);
    world_->run_for(std::chrono::seconds(1));
    EXPECT_TRUE(has(broken)) << "written anew";
    EXPECT_EQ(cache_->unreadable_count(), 0u);
    cache_.reset();
  }
}

TEST_F(UnreadableTest, AnEventThatDoesNotOpenLeavesTheLastState) {
  put(*sealed_, "a");
  put(*sealed_, "b");
  ASSERT_TRUE(start());
  std::vector<CacheEvent::Type> events;
  std::unique_ptr<CacheSubscription> subscription;
  executor_->post([&] {
    SubscribeRequest request;
    request.after = cache_->revision();
    request.on_batch = [&](const CacheBatch& batch) {
      for (const auto& event : batch.events) events.push_back(event->type);
    };
    subscription = std::move(*cache_->subscribe(std::move(request)));
  });
  world_->run_for(std::chrono::seconds(1));
  put(*raw_, "b");
  world_->run_for(std::chrono::seconds(1));
  EXPECT_TRUE(events.empty()) << "nobody is told that it is gone";
  EXPECT_GT(unreadable("b"), 0);
  store::Transaction transaction;
  transaction.deletes.push_back({"/core/configmaps/default/b"});
  transact(*sealed_, std::move(transaction));
  world_->run_for(std::chrono::seconds(1));
  EXPECT_EQ(events, std::vector{CacheEvent::Type::deleted});
  EXPECT_EQ(unreadable("b"), 0);
}

TEST_F(UnreadableTest, TheWrongKeyIsNoFlippedBit) {
  put(*raw_, "a");
  put(*raw_, "b");
  put(*sealed_, "c");
  for (const std::size_t replayed : {0, 1'000}) {
    limits_.replayed_max = replayed;
    const auto started = start();
    ASSERT_FALSE(started);
    EXPECT_NE(started.error().message.find("2 of 3"), std::string::npos);
    EXPECT_NE(started.error().message.find("sealing key"), std::string::npos);
    EXPECT_FALSE(cache_->ready());
    cache_.reset();
  }
}

}  // namespace
}  // namespace keelway::watch
