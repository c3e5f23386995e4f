// For tests of this room: a cache over a store in memory, whose feed can be broken.
#pragma once

#include <gtest/gtest.h>

#include "runtime/virtual/world.h"
#include "store/memory/memory.h"
#include "watch/cache.h"
#include "watch/keys.h"

namespace keelway::watch {
using base::ErrorCode;
using std::chrono::milliseconds;
using std::chrono::seconds;

// A keyspace whose watches can be broken, and which stays broken for a while if wanted.
class BreakableKeyspace final : public store::Keyspace {
 public:
  explicit BreakableKeyspace(std::unique_ptr<Keyspace> inner) : inner_(std::move(inner)) {}
  void transact(store::Transaction transaction, Committed done) override {
    inner_->transact(std::move(transaction), std::move(done));
  }
  void range(store::RangeRequest request, Ranged done) override {
    ++ranges;
    if (failing_ranges > 0) {
      --failing_ranges;
      request.revision = 1'000'000;  // of the future: refused
    }
    inner_->range(std::move(request), std::move(done));
  }
  std::unique_ptr<store::Watch> watch(store::WatchRequest request) override {
    auto on_end = std::move(request.on_end);
    end = [this, on_end = std::move(on_end)](base::Error error) mutable {
      live_->silent = true;
      on_end(std::move(error));
    };
    live_ = std::make_shared<Live>();
    request.on_events = [live = live_, sink = std::move(request.on_events)](
                            const store::EventBatch& batch) mutable {
      if (!live->silent) sink(batch);
    };
    request.on_end = [this, live = live_](base::Error error) {
      if (!live->silent) end(std::move(error));
    };
    return inner_->watch(std::move(request));
  }
  void head(std::move_only_function<void(base::Result<store::Revision>)> done) override {
    inner_->head(std::move(done));
  }
  void compact(store::Revision revision,
               std::move_only_function<void(base::Result<void>)> done) override {
    inner_->compact(revision, std::move(done));
  }

  void silence() { live_->silent = true; }
  std::move_only_function<void(base::Error)> end;
  int failing_ranges = 0;
  int ranges = 0;

 private:
  struct Live {
    bool silent = false;
  };
  std::unique_ptr<Keyspace> inner_;
  std::shared_ptr<Live> live_;
};

// What a subscription heard, as "+a@3 ~a@4 -a@5".
struct Sink {
  std::string text;
  std::vector<Revision> revisions;
  std::vector<base::Error> ends;
  std::unique_ptr<CacheSubscription> handle;
};

class CacheTest : public testing::Test {
 protected:
  CacheTest()
      : world_(runtime::make_world(7)),
        host_(world_->make_host("server")),
        executor_(host_->runtime().make_executor("api")),
        engine_(store::make_memory(host_->runtime())),
        keyspace_(std::make_unique<BreakableKeyspace>(engine_->open("cluster", *executor_))) {}

  void run(std::function<void()> task) {
    bool ran = false;
    executor_->post([&] {
      task();
      ran = true;
    });
    ASSERT_TRUE(world_->run_while_waiting([&] { return ran; }));
  }

  void start(CacheLimits limits = {}) {
    cache_ = std::make_unique<Cache>(*executor_, *keyspace_, limits);
    run([&] { cache_->start([&](base::Result<void> result) { EXPECT_TRUE(result); }); });
    ASSERT_TRUE(world_->run_while_waiting([&] { return cache_->ready(); }));
  }

  // Writes and waits until the store has answered; the cache may lag.
  Revision write(store::Transaction transaction) {
    Revision revision = 0;
    run([&] {
      keyspace_->transact(std::move(transaction), [&](auto result) {
        EXPECT_TRUE(result && result->committed);
        revision = result->revision;
      });
    });
    EXPECT_TRUE(world_->run_while_waiting([&] { return revision != 0; }));
    return revision;
  }
  static store::Bytes document(const std::string& name, const std::string& uid) {
    return std::make_shared<const std::string>(R"({"metadata":{"name":")" + name + R"(","uid":")" +
                                               uid + R"("}})");
  }
  Revision put(const std::string& key, const std::string& uid = "u") {
    store::Transaction transaction;
    transaction.puts.push_back({key, document(std::string(split_key(key).name), uid), {}});
    return write(std::move(transaction));
  }
  Revision remove(const std::string& key) {
    store::Transaction transaction;
    transaction.deletes.push_back({key});
    return write(std::move(transaction));
  }
  void settle() { world_->run_for(milliseconds(100)); }

  static void note(Sink& sink, const CacheBatch& batch) {
    for (const CacheEventPtr& event : batch.events) {
      if (!sink.text.empty()) sink.text += ' ';
      const char marks[] = {'+', '~', '-'};
      sink.text += marks[static_cast<int>(event->type)];
      sink.text += event->object->name() + "@" + std::to_string(event->revision);
      EXPECT_EQ(event->object->revision(), event->revision);
      EXPECT_EQ(event->type == CacheEvent::Type::added, event->previous == nullptr);
    }
    sink.revisions.push_back(batch.revision);
  }
  std::unique_ptr<Sink> subscribe(const std::string& prefix, Revision after,
                                  bool takes_differences = false) {
    auto sink = std::make_unique<Sink>();
    run([&, to = sink.get()] {
      SubscribeRequest request;
      request.prefix = prefix;
      request.after = after;
      request.takes_differences = takes_differences;
      request.on_batch = [to](const CacheBatch& batch) { note(*to, batch); };
      request.on_end = [to](base::Error error) { to->ends.push_back(std::move(error)); };
      auto handle = cache_->subscribe(std::move(request));
      if (handle)
        to->handle = std::move(*handle);
      else
        to->ends.push_back(handle.error());
      EXPECT_TRUE(to->text.empty()) << "delivered inside the call";
    });
    return sink;
  }
  std::string list(const std::string& prefix, Revision revision = 0,
                   const std::string& start_after = "", int limit = 1000) {
    std::string text;
    const auto result = cache_->scan(
        {prefix, start_after, revision}, [&](std::string_view key, const ObjectPtr& object) {
          if (!text.empty()) text += ' ';
          text += std::string(split_key(key).name) + "@" + std::to_string(object->revision());
          return --limit > 0;
        });
    return result ? text : result.error().message;
  }

  std::unique_ptr<runtime::World> world_;
  std::unique_ptr<runtime::Host> host_;
  std::unique_ptr<runtime::Executor> executor_;
  std::unique_ptr<store::Engine> engine_;
  std::unique_ptr<BreakableKeyspace> keyspace_;
  std::unique_ptr<Cache> cache_;
};

inline const std::string pods = resource_prefix("", "pods");
inline const std::string a = store_key("", "pods", "default", "a");
inline const std::string b = store_key("", "pods", "default", "b");
inline const std::string c = store_key("", "pods", "system", "c");
inline const std::string ab = store_key("", "pods", "default", "ab");
inline const std::string node = store_key("", "nodes", "", "n");

}  // namespace keelway::watch
