// What a simulated disk keeps when the power goes, and the faults that it can be told to have.
#include "runtime/virtual/disk.h"

#include <gtest/gtest.h>

#include "runtime/runtime.h"
#include "runtime/virtual/world.h"

namespace keelway::runtime {
namespace {

constexpr const char* path = "/data/file";

class VirtualDiskTest : public ::testing::TestWithParam<int> {
 protected:
  VirtualDiskTest()
      : world_(make_world(static_cast<std::uint64_t>(GetParam()))),
        host_(world_->make_host("server")) {}

  std::unique_ptr<File> open() {
    auto file = host_->runtime().files().open(path, FileAccess::create);
    EXPECT_TRUE(file) << file.error().message;
    return std::move(*file);
  }
  void lose_power() {
    host_->lose_power();
    host_->restart();
  }
  std::string read() {
    const std::string* bytes = host_->disk().content(path);
    return bytes == nullptr ? "" : *bytes;
  }

  std::unique_ptr<World> world_;
  std::unique_ptr<Host> host_;
};

TEST_P(VirtualDiskTest, WhatWasSyncedSurvivesAndTheRestIsOldOrNew) {
  const auto file = open();
  const std::string old(8192, 'o'), fresh(4096, 'n');
  ASSERT_TRUE(file->write_at(0, old));
  ASSERT_TRUE(file->sync());
  ASSERT_TRUE(file->write_at(2048, fresh));
  EXPECT_EQ(read().substr(2048, 4096), fresh) << "the process itself reads what it wrote";
  lose_power();
  const std::string left = read();
  ASSERT_EQ(left.size(), old.size());
  EXPECT_EQ(left.substr(0, 2048), old.substr(0, 2048));
  EXPECT_EQ(left.substr(6144), old.substr(6144));
  EXPECT_EQ(left.find_first_not_of("on"), std::string::npos) << "nothing that nobody wrote";
}

TEST_P(VirtualDiskTest, AKillLosesNothing) {
  const auto file = open();
  ASSERT_TRUE(file->write_at(0, "not synced"));
  host_->kill();
  host_->restart();
  EXPECT_EQ(read(), "not synced");
  EXPECT_FALSE(file->write_at(0, "from the dead"));
  EXPECT_FALSE(file->sync());
  EXPECT_EQ(read(), "not synced");
}

TEST_P(VirtualDiskTest, AFailedSyncIsNotMendedByTheNextOne) {
  const auto file = open();
  ASSERT_TRUE(file->write_at(0, std::string(512, 'a')));
  ASSERT_TRUE(file->sync());
  ASSERT_TRUE(file->write_at(0, std::string(512, 'b')));
  host_->disk().fail_nth(1, {DiskCall::sync});
  EXPECT_FALSE(file->sync());
  EXPECT_TRUE(host_->disk().fault_fired());
  EXPECT_TRUE(file->sync());
  bool lost = false;
  for (int i = 0; i < 50 && !lost; ++i) {
    lose_power();
    lost = read()[0] == 'a' || read().back() == 'a';
    // A new file with the same story.
    if (lost) break;
    host_->disk().put(path, std::string(512, 'a'));
    const auto again = open();
    ASSERT_TRUE(again->write_at(0, std::string(512, 'b')));
    host_->disk().fail_nth(1, {DiskCall::sync});
    EXPECT_FALSE(again->sync());
    EXPECT_TRUE(again->sync());
  }
  EXPECT_TRUE(lost);
}

TEST_P(VirtualDiskTest, AFullDiskTakesWhatFits) {
  DiskFaults faults;
  faults.capacity = 1000;
  host_->disk().set_faults(faults);
  const auto file = open();
  const auto written = file->write_at(0, std::string(1500, 'x'));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, base::ErrorCode::exhausted);
  EXPECT_EQ(read().size(), 1000u);
  EXPECT_TRUE(file->write_at(0, "what is there may be changed"));
  EXPECT_FALSE(host_->runtime().files().write_private("/data/key", "k"));
  ASSERT_TRUE(file->truncate(10));
  EXPECT_TRUE(host_->runtime().files().write_private("/data/key", "k"));
  EXPECT_EQ(host_->disk().used(), 11u);
}

TEST_P(VirtualDiskTest, ANameThatWasNotSyncedMayGoAndComeBack) {
  int gone = 0, back = 0;
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(open()->write_at(0, "x"));
    lose_power();
    gone += host_->disk().exists(path) ? 0 : 1;
    host_->disk().put(path, "y");
    ASSERT_TRUE(host_->runtime().files().remove(path));
    EXPECT_FALSE(host_->disk().exists(path));
    lose_power();
    back += host_->disk().exists(path) ? 1 : 0;
    host_->disk().put(path, "z");
    ASSERT_TRUE(host_->runtime().files().remove(path));
    ASSERT_TRUE(host_->runtime().files().sync_folder("/data"));
    lose_power();
    ASSERT_FALSE(host_->disk().exists(path));
  }
  EXPECT_GT(gone, 0);
  EXPECT_GT(back, 0);
}

TEST_P(VirtualDiskTest, ASlowDiskHoldsUpTheNextJob) {
  DiskFaults faults;
  faults.latency_min = faults.latency_max = std::chrono::milliseconds(30);
  host_->disk().set_faults(faults);
  const auto file = open();
  const auto executor = host_->runtime().make_executor("test");
  bool done = false;
  executor->post([&] {
    host_->runtime().workers().run(
        *executor, [&] { ASSERT_TRUE(file->write_at(0, "x")); },
        [&] { host_->runtime().workers().run(*executor, [] {}, [&] { done = true; }); });
  });
  ASSERT_TRUE(world_->run_while_waiting([&] { return done; }));
  EXPECT_GE(world_->now().nanoseconds, 30'000'000);
}

INSTANTIATE_TEST_SUITE_P(Seeds, VirtualDiskTest, ::testing::Range(1, 9));

}  // namespace
}  // namespace keelway::runtime
