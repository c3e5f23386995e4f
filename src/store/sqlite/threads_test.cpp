// The embedded store on real threads: the one place where its locks matter.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <future>

#include "runtime/linux/linux_runtime.h"
#include "store/sqlite/sqlite.h"

namespace keelway::store {
namespace {

// One keyspace's client on an executor of its own: counters by compare-and-set, a watch beside.
struct Client {
  Client(runtime::Runtime& runtime, Engine& engine, const std::string& name, int wanted)
      : executor(runtime.make_executor(name)), target(wanted) {
    executor->post([this, &engine, name] {
      keyspace = engine.open(name, *executor);
      WatchRequest request;
      request.on_events = [this](const EventBatch& batch) { hear(batch); };
      watch = keyspace->watch(std::move(request));
      for (int i = 0; i < 4; ++i) step();
    });
  }

  void step() {
    RangeRequest request;
    request.prefix = "n";
    keyspace->range(request, [this](base::Result<RangeResult> now) {
      const auto& entries = now->entries;
      const int value = entries.empty() ? 0 : std::stoi(*entries[0].value);
      Transaction change;
      change.compares.push_back({"n", entries.empty() ? 0 : entries[0].modified});
      change.puts.push_back(
          {"n", std::make_shared<const std::string>(std::to_string(value + 1)), {}});
      change.puts.push_back(
          {"x" + std::to_string(value % 50), std::make_shared<const std::string>(300, 'x'), {}});
      keyspace->transact(std::move(change), [this](base::Result<TransactionResult> result) {
        if (result && result->committed) ++won;
        if (won < target) step();
        tell_if_done();
      });
    });
  }

  void hear(const EventBatch& batch) {
    for (const Event& event : batch.events) {
      if (event.entry.key != "n") continue;
      in_order = in_order && std::stoi(*event.entry.value) == heard + 1;
      heard = std::stoi(*event.entry.value);
    }
    tell_if_done();
  }

  // An event may be heard before the answer to the write that made it, and the other way round.
  void tell_if_done() {
    if (told || heard < target || won < target) return;
    told = true;
    done.set_value();
  }

  void close() {
    std::promise<void> closed;
    executor->post([&] {
      watch.reset();
      keyspace.reset();
      closed.set_value();
    });
    closed.get_future().wait();
  }

  std::unique_ptr<runtime::Executor> executor;
  std::unique_ptr<Keyspace> keyspace;
  std::unique_ptr<Watch> watch;
  const int target;
  int won = 0, heard = 0;
  bool in_order = true, told = false;
  std::promise<void> done;
};

TEST(SqliteThreadsTest, ClientsOnSeveralThreadsShareOneFile) {
  std::string folder = (std::filesystem::temp_directory_path() / "keelway-threads-XXXXXX").string();
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  auto runtime = runtime::make_linux_runtime({});
  SqliteOptions options;
  options.path = folder + "/store.db";
  options.garbage_min = 200;
  options.history_min = 100;
  options.checkpoint_pages = 16;
  auto engine = open_sqlite(*runtime, options);
  ASSERT_TRUE(engine) << engine.error().message;
  {
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 0; i < 4; ++i) {
      clients.push_back(
          std::make_unique<Client>(*runtime, **engine, "cluster" + std::to_string(i), 400));
    }
    for (auto& client : clients) {
      client->done.get_future().wait();
      client->close();
      EXPECT_TRUE(client->in_order);
      EXPECT_GE(client->won, 400);
    }
  }
  engine->reset();
  engine = open_sqlite(*runtime, options);
  ASSERT_TRUE(engine) << engine.error().message;
  engine->reset();
  runtime.reset();
  std::filesystem::remove_all(folder);
}

// A store in memory, its keyspace on one executor, and a look at it from another while that one is
// in the middle of a turn.
struct Turn {
  std::unique_ptr<runtime::LinuxRuntime> runtime = runtime::make_linux_runtime({});
  std::unique_ptr<Engine> engine = *open_sqlite(*runtime, {.path = ":memory:"});
  std::unique_ptr<runtime::Executor> writer = runtime->make_executor("writer");
  std::unique_ptr<runtime::Executor> reader =
      runtime->make_executor("reader", runtime::Lane::connections);
  std::unique_ptr<Keyspace> written, read;
  std::promise<void> all;
  int asked = 0, answered = 0;

  Turn() {
    runtime::run_and_wait(*writer, [this] { written = engine->open("one", *writer); });
    runtime::run_and_wait(*reader, [this] { read = engine->open("one", *reader); });
  }
  ~Turn() {
    runtime::run_and_wait(*writer, [this] { written.reset(); });
    runtime::run_and_wait(*reader, [this] { read.reset(); });
  }
  void write(int count) {
    asked += count;
    for (int i = 0; i < count; ++i) {
      Transaction put;
      put.puts.push_back({"k", std::make_shared<const std::string>("v"), {}});
      written->transact(std::move(put), [this](base::Result<TransactionResult> result) {
        EXPECT_TRUE(result);
        if (++answered == asked) all.set_value();
      });
    }
  }
  Revision head() {
    auto told = std::make_shared<std::promise<Revision>>();  // the setter may end after the waiter
    reader->post([this, told] {
      read->head([told](base::Result<Revision> head) { told->set_value(head.value_or(-1)); });
    });
    return told->get_future().get();
  }
};

TEST(SqliteThreadsTest, WritesOfOneTurnShareACommit) {
  Turn turn;
  turn.writer->post([&] {
    turn.write(2);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_EQ(turn.head(), 0) << "the first was committed alone";
    turn.write(2);
  });
  turn.all.get_future().wait();
  EXPECT_EQ(turn.head(), 4);
}

TEST(SqliteThreadsTest, ALongTurnDoesNotHoldUpItsWrites) {
  Turn turn;
  turn.writer->post([&] {
    turn.write(100);
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (turn.head() == 0 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
    EXPECT_GT(turn.head(), 0);
  });
  turn.all.get_future().wait();
  EXPECT_EQ(turn.head(), 100);
}

TEST(SqliteThreadsTest, WhatATurnWroteIsCommittedThoughItsKeyspaceIsClosed) {
  Turn turn;
  runtime::run_and_wait(*turn.writer, [&] {
    turn.write(1);
    turn.written.reset();
  });
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (turn.head() == 0 && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  EXPECT_EQ(turn.head(), 1);
  EXPECT_EQ(turn.answered, 0);
}

}  // namespace
}  // namespace keelway::store
