#include "store/sqlite/upkeep.h"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "runtime/virtual/world.h"
#include "store/sqlite/sqlite.h"

namespace keelway::store {
namespace {

class UpkeepTest : public testing::Test {
 protected:
  UpkeepTest()
      : world_(runtime::make_world(5)),
        host_(world_->make_host("server")),
        executor_(host_->runtime().make_executor("test")) {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "keelway-upkeep-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    ring_.keys[1] = std::string(32, 'k');
    ring_.current = 1;
    seal_ = *Seal::make(host_->runtime(), ring_);
  }
  ~UpkeepTest() override {
    close();
    std::filesystem::remove_all(folder_);
  }

  std::string path(const std::string& name = "store.db") const { return folder_ + "/" + name; }
  void open(const std::string& file) {
    SqliteOptions options;
    options.path = file;
    options.garbage_min = 40;
    options.history_min = 20;
    auto engine = open_sqlite(host_->runtime(), options);
    ASSERT_TRUE(engine) << engine.error().message;
    engine_ = *make_sealed(std::move(*engine), host_->runtime(), ring_);
    keyspace_ = engine_->open("c", *executor_);
  }
  void close() {
    keyspace_.reset();
    engine_.reset();
    world_->run_for(std::chrono::seconds(1));  // jobs that still hold the file
  }
  void write(int count) {
    int done = 0;
    executor_->post([&] {
      for (int i = 0; i < count; ++i) {
        Transaction transaction;
        const std::string key = "k" + std::to_string(i % 30);
        if (i % 7 == 6)
          transaction.deletes.push_back({key});
        else
          transaction.puts.push_back(
              {key, std::make_shared<const std::string>(100 + i, 'v'), std::nullopt});
        keyspace_->transact(std::move(transaction), [&](auto result) { done += result ? 1 : 0; });
      }
    });
    ASSERT_TRUE(world_->run_while_waiting([&] { return done == count; }));
  }
  RangeResult range() {
    std::optional<base::Result<RangeResult>> result;
    executor_->post(
        [&] { keyspace_->range({}, [&](auto answer) { result = std::move(answer); }); });
    EXPECT_TRUE(world_->run_while_waiting([&] { return result.has_value(); }));
    return std::move(**result);
  }
  void sql(const std::string& text) {
    sqlite3* handle = nullptr;
    ASSERT_EQ(sqlite3_open(path().c_str(), &handle), SQLITE_OK);
    char* message = nullptr;
    sqlite3_exec(handle, text.c_str(), nullptr, nullptr, &message);
    EXPECT_EQ(message, nullptr) << message;
    sqlite3_close(handle);
  }
  DatabaseFacts check() {
    auto facts = check_database(path(), seal_.get());
    EXPECT_TRUE(facts) << facts.error().message;
    return facts ? std::move(*facts) : DatabaseFacts{};
  }
  // The one finding.
  Finding finding() {
    const DatabaseFacts facts = check();
    EXPECT_EQ(facts.findings.size(), 1u);
    return facts.findings.empty() ? Finding{} : facts.findings[0];
  }
  void make_empty(const std::string& file) { std::ofstream(file).close(); }

  std::unique_ptr<runtime::World> world_;
  std::unique_ptr<runtime::Host> host_;
  std::unique_ptr<runtime::Executor> executor_;
  std::string folder_;
  KeyRing ring_;
  std::shared_ptr<const Seal> seal_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Keyspace> keyspace_;
};

TEST_F(UpkeepTest, ASoundDatabaseIsSoundAlsoWhileItIsUsed) {
  open(path());
  write(500);
  const DatabaseFacts facts = check();
  EXPECT_TRUE(facts.findings.empty()) << facts.findings[0].what;
  ASSERT_EQ(facts.keyspaces.size(), 1u);
  EXPECT_EQ(facts.keyspaces[0].name, "c");
  EXPECT_EQ(facts.keyspaces[0].keys, range().entries.size());
  EXPECT_EQ(facts.keyspaces[0].revision, range().revision);
  EXPECT_GT(facts.keyspaces[0].compacted, 0) << "compaction was part of it";
  EXPECT_GT(facts.values, 20u);
}

TEST_F(UpkeepTest, AFlippedBitIsFoundAndNamedByKey) {
  open(path());
  write(20);
  close();
  sql("UPDATE log SET value=CAST(substr(value,1,30)||x'00'||substr(value,32) AS BLOB) WHERE "
      "key=x'6b33'");
  const Finding found = finding();
  EXPECT_EQ(found.keyspace, "c");
  EXPECT_EQ(found.key, "k3");
  EXPECT_GT(found.revision, 0);
  open(path());
  write(20);
  EXPECT_TRUE(check().findings.empty()) << "written anew";
  EXPECT_EQ(check().broken_history, 1u);
}

TEST_F(UpkeepTest, WhatTheLogMayNotSayIsFound) {
  const std::vector<std::pair<std::string, std::string>> damages = {
      {"UPDATE log SET revision=2 WHERE position=(1<<40)+10", "goes back"},
      {"UPDATE log SET created=revision+5 WHERE position=(1<<40)+10", "created at"},
      {"UPDATE log SET previous=(1<<40)+900 WHERE position=(1<<40)+10", "a later version"},
      {"UPDATE log SET created=0 WHERE position=(1<<40)+10", "neither a value"},
      {"UPDATE log SET previous=0 WHERE position=(1<<40)+36", "does not follow"}};
  for (const auto& [damage, words] : damages) {
    std::filesystem::remove(path());
    open(path());
    write(40);
    close();
    ASSERT_TRUE(check().findings.empty());
    sql(damage);
    std::string all;
    for (const Finding& found : check().findings) all += found.key + ": " + found.what + "\n";
    EXPECT_NE(all.find(words), std::string::npos) << damage << ": " << all;
  }
}

TEST_F(UpkeepTest, ADamagedPageIsFound) {
  open(path());
  write(300);
  close();
  std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(8192 * 3);
  file.write(std::string(200, '\xff').data(), 200);
  file.close();
  EXPECT_FALSE(check().findings.empty());
}

TEST_F(UpkeepTest, ABackupIsAMomentWithWhatIsAttached) {
  open(path());
  write(300);
  const RangeResult before = range();
  make_empty(path("backup"));
  const auto backed = back_up_database(path(), path("backup"), {{"seal.key", "secret"}});
  ASSERT_TRUE(backed) << backed.error().message;
  write(50);
  close();
  make_empty(path("restored.db"));
  const auto attached = restore_database(path("backup"), path("restored.db"));
  ASSERT_TRUE(attached) << attached.error().message;
  EXPECT_EQ(attached->at("seal.key"), "secret");
  const auto facts = check_database(path("restored.db"), seal_.get());
  ASSERT_TRUE(facts) << facts.error().message;
  EXPECT_TRUE(facts->findings.empty());
  open(path("restored.db"));
  const RangeResult after = range();
  EXPECT_EQ(after.revision, before.revision);
  ASSERT_EQ(after.entries.size(), before.entries.size());
  for (std::size_t i = 0; i < after.entries.size(); ++i) {
    EXPECT_EQ(*after.entries[i].value, *before.entries[i].value);
  }
  write(10);
}

TEST_F(UpkeepTest, WhatIsNoDatabaseIsRefused) {
  std::ofstream(path()) << "not a database at all, and longer than a header of SQLite is "
                        << folder_ << std::string(200, '.');
  EXPECT_FALSE(check_database(path(), seal_.get()));
  EXPECT_FALSE(check_database(path("missing"), seal_.get()));
  make_empty(path("to"));
  EXPECT_FALSE(restore_database(path(), path("to")));
}

}  // namespace
}  // namespace keelway::store
