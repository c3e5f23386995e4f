#include "store/sqlite/sqlite.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <cstdlib>
#include <filesystem>
#include <set>

#include "runtime/virtual/world.h"

namespace keelway::store {
namespace {

using base::ErrorCode;

class SqliteTest : public testing::Test {
 protected:
  SqliteTest()
      : world_(runtime::make_world(5)),
        host_(world_->make_host("server")),
        executor_(host_->runtime().make_executor("test")) {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "keelway-sqlite-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    options_.path = folder_ + "/store.db";
  }
  ~SqliteTest() override { std::filesystem::remove_all(folder_); }

  void open() {
    auto engine = open_sqlite(host_->runtime(), options_);
    ASSERT_TRUE(engine) << engine.error().message;
    engine_ = std::move(*engine);
    keyspace_ = engine_->open("c", *executor_);
  }
  void close() {
    keyspace_.reset();
    engine_.reset();
  }

  static Transaction put(const std::string& key, const std::string& value) {
    Transaction transaction;
    transaction.puts.push_back({key, std::make_shared<const std::string>(value), {}});
    return transaction;
  }
  // Hands over all transactions at once and answers what came back, in order.
  std::vector<base::Result<TransactionResult>> transact(std::vector<Transaction> transactions) {
    std::vector<base::Result<TransactionResult>> results;
    executor_->post([&] {
      for (Transaction& transaction : transactions) {
        keyspace_->transact(std::move(transaction),
                            [&](auto result) { results.push_back(std::move(result)); });
      }
    });
    EXPECT_TRUE(world_->run_while_waiting([&] { return results.size() == transactions.size(); }));
    return results;
  }
  base::Result<RangeResult> range(Revision revision = 0) {
    std::optional<base::Result<RangeResult>> result;
    executor_->post([&] {
      RangeRequest request;
      request.revision = revision;
      keyspace_->range(request, [&](auto answer) { result = std::move(answer); });
    });
    EXPECT_TRUE(world_->run_while_waiting([&] { return result.has_value(); }));
    return std::move(*result);
  }

  // A statement on the file beside the engine.
  std::int64_t sql(const char* text) {
    sqlite3* handle = nullptr;
    EXPECT_EQ(sqlite3_open(options_.path.c_str(), &handle), SQLITE_OK);
    std::int64_t answer = 0;
    char* message = nullptr;
    sqlite3_exec(
        handle, text,
        [](void* to, int, char** columns, char**) {
          *static_cast<std::int64_t*>(to) = std::atoll(columns[0]);
          return 0;
        },
        &answer, &message);
    EXPECT_EQ(message, nullptr) << message;
    sqlite3_close(handle);
    return answer;
  }

  std::unique_ptr<runtime::World> world_;
  std::unique_ptr<runtime::Host> host_;
  std::unique_ptr<runtime::Executor> executor_;
  std::string folder_;
  SqliteOptions options_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Keyspace> keyspace_;
};

TEST_F(SqliteTest, AFailedCommitIsNeverTurnedIntoSuccess) {
  open();
  ASSERT_TRUE(transact({put("a", "1")})[0]);
  sql("CREATE TRIGGER poison BEFORE INSERT ON log WHEN NEW.key = CAST('poison' AS BLOB)"
      " BEGIN SELECT RAISE(ABORT, 'planted'); END");
  std::vector<Revision> seen;
  std::unique_ptr<Watch> watch;
  executor_->post([&] {
    WatchRequest request;
    request.on_events = [&](const EventBatch& batch) { seen.push_back(batch.revision); };
    watch = keyspace_->watch(std::move(request));
  });
  const auto results = transact({put("b", "1"), put("poison", "1"), put("c", "1")});
  // The first one may have been committed by itself; the others were validated upon it.
  EXPECT_FALSE(results[1]);
  EXPECT_FALSE(results[2]);
  EXPECT_NE(results[1].error().message.find("planted"), std::string::npos);
  sql("DROP TRIGGER poison");
  const auto later = transact({put("d", "1")});
  ASSERT_FALSE(later[0]) << "the cause is gone, the failure stays";
  EXPECT_EQ(later[0].error().code, ErrorCode::unavailable);
  const std::size_t committed = results[0] ? 2 : 1;
  EXPECT_EQ(range()->entries.size(), committed) << "reads go on at what is on disk";
  world_->run_for(std::chrono::seconds(1));
  EXPECT_EQ(seen.back(), static_cast<Revision>(committed));
  executor_->post([&] { watch.reset(); });
  world_->run_for(std::chrono::seconds(1));
  close();
  open();
  EXPECT_EQ(range()->entries.size(), committed);
  EXPECT_EQ(transact({put("d", "1")})[0]->revision, static_cast<Revision>(committed) + 1);
}

TEST_F(SqliteTest, WhatItWasGivenIsOnDiskWhenItCloses) {
  open();
  executor_->post([&] {
    for (int i = 0; i < 100; ++i) {
      keyspace_->transact(put("k" + std::to_string(i), "v"), [](auto) { FAIL(); });
    }
    keyspace_.reset();
  });
  ASSERT_TRUE(world_->run_while_waiting([&] { return keyspace_ == nullptr; }));
  close();
  open();
  EXPECT_EQ(range()->entries.size(), 100u);
}

TEST_F(SqliteTest, TheLogDoesNotGrowWithoutBound) {
  options_.garbage_min = 100;
  options_.history_min = 50;
  options_.reclaim_step = 16;
  open();
  for (int i = 0; i < 60; ++i) {
    std::vector<Transaction> batch;
    for (int k = 0; k < 20; ++k) batch.push_back(put("k" + std::to_string(k), std::to_string(i)));
    for (const auto& result : transact(std::move(batch))) ASSERT_TRUE(result);
  }
  world_->run_for(std::chrono::seconds(5));
  EXPECT_LE(sql("SELECT count(*) FROM log"), 20 + 100 + 20);
  EXPECT_GE(sql("SELECT count(*) FROM log"), 20 + 50);
  EXPECT_EQ(range(0)->entries.size(), 20u);
  EXPECT_EQ(range(1'200 - 49)->entries.size(), 20u);
  EXPECT_EQ(range(100).error().code, ErrorCode::expired);
  close();
  open();
  EXPECT_EQ(range(100).error().code, ErrorCode::expired);
  EXPECT_EQ(*range()->entries.at(3).value, "59");
}

TEST_F(SqliteTest, DroppedRowsGoInSmallStepsAndGoOnAfterARestart) {
  options_.reclaim_step = 10;
  open();
  std::vector<Transaction> batch;
  for (int i = 0; i < 500; ++i) batch.push_back(put("k" + std::to_string(i), "v"));
  transact(std::move(batch));
  bool dropped = false;
  executor_->post([&] { engine_->drop("c", *executor_, [&](auto) { dropped = true; }); });
  ASSERT_TRUE(world_->run_while_waiting([&] { return dropped; }));
  EXPECT_GT(sql("SELECT count(*) FROM log"), 0) << "not all at once";
  close();
  open();
  EXPECT_EQ(range()->entries.size(), 0u);
  transact({put("k", "new")});
  world_->run_for(std::chrono::seconds(5));
  EXPECT_EQ(sql("SELECT count(*) FROM log"), 1);
  EXPECT_EQ(range()->entries.size(), 1u);
}

TEST_F(SqliteTest, ASlowWatchReadsTheLog) {
  open();
  std::vector<Revision> seen;
  std::unique_ptr<Watch> watch;
  executor_->post([&] {
    WatchRequest request;
    request.on_events = [&](const EventBatch& batch) {
      for (const Event& event : batch.events) seen.push_back(event.entry.modified);
    };
    watch = keyspace_->watch(std::move(request));
  });
  // More than a feed's tail holds, committed while the watch's executor does not run: the
  // answers of one task's transactions come after them all.
  for (int round = 0; round < 3; ++round) {
    std::vector<Transaction> batch;
    for (int i = 0; i < 9'000; ++i) batch.push_back(put("k" + std::to_string(i % 50), "v"));
    transact(std::move(batch));
  }
  world_->run_for(std::chrono::seconds(5));
  ASSERT_EQ(seen.size(), 27'000u);
  for (std::size_t i = 0; i < seen.size(); ++i) {
    ASSERT_EQ(seen[i], static_cast<Revision>(i) + 1);
  }
  executor_->post([&] { watch.reset(); });
  world_->run_for(std::chrono::seconds(1));
}

TEST_F(SqliteTest, TheWriteAheadLogStaysSmall) {
  options_.checkpoint_pages = 32;
  open();
  const std::string value(2'000, 'v');
  for (int round = 0; round < 40; ++round) {
    std::vector<Transaction> batch;
    for (int i = 0; i < 50; ++i) batch.push_back(put("k" + std::to_string(i), value));
    transact(std::move(batch));
  }
  EXPECT_LT(std::filesystem::file_size(options_.path + "-wal"), 2u << 20);
  EXPECT_GT(std::filesystem::file_size(options_.path), 3u << 20);
}

// Erased rows leave holes between those that stay; SQLite merges pages that get too empty and takes
// free ones first, so the file is bounded by what lives and what history holds.
TEST_F(SqliteTest, TheFileDoesNotGrowUnderChurn) {
  options_.garbage_min = 200;
  options_.history_min = 100;
  options_.reclaim_step = 64;
  options_.checkpoint_pages = 32;
  open();
  const std::string value(1'000, 'v');
  std::int64_t early = 0;
  for (int round = 0; round < 120; ++round) {
    std::vector<Transaction> batch;
    // One that stays among twenty that do not: the worst that a page can hold.
    batch.push_back(put("stays" + std::to_string(round % 100), value));
    for (int k = 0; k < 100; ++k) batch.push_back(put("k" + std::to_string(k % 25), value));
    transact(std::move(batch));
    world_->run_for(std::chrono::milliseconds(100));
    if (round == 40) early = sql("PRAGMA page_count");
  }
  world_->run_for(std::chrono::seconds(5));
  const std::int64_t pages = sql("PRAGMA page_count");
  EXPECT_LT(pages, 3 * early) << "12,000 writes of a kilobyte would be 1,500 pages";
  EXPECT_LT(pages, 400);
  const std::int64_t rows = sql("SELECT count(*) FROM log");
  EXPECT_LT(rows, 700);
}

TEST_F(SqliteTest, ForeignAndNewerFilesAreRefusedInWords) {
  open();
  close();
  sql("PRAGMA user_version=9");
  auto engine = open_sqlite(host_->runtime(), options_);
  ASSERT_FALSE(engine);
  EXPECT_NE(engine.error().message.find("format 9"), std::string::npos);
  options_.path = folder_ + "/missing/store.db";
  engine = open_sqlite(host_->runtime(), options_);
  ASSERT_FALSE(engine);
  EXPECT_NE(engine.error().message.find(options_.path), std::string::npos);
}

// The columns of a row are not sealed: a flipped bit may say anything.
TEST_F(SqliteTest, ARowThatNoServerWroteIsRefused) {
  for (const char* change :
       {"revision=-1", "revision=0", "revision=9223372036854775807", "revision=1", "created=-1",
        "created=revision+1", "expires_us=-1", "expires_us=9223372036854775807",
        "created=0, expires_us=1", "key=x''", "position=9223372036854775807", "position=-1",
        "position=position+1099511627000"}) {
    open();
    transact({put("a", "1"), put("b", "2"), put("a", "3")});
    close();
    sqlite3* file = nullptr;
    ASSERT_EQ(sqlite3_open(options_.path.c_str(), &file), SQLITE_OK);
    const std::string sql =
        std::string("UPDATE log SET ") + change + " WHERE position=(SELECT max(position) FROM log)";
    EXPECT_EQ(sqlite3_exec(file, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sql;
    sqlite3_close(file);
    const auto opened = open_sqlite(host_->runtime(), options_);
    ASSERT_FALSE(opened) << change;
    EXPECT_NE(opened.error().message.find("the database is damaged: "), std::string::npos)
        << opened.error().message;
    for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(options_.path + end);
  }
}

}  // namespace
}  // namespace keelway::store
