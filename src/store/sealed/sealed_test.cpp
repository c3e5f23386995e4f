#include "store/sealed/sealed.h"

#include <gtest/gtest.h>

#include "runtime/virtual/world.h"
#include "store/memory/memory.h"

namespace keelway::store {
namespace {

using base::ErrorCode;

class SealedTest : public testing::Test {
 protected:
  SealedTest()
      : world_(runtime::make_world(3)),
        host_(world_->make_host("server")),
        executor_(host_->runtime().make_executor("test")) {}

  static KeyRing ring(std::uint32_t current) {
    return {{{1, std::string(32, 'o')}, {0x20000, std::string(32, 'n')}}, current};
  }
  std::shared_ptr<const Seal> seal(KeyRing keys) {
    return *Seal::make(host_->runtime(), std::move(keys));
  }
  static Bytes bytes(const std::string& text) { return std::make_shared<const std::string>(text); }

  void put(Keyspace& keyspace, const std::string& key, Bytes value) {
    bool done = false;
    executor_->post([&] {
      Transaction transaction;
      transaction.puts.push_back({key, std::move(value), {}});
      keyspace.transact(std::move(transaction), [&](auto) { done = true; });
    });
    ASSERT_TRUE(world_->run_while_waiting([&] { return done; }));
  }
  base::Result<RangeResult> range(Keyspace& keyspace, const std::string& prefix) {
    std::optional<base::Result<RangeResult>> result;
    executor_->post([&] {
      RangeRequest request;
      request.prefix = prefix;
      keyspace.range(request, [&](auto answer) { result = std::move(answer); });
    });
    EXPECT_TRUE(world_->run_while_waiting([&] { return result.has_value(); }));
    return std::move(*result);
  }

  std::unique_ptr<runtime::World> world_;
  std::unique_ptr<runtime::Host> host_;
  std::unique_ptr<runtime::Executor> executor_;
};

TEST_F(SealedTest, ValuesAreUnreadableAndNeverTheSameTwice) {
  const auto s = seal(ring(0x20000));
  const Bytes plain = bytes("a secret that is long enough to be found");
  const Bytes first = s->close("c", "/k", plain);
  const Bytes second = s->close("c", "/k", plain);
  EXPECT_EQ(first->find("secret"), std::string::npos);
  EXPECT_NE(*first, *second);
  EXPECT_EQ(first->size(), plain->size() + 1 + 4 + 12 + 16);
  EXPECT_EQ(**s->open("c", "/k", first), *plain);
  EXPECT_EQ(**s->open("c", "/k", s->close("c", "/k", bytes(""))), "");
}

TEST_F(SealedTest, EveryChangedBitAndPlaceIsNoticed) {
  const auto s = seal(ring(0x20000));
  const Bytes sealed = s->close("c", "/k", bytes("value"));
  EXPECT_FALSE(s->open("c", "/other", sealed));
  EXPECT_FALSE(s->open("d", "/k", sealed));
  EXPECT_FALSE(s->open("c/", "k", sealed));
  for (std::size_t i = 0; i < sealed->size(); ++i) {
    std::string changed = *sealed;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    const auto opened = s->open("c", "/k", bytes(changed));
    ASSERT_FALSE(opened) << i;
    EXPECT_NE(opened.error().message.find("/k"), std::string::npos);
  }
  for (std::size_t size = 0; size < sealed->size(); ++size) {
    EXPECT_FALSE(s->open("c", "/k", bytes(sealed->substr(0, size)))) << size;
  }
}

TEST_F(SealedTest, OldKeysOpenAndNewKeysSeal) {
  const Bytes old = seal(ring(1))->close("c", "/k", bytes("v"));
  const auto now = seal(ring(0x20000));
  EXPECT_EQ(**now->open("c", "/k", old), "v");
  EXPECT_EQ(now->close("c", "/k", bytes("v"))->substr(0, 5), std::string("\1\0\2\0\0", 5));
  KeyRing only_new = ring(0x20000);
  only_new.keys.erase(1);
  const auto missing = seal(only_new)->open("c", "/k", old);
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message.find("key 1,"), std::string::npos);
}

TEST_F(SealedTest, BrokenRingsAreRefused) {
  EXPECT_FALSE(Seal::make(host_->runtime(), {{{1, "short"}}, 1}));
  EXPECT_FALSE(Seal::make(host_->runtime(), {{{1, std::string(32, 'k')}}, 2}));
}

TEST_F(SealedTest, ABrokenValueNamesItsKeyAndLeavesOthersAlone) {
  auto memory = make_memory(host_->runtime());
  Engine& inner = *memory;
  std::vector<std::string> told;
  const auto engine = *make_sealed(
      std::move(memory), host_->runtime(), ring(0x20000),
      [&](const std::string& keyspace, const std::string& key, const base::Error& error) {
        EXPECT_EQ(keyspace, "c");
        EXPECT_NE(error.message.find(key), std::string::npos);
        told.push_back(key);
      });
  const auto keyspace = engine->open("c", *executor_);
  const auto raw = inner.open("c", *executor_);
  std::vector<std::string> seen;
  std::vector<base::Error> ends;
  std::unique_ptr<Watch> watch;
  executor_->post([&] {
    WatchRequest request;
    request.on_events = [&](const EventBatch& batch) {
      for (const Event& event : batch.events) {
        seen.push_back(event.entry.key + (event.entry.value ? "" : " does not open"));
      }
    };
    request.on_end = [&](base::Error error) { ends.push_back(std::move(error)); };
    watch = keyspace->watch(std::move(request));
  });
  put(*keyspace, "/a/good", bytes("1"));
  put(*raw, "/b/broken", bytes("never sealed"));
  put(*keyspace, "/c/good", bytes("2"));
  world_->run_for(std::chrono::seconds(1));
  EXPECT_EQ(*range(*keyspace, "/a").value().entries.at(0).value, "1");
  EXPECT_EQ(*range(*keyspace, "/c").value().entries.at(0).value, "2");
  const auto all = range(*keyspace, "");
  ASSERT_TRUE(all);
  ASSERT_EQ(all->entries.size(), 3u);
  EXPECT_EQ(*all->entries[0].value, "1");
  EXPECT_EQ(all->entries[1].value, nullptr);
  EXPECT_EQ(*all->entries[2].value, "2");
  EXPECT_EQ(seen, (std::vector<std::string>{"/a/good", "/b/broken does not open", "/c/good"}));
  EXPECT_TRUE(ends.empty());
  EXPECT_EQ(told, (std::vector<std::string>{"/b/broken", "/b/broken"})) << "by watch and range";

  std::optional<SealCheck> check;
  executor_->post(
      [&] { check_sealed(*raw, "c", seal(ring(0x20000)), [&](auto result) { check = *result; }); });
  ASSERT_TRUE(world_->run_while_waiting([&] { return check.has_value(); }));
  EXPECT_EQ(check->opened, 2u);
  ASSERT_EQ(check->broken.size(), 1u);
  EXPECT_NE(check->broken[0].find("/b/broken"), std::string::npos);

  put(*keyspace, "/b/broken", bytes("healed"));
  EXPECT_EQ(range(*keyspace, "").value().entries.size(), 3u);
  executor_->post([&] { watch.reset(); });
  world_->run_for(std::chrono::seconds(1));
}

}  // namespace
}  // namespace keelway::store
