// The embedded store on a simulated disk: power that goes at any call, calls that fail, a disk that
// is full. What was acknowledged is there afterwards, and nothing is there by half.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "runtime/virtual/disk.h"
#include "runtime/virtual/world.h"
#include "store/sqlite/sqlite.h"

namespace keelway::store {
namespace {

using base::ErrorCode;
using runtime::DiskCall;

constexpr int keys = 7;

// One server on one simulated disk, and a user who writes pairs of keys in one transaction each.
class DiskRig {
 public:
  explicit DiskRig(std::uint64_t seed)
      : world_(runtime::make_world(seed)), host_(world_->make_host("server")) {
    options_.path = "/data/store.db";
    options_.in_runtime_files = true;
    options_.checkpoint_pages = 8;
    options_.garbage_min = 10;
    options_.history_min = 5;
    options_.reclaim_step = 4;
    executor_ = host_->runtime().make_executor("test");
  }
  ~DiskRig() { close(); }

  runtime::VirtualDisk& disk() { return host_->disk(); }
  runtime::World& world() { return *world_; }
  Keyspace& keyspace() { return *keyspace_; }

  base::Result<void> open() {
    auto engine = open_sqlite(host_->runtime(), options_);
    if (!engine) return std::unexpected(engine.error());
    engine_ = std::move(*engine);
    keyspace_ = engine_->open("c", *executor_);
    return {};
  }
  void close() {
    keyspace_.reset();
    engine_.reset();
  }
  void lose_power() {
    host_->lose_power();
    close();
    executor_.reset();
    host_->restart();
    executor_ = host_->runtime().make_executor("test");
  }

  base::Result<TransactionResult> write(const std::string& value, int key) {
    Transaction transaction;
    const auto bytes = std::make_shared<const std::string>(value);
    transaction.puts.push_back({"a" + std::to_string(key), bytes, {}});
    transaction.puts.push_back({"b" + std::to_string(key), bytes, {}});
    return transact(std::move(transaction));
  }
  base::Result<TransactionResult> transact(Transaction transaction) {
    std::optional<base::Result<TransactionResult>> result;
    executor_->post([&] {
      keyspace_->transact(std::move(transaction), [&](auto answer) { result = std::move(answer); });
    });
    EXPECT_TRUE(world_->run_while_waiting([&] { return result.has_value(); }));
    return std::move(*result);
  }
  base::Result<RangeResult> range() {
    std::optional<base::Result<RangeResult>> result;
    executor_->post(
        [&] { keyspace_->range({}, [&](auto answer) { result = std::move(answer); }); });
    EXPECT_TRUE(world_->run_while_waiting([&] { return result.has_value(); }));
    return std::move(*result);
  }

  base::Result<void> drop(const std::string& name) {
    std::optional<base::Result<void>> result;
    executor_->post(
        [&] { engine_->drop(name, *executor_, [&](auto answer) { result = std::move(answer); }); });
    EXPECT_TRUE(world_->run_while_waiting([&] { return result.has_value(); }));
    return std::move(*result);
  }
  void reopen_keyspace() {
    keyspace_.reset();
    keyspace_ = engine_->open("c", *executor_);
  }

  // One pair of keys is written or removed; 1 where the disk was full.
  int write_or_remove(base::Random& random) {
    const int key = static_cast<int>(random.below(keys));
    const bool remove = random.chance(0.3);
    const std::string value = std::to_string(random.below(1000)) +
                              std::string(random.below(2) * random.below(60'000), 'w');
    base::Result<TransactionResult> result;
    if (remove) {
      Transaction transaction;
      transaction.deletes.push_back({"a" + std::to_string(key)});
      transaction.deletes.push_back({"b" + std::to_string(key)});
      result = transact(std::move(transaction));
    } else {
      result = write(value, key);
    }
    if (!result) return 1;
    if (remove)
      acknowledged_.erase(key);
    else
      acknowledged_[key] = value;
    return 0;
  }
  void verify_exactly(const std::string& story) {
    std::map<std::string, std::string> wanted, found;
    for (const auto& [key, value] : acknowledged_) {
      wanted["a" + std::to_string(key)] = wanted["b" + std::to_string(key)] = value;
    }
    const auto entries = range();
    ASSERT_TRUE(entries) << story << ": " << entries.error().message;
    for (const Entry& entry : entries->entries) found[entry.key] = *entry.value;
    EXPECT_TRUE(wanted == found) << story;
  }

  // A story of writes; notes what was acknowledged and what was only asked for.
  void work(int writes) {
    for (int i = 0; i < writes; ++i) {
      const int key = i % keys;
      // Some values span pages.
      const std::string value =
          std::to_string(i) + "." + std::string(i % 5 == 0 ? 20'000 : 50, 'v');
      const auto result = write(value, key);
      if (result)
        acknowledged_[key] = value, unsure_[key].clear();
      else
        unsure_[key].push_back(value);
      if (result) revision_ = std::max(revision_, result->revision);
    }
  }

  // Everything acknowledged is there, or something that was asked for later; both keys of a
  // transaction say the same; the file is sound.
  void verify(const std::string& story) {
    const auto entries = range();
    ASSERT_TRUE(entries) << story << ": " << entries.error().message;
    EXPECT_GE(entries->revision, revision_) << story;
    std::map<std::string, std::string> found;
    for (const Entry& entry : entries->entries) found[entry.key] = *entry.value;
    for (int key = 0; key < keys; ++key) {
      const auto a = found.find("a" + std::to_string(key));
      const auto b = found.find("b" + std::to_string(key));
      ASSERT_EQ(a == found.end(), b == found.end()) << story << ": half of a transaction";
      if (a == found.end()) {
        EXPECT_FALSE(acknowledged_.contains(key)) << story << ": a lost write";
        continue;
      }
      ASSERT_EQ(a->second, b->second) << story << ": half of a transaction";
      const bool known =
          (acknowledged_.contains(key) && acknowledged_[key] == a->second) ||
          std::find(unsure_[key].begin(), unsure_[key].end(), a->second) != unsure_[key].end();
      EXPECT_TRUE(known) << story << ": key " << key << " is " << a->second.substr(0, 10);
      acknowledged_[key] = a->second;
      unsure_[key].clear();
    }
  }

  std::map<int, std::string> acknowledged_;
  std::map<int, std::vector<std::string>> unsure_;
  Revision revision_ = 0;
  SqliteOptions options_;

 private:
  std::unique_ptr<runtime::World> world_;
  std::unique_ptr<runtime::Host> host_;
  std::unique_ptr<runtime::Executor> executor_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Keyspace> keyspace_;
};

struct Fault {
  std::string name;
  std::set<DiskCall> kinds;
  bool and_all_after = false;
};

void PrintTo(const Fault& fault, std::ostream* out) {
  *out << fault.name;
}

class NthCall : public testing::TestWithParam<Fault> {};

// In the way of SQLite's own suite: the first call fails, the second, ... until a run is clean.
TEST_P(NthCall, FailsAndThePowerGoes) {
  const Fault& fault = GetParam();
  std::uint64_t n = 1;
  for (bool clean = false; !clean; ++n) {
    ASSERT_LT(n, 5'000u);
    const std::string story = fault.name + " " + std::to_string(n);
    DiskRig rig(n);
    rig.disk().fail_nth(n, fault.kinds, fault.and_all_after);
    if (rig.open()) rig.work(30);
    clean = !rig.disk().fault_fired();
    rig.disk().clear_planted();
    rig.lose_power();
    const auto opened = rig.open();
    ASSERT_TRUE(opened) << story << ": " << opened.error().message;
    rig.verify(story);
    rig.work(10);
    rig.verify(story + ", written on");
    rig.lose_power();
    ASSERT_TRUE(rig.open()) << story << ", a second time";
    rig.verify(story + ", a second time");
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(n, 20u) << "the fault was never felt";
}

INSTANTIATE_TEST_SUITE_P(
    Disk, NthCall,
    testing::Values(Fault{"write", {DiskCall::write}}, Fault{"writes", {DiskCall::write}, true},
                    Fault{"sync", {DiskCall::sync}}, Fault{"syncs", {DiskCall::sync}, true},
                    Fault{"read", {DiskCall::read}},
                    Fault{"end", {DiskCall::read, DiskCall::write, DiskCall::sync}, true}),
    [](const auto& info) { return info.param.name; });

// The suite above can fail: a disk that only says that it has synced loses acknowledged writes.
TEST(Disk, ALyingDiskIsFelt) {
  int lost = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    DiskRig rig(seed);
    ASSERT_TRUE(rig.open());
    rig.work(10);
    runtime::DiskFaults faults;
    faults.ignore_sync = true;
    rig.disk().set_faults(faults);
    rig.work(20);
    rig.lose_power();
    rig.disk().set_faults({});
    const auto opened = rig.open();
    if (!opened || rig.range()->revision < rig.revision_) ++lost;
  }
  EXPECT_GT(lost, 5);
}

TEST(Disk, OneSeedIsOneDisk) {
  std::vector<std::string> disks;
  for (const std::uint64_t seed : {3, 3, 4}) {
    DiskRig rig(seed), another(seed + 100);
    ASSERT_TRUE(rig.open());
    rig.work(15);
    ASSERT_TRUE(another.open()) << "two engines share SQLite's randomness";
    rig.lose_power();
    ASSERT_TRUE(rig.open());
    rig.work(15);
    disks.push_back(*rig.disk().content("/data/store.db") +
                    *rig.disk().content("/data/store.db-wal"));
  }
  EXPECT_EQ(disks[0], disks[1]);
  EXPECT_NE(disks[0], disks[2]);
}

// A disk whose size changes all the time. What a full disk refuses has not happened: memory, disk
// and what was answered agree after every step, without a restart.
TEST(Disk, AFullDiskRefusesWritesAndRecovers) {
  int refused = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    DiskRig rig(seed);
    ASSERT_TRUE(rig.open());
    rig.work(5);
    base::Random& random = rig.world().random();
    for (int i = 0; i < 60; ++i) {
      runtime::DiskFaults faults;
      if (random.chance(0.7)) faults.capacity = rig.disk().used() + random.below(3'000);
      rig.disk().set_faults(faults);
      refused += rig.write_or_remove(random);
      rig.verify_exactly("seed " + std::to_string(seed) + ", step " + std::to_string(i));
      if (HasFailure()) return;
    }
    rig.disk().set_faults({});
    rig.lose_power();
    ASSERT_TRUE(rig.open());
    rig.verify_exactly("seed " + std::to_string(seed) + " after the loss of power");
  }
  EXPECT_GT(refused, 100);
}

TEST(Disk, AFullDiskSaysWhatToDo) {
  DiskRig rig(1);
  ASSERT_TRUE(rig.open());
  rig.work(3);
  runtime::DiskFaults full;
  full.capacity = rig.disk().used();
  rig.disk().set_faults(full);
  // More than what is left in the files themselves.
  const auto refused = rig.write(std::string(200'000, 'v'), 0);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::unavailable);
  EXPECT_NE(refused.error().message.find("full"), std::string::npos) << refused.error().message;
  EXPECT_NE(refused.error().message.find("free space"), std::string::npos);
  EXPECT_EQ(rig.range()->entries.size(), 6u) << "reads go on";
  rig.disk().set_faults({});
  EXPECT_TRUE(rig.write("there is space", 0)) << "by itself";
}

TEST(Disk, TimesToLiveAndDropsOutliveAFullDisk) {
  DiskRig rig(2);
  ASSERT_TRUE(rig.open());
  Transaction transaction;
  transaction.puts.push_back(
      {"mortal", std::make_shared<const std::string>("x"), std::chrono::seconds(5)});
  ASSERT_TRUE(rig.transact(std::move(transaction)));
  // No page of the write-ahead log is free, so not even a deletion finds space.
  runtime::DiskFaults full;
  full.capacity = rig.disk().used();
  rig.disk().set_faults(full);
  rig.world().run_for(std::chrono::seconds(20));
  EXPECT_EQ(rig.range()->entries.size(), 1u) << "not deleted, for want of space";
  EXPECT_FALSE(rig.drop("c"));
  rig.disk().set_faults({});
  rig.world().run_for(std::chrono::seconds(20));
  EXPECT_TRUE(rig.drop("c")) << "asked again";
  rig.reopen_keyspace();
  EXPECT_TRUE(rig.write("new", 1));
  rig.lose_power();
  ASSERT_TRUE(rig.open());
  ASSERT_EQ(rig.range()->entries.size(), 2u) << "what was dropped does not come back";
}

TEST(Disk, AFailedSyncStopsWritesUntilARestart) {
  for (const int calls : {1, 2, 5, 9, 14}) {
    DiskRig rig(7);
    ASSERT_TRUE(rig.open());
    rig.work(3);
    rig.disk().fail_nth(static_cast<std::uint64_t>(calls), {DiskCall::sync});
    rig.work(40);
    ASSERT_TRUE(rig.disk().fault_fired());
    const auto refused = rig.write("later", 0);
    ASSERT_FALSE(refused) << "the disk is well again, the failure stays";
    EXPECT_NE(refused.error().message.find("start the server again"), std::string::npos);
    EXPECT_TRUE(rig.range()) << "reads go on";
    rig.close();
    ASSERT_TRUE(rig.open());
    rig.verify("after a failed sync");
    EXPECT_TRUE(rig.write("later", 0));
  }
}

}  // namespace
}  // namespace keelway::store
