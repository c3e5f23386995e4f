#include "watch/cache.h"

#include <gtest/gtest.h>

#include "runtime/virtual/world.h"
#include "store/memory/memory.h"

namespace keelway::watch {
namespace {

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
  std::unique_ptr<Sink> subscribe(const std::string& prefix, Revision after) {
    auto sink = std::make_unique<Sink>();
    run([&, to = sink.get()] {
      SubscribeRequest request;
      request.prefix = prefix;
      request.after = after;
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

const std::string pods = resource_prefix("", "pods");
const std::string a = store_key("", "pods", "default", "a");
const std::string b = store_key("", "pods", "default", "b");
const std::string c = store_key("", "pods", "system", "c");
const std::string ab = store_key("", "pods", "default", "ab");
const std::string node = store_key("", "nodes", "", "n");

TEST(KeysTest, KeysNameObjects) {
  EXPECT_EQ(a, "/core/pods/default/a");
  EXPECT_EQ(node, "/core/nodes//n");
  EXPECT_EQ(store_key("apps", "deployments", "x", "y"), "/apps/deployments/x/y");
  const KeyParts parts = split_key(node);
  EXPECT_EQ(parts.group, "");
  EXPECT_EQ(parts.resource, "nodes");
  EXPECT_EQ(parts.name_space, "");
  EXPECT_EQ(parts.name, "n");
  EXPECT_EQ(split_key("/short").group, "short");
  EXPECT_EQ(resource_prefix_of(a), pods);
  EXPECT_EQ(namespace_prefix_of(a), "/core/pods/default/");
  EXPECT_EQ(resource_prefix_of("/short"), "/short");
}

// An event reaches those who wait for the text that a field has now, or had before, and nobody
// else; in one batch the events of one subscriber keep their order.
TEST_F(CacheTest, AFieldNarrowsWhatIsDelivered) {
  start();
  const auto put_uid = [&](const std::string& key, const std::string& uid) { put(key, uid); };
  const auto narrow = [&](const std::string& text) {
    auto sink = std::make_unique<Sink>();
    run([&, to = sink.get()] {
      SubscribeRequest request;
      request.prefix = pods;
      request.field = "metadata.uid";
      request.text = text;
      request.on_batch = [to](const CacheBatch& batch) { note(*to, batch); };
      request.on_end = [to](base::Error error) { to->ends.push_back(std::move(error)); };
      to->handle = cache_->subscribe(std::move(request)).value();
    });
    return sink;
  };
  const auto x = narrow("x"), y = narrow("y"), other = narrow("z");
  const auto all = subscribe(pods, 0);
  put_uid(a, "x");
  put_uid(b, "y");
  put_uid(a, "y");
  put_uid(node, "x");
  remove(a);
  settle();
  EXPECT_EQ(x->text, "+a@1 ~a@3");
  EXPECT_EQ(y->text, "+b@2 ~a@3 -a@5");
  EXPECT_EQ(other->text, "");
  EXPECT_EQ(all->text, "+a@1 +b@2 ~a@3 -a@5");
  run([&] { x->handle.reset(); });
  put_uid(c, "x");
  put_uid(c, "y");
  settle();
  EXPECT_EQ(x->text, "+a@1 ~a@3");
  EXPECT_EQ(y->text, "+b@2 ~a@3 -a@5 ~c@7");
}

TEST_F(CacheTest, StartsWithWhatIsThereAndFollows) {
  put(a);
  put(node);
  put(c);
  CacheLimits limits;
  limits.page = 1;
  limits.replayed_max = 0;
  start(limits);
  EXPECT_EQ(cache_->revision(), 3);
  EXPECT_EQ(cache_->oldest_revision(), 3);
  EXPECT_EQ(list(pods), "a@1 c@3");
  EXPECT_EQ(list(""), "n@2 a@1 c@3");
  EXPECT_EQ(list("/core/pods/def"), "a@1");
  put(b);
  remove(a);
  settle();
  EXPECT_EQ(list(pods), "b@4 c@3");
  EXPECT_EQ(cache_->revision(), 5);
  EXPECT_EQ(cache_->get(a), nullptr);
  ASSERT_NE(cache_->get(b), nullptr);
  EXPECT_EQ(cache_->get(b)->name(), "b");
  EXPECT_EQ(cache_->count(pods), 2u);
  EXPECT_EQ(cache_->count("/core/pods/default/"), 1u);
  EXPECT_EQ(cache_->count(""), 3u);
  EXPECT_EQ(list(pods, 0, b), "c@3");
}

TEST_F(CacheTest, ObjectsShareTheBytesOfTheStore) {
  start();
  const store::Bytes bytes = document("a", "u");
  store::Transaction transaction;
  transaction.puts.push_back({a, bytes, {}});
  write(std::move(transaction));
  settle();
  EXPECT_EQ(cache_->get(a)->shared_bytes(), bytes);
}

TEST_F(CacheTest, ScansThePast) {
  start();
  put(a);     // 1
  put(b);     // 2
  put(a);     // 3
  put(c);     // 4
  remove(b);  // 5
  put(b);     // 6
  put(node);  // 7
  remove(a);  // 8
  settle();
  EXPECT_EQ(list(pods, 1), "a@1");
  EXPECT_EQ(list(pods, 2), "a@1 b@2");
  EXPECT_EQ(list(pods, 3), "a@3 b@2");
  EXPECT_EQ(list(pods, 4), "a@3 b@2 c@4");
  EXPECT_EQ(list(pods, 5), "a@3 c@4");
  EXPECT_EQ(list(pods, 7), "a@3 b@6 c@4");
  EXPECT_EQ(list(pods, 8), "b@6 c@4");
  EXPECT_EQ(list(pods, 4, a), "b@2 c@4");
  EXPECT_EQ(list(pods, 4, "", 2), "a@3 b@2");
  EXPECT_EQ(list("/core/pods/system/", 5), "c@4");
  EXPECT_EQ(list("", 5), "a@3 c@4");
  EXPECT_EQ(cache_->scan({pods, "", 9}, {}).error().code, ErrorCode::unavailable);
}

TEST_F(CacheTest, SubscriptionsGetTheirScopeOnceAndInOrder) {
  start();
  put(a);
  put(b);
  settle();
  const auto all = subscribe("", 0);
  const auto of_pods = subscribe(pods, 1);
  const auto of_namespace = subscribe("/core/pods/system/", 0);
  const auto of_one = subscribe(a, 2);
  const auto later = subscribe(pods, 5);
  put(ab);    // 3
  put(c);     // 4
  put(a);     // 5
  remove(a);  // 6
  put(node);  // 7
  settle();
  EXPECT_EQ(all->text, "+a@1 +b@2 +ab@3 +c@4 ~a@5 -a@6 +n@7");
  EXPECT_EQ(of_pods->text, "+b@2 +ab@3 +c@4 ~a@5 -a@6");
  EXPECT_EQ(of_namespace->text, "+c@4");
  EXPECT_EQ(of_one->text, "~a@5 -a@6");
  EXPECT_EQ(later->text, "-a@6");
  for (const Sink* sink : {all.get(), of_pods.get(), of_one.get()}) {
    EXPECT_TRUE(std::is_sorted(sink->revisions.begin(), sink->revisions.end()));
    EXPECT_TRUE(sink->ends.empty());
  }
}

TEST_F(CacheTest, WhatHappensBetweenSubscribingAndTheBacklogComesOnce) {
  start();
  put(a);
  settle();
  const auto sink = std::make_unique<Sink>();
  run([&] {
    for (const std::string& key : {b, c}) {
      store::Transaction transaction;
      transaction.puts.push_back({key, document(key, "u"), {}});
      keyspace_->transact(std::move(transaction), [](auto) {});
      SubscribeRequest request;
      request.prefix = pods;
      request.on_batch = [&](const CacheBatch& batch) { note(*sink, batch); };
      sink->handle = std::move(*cache_->subscribe(std::move(request)));
    }
  });
  settle();
  EXPECT_EQ(sink->text, "+a@1 +" + b + "@2 +" + c + "@3");
}

TEST_F(CacheTest, ASubscriptionMayEndItselfAndOthersInACallback) {
  start();
  std::vector<std::unique_ptr<CacheSubscription>> handles(3);
  int calls = 0;
  run([&] {
    for (auto& handle : handles) {
      SubscribeRequest request;
      request.prefix = pods;
      request.on_batch = [&](const CacheBatch&) {
        ++calls;
        handles.clear();
      };
      handle = std::move(*cache_->subscribe(std::move(request)));
    }
  });
  put(a);
  put(b);
  settle();
  EXPECT_EQ(calls, 1);
}

TEST_F(CacheTest, TheWindowIsBoundedAndBeforeItIsExpired) {
  CacheLimits limits;
  limits.events_max = 3;
  start(limits);
  for (int i = 0; i < 5; ++i) put(a);
  settle();
  EXPECT_EQ(cache_->oldest_revision(), 2);
  EXPECT_EQ(list(pods, 2), "a@2");
  EXPECT_EQ(cache_->scan({pods, "", 1}, {}).error().code, ErrorCode::expired);
  const auto late = subscribe(pods, 1);
  ASSERT_EQ(late->ends.size(), 1u);
  EXPECT_EQ(late->ends[0].code, ErrorCode::expired);
  const auto fine = subscribe(pods, 2);
  settle();
  EXPECT_EQ(fine->text, "~a@3 ~a@4 ~a@5");
}

TEST_F(CacheTest, TheWindowIsBoundedInBytes) {
  CacheLimits limits;
  limits.bytes_max = 2'000;
  start(limits);
  for (int i = 0; i < 20; ++i) put(a);
  settle();
  EXPECT_GT(cache_->oldest_revision(), 10);
  EXPECT_EQ(list(pods), "a@20");
}

TEST_F(CacheTest, ObserversComeFirstAndSeeTheInitialState) {
  put(a);
  put(b);
  cache_ = std::make_unique<Cache>(*executor_, *keyspace_);
  std::string order;
  Sink seen;
  run([&] {
    seen.handle = cache_->observe([&](const CacheBatch& batch) {
      order += batch.initial ? "i" : "o";
      note(seen, batch);
    });
    cache_->start([&](base::Result<void>) { order += "r"; });
  });
  settle();
  EXPECT_EQ(seen.text, "+a@1 +b@2");
  std::unique_ptr<CacheSubscription> handle;
  run([&] {
    SubscribeRequest request;
    request.after = cache_->revision();
    request.on_batch = [&](const CacheBatch&) { order += "s"; };
    handle = std::move(*cache_->subscribe(std::move(request)));
  });
  put(c);
  settle();
  EXPECT_EQ(order, "iros");
  run([&] { seen.handle.reset(); });
  put(c);
  settle();
  EXPECT_EQ(order, "iross");
}

TEST_F(CacheTest, AStartReachesBackSoThatWatchersResume) {
  put(a);
  put(b);
  put(c);
  put(a);
  remove(b);
  put(ab);
  CacheLimits limits;
  limits.page = 1;
  limits.replayed_max = 3;
  cache_ = std::make_unique<Cache>(*executor_, *keyspace_, limits);
  Sink seen;
  run([&] {
    seen.handle = cache_->observe([&](const CacheBatch& batch) {
      EXPECT_TRUE(batch.initial) << "the past is not news";
      note(seen, batch);
    });
    cache_->start([](base::Result<void>) {});
  });
  settle();
  EXPECT_EQ(seen.text, "+a@4 +ab@6 +c@3");
  EXPECT_EQ(cache_->oldest_revision(), 3);
  EXPECT_EQ(list(pods), "a@4 ab@6 c@3");
  EXPECT_EQ(list(pods, 3), "a@1 b@2 c@3");
  const auto resumed = subscribe(pods, 4);
  settle();
  EXPECT_EQ(resumed->text, "-b@5 +ab@6");
  EXPECT_EQ(subscribe(pods, 2)->ends.at(0).code, ErrorCode::expired);
}

TEST_F(CacheTest, AStartReachesBackNoFurtherThanTheStore) {
  put(a);
  put(a);
  put(b);
  run([&] { keyspace_->compact(3, [](base::Result<void> done) { EXPECT_TRUE(done); }); });
  settle();
  for (const std::size_t wished : {std::size_t{1}, std::size_t{2}, std::size_t{1'000}}) {
    CacheLimits limits;
    limits.replayed_max = wished;
    start(limits);
    EXPECT_EQ(cache_->oldest_revision(), 3) << wished;
    EXPECT_EQ(list(pods), "a@2 b@3");
  }
  put(c);
  settle();
  EXPECT_EQ(list(pods), "a@2 b@3 c@4");
}

TEST_F(CacheTest, WaitsForARevision) {
  start();
  std::string order;
  std::unique_ptr<CacheSubscription> handle;
  run([&] {
    SubscribeRequest request;
    request.on_batch = [&](const CacheBatch& batch) {
      order += "e" + std::to_string(batch.revision);
    };
    handle = std::move(*cache_->subscribe(std::move(request)));
    cache_->wait_for(2, std::nullopt, [&](bool reached) { order += reached ? "w2" : "x"; });
    cache_->wait_for(9, seconds(5), [&](bool reached) { order += reached ? "x" : "t9"; });
    cache_->wait_for(0, std::nullopt, [&](bool reached) { order += reached ? "w0" : "x"; });
    EXPECT_EQ(order, "");
  });
  settle();
  EXPECT_EQ(order, "w0");
  put(a);
  put(b);
  settle();
  EXPECT_EQ(order, "w0e1e2w2");
  world_->run_for(seconds(6));
  EXPECT_EQ(order, "w0e1e2w2t9");
}

TEST_F(CacheTest, WaitFreshCatchesUpWithTheStore) {
  start();
  Revision fresh = 0;
  run([&] {
    store::Transaction transaction;
    transaction.puts.push_back({a, document("a", "u"), {}});
    keyspace_->transact(std::move(transaction), [](auto) {});
    cache_->wait_fresh(seconds(5), [&](base::Result<Revision> result) {
      fresh = result.value_or(-1);
      EXPECT_NE(cache_->get(a), nullptr);
    });
  });
  ASSERT_TRUE(world_->run_while_waiting([&] { return fresh != 0; }));
  EXPECT_EQ(fresh, 1);
  keyspace_->silence();
  put(b);
  bool failed = false;
  run([&] {
    cache_->wait_fresh(seconds(5), [&](base::Result<Revision> result) {
      failed = !result && result.error().code == ErrorCode::unavailable;
    });
  });
  world_->run_for(seconds(6));
  EXPECT_TRUE(failed);
}

TEST_F(CacheTest, ALostFeedIsMadeGoodByDifferences) {
  start();
  put(a, "u1");
  put(b, "u1");
  put(c, "u1");
  settle();
  const auto sink = subscribe(pods, 3);
  run([&] { keyspace_->silence(); });
  put(a, "u2");  // 4: modified
  remove(b);     // 5: made again
  put(b, "u2");  // 6
  put(ab);       // 7: new
  remove(c);     // 8
  put(node);     // 9
  settle();
  EXPECT_EQ(sink->text, "");
  run([&] {
    keyspace_->failing_ranges = 3;
    keyspace_->end({ErrorCode::unavailable, "broken"});
  });
  world_->run_for(seconds(5));
  EXPECT_EQ(sink->text, "~a@4 -b@5 +b@6 +ab@7 -c@8");
  EXPECT_EQ(cache_->revision(), 9);
  EXPECT_EQ(cache_->oldest_revision(), 9) << "nobody may resume from before";
  EXPECT_EQ(list(pods), "a@4 ab@7 b@6");
  EXPECT_TRUE(cache_->ready());
  put(c);
  settle();
  EXPECT_EQ(sink->text, "~a@4 -b@5 +b@6 +ab@7 -c@8 +c@10");
}

// Somebody who watched another server until later resumes here while the feed is silent.
TEST_F(CacheTest, WhoIsAheadOfALostFeedListsAgain) {
  start();
  put(a);
  settle();
  run([&] { keyspace_->silence(); });
  put(b);  // 2: heard at the other server
  const auto ahead = subscribe(pods, 2);
  const auto level = subscribe(pods, 1);
  remove(b);  // 3: this cache will never have had it
  settle();
  run([&] { keyspace_->end({ErrorCode::unavailable, "broken"}); });
  world_->run_for(seconds(5));
  ASSERT_EQ(ahead->ends.size(), 1u);
  EXPECT_EQ(ahead->ends[0].code, ErrorCode::expired);
  EXPECT_TRUE(level->ends.empty());
  put(c);
  settle();
  EXPECT_EQ(level->text, "+c@4");
}

TEST_F(CacheTest, WhoIsAheadOfASlowFeedHearsWhatIsNew) {
  start();
  put(a);
  settle();
  const auto ahead = subscribe(pods, 2);
  put(b);
  put(c);
  settle();
  EXPECT_EQ(ahead->text, "+c@3");
  EXPECT_TRUE(ahead->ends.empty());
}

TEST_F(CacheTest, AFirstReadThatFailsIsToldAndNothingIsReady) {
  put(a);
  keyspace_->failing_ranges = 1;
  CacheLimits limits;
  limits.replayed_max = 0;
  cache_ = std::make_unique<Cache>(*executor_, *keyspace_, limits);
  std::optional<base::Result<void>> started;
  run([&] { cache_->start([&](base::Result<void> result) { started = std::move(result); }); });
  settle();
  ASSERT_TRUE(started);
  EXPECT_FALSE(*started);
  EXPECT_FALSE(cache_->ready());
  EXPECT_EQ(subscribe(pods, 0)->ends.at(0).code, ErrorCode::unavailable);
}

TEST_F(CacheTest, DestroyingTheCacheDropsEverythingPending) {
  start();
  bool called = false;
  auto sink = subscribe(pods, 0);
  run([&] {
    cache_->wait_for(1, seconds(1), [&](bool) { called = true; });
    cache_->wait_fresh(seconds(1), [&](auto) { called = true; });
    store::Transaction transaction;
    transaction.puts.push_back({a, document("a", "u"), {}});
    keyspace_->transact(std::move(transaction), [](auto) {});
    cache_.reset();
  });
  world_->run_for(seconds(2));
  EXPECT_FALSE(called);
  EXPECT_EQ(sink->text, "");
}

}  // namespace
}  // namespace keelway::watch
