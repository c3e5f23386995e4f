#include "value/json.h"
#include "watch/test_cache.h"

namespace keelway::watch {
namespace {

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
  EXPECT_EQ(cache_->get(a)->outline().data(), bytes->data());
}

TEST_F(CacheTest, ObjectsMadeAlikeShareTheirLongFieldSets) {
  start();
  const auto with_set = [](const std::string& name) {
    const std::string set = R"({"f:spec":{"f:)" + std::string(400, 'x') + R"(":{}}})";
    return std::make_shared<const std::string>(R"({"metadata":{"managedFields":[{"fieldsV1":)" +
                                               set + R"(,"manager":"m"}],"name":")" + name +
                                               R"("}})");
  };
  for (const std::string name : {"a", "b", "c", "c"}) {
    store::Transaction transaction;
    transaction.puts.push_back({"/core/pods/default/" + name, with_set(name), {}});
    write(std::move(transaction));
  }
  settle();
  const ObjectPtr c = cache_->get("/core/pods/default/c");
  EXPECT_LT(c->outline().size(), 200u);
  EXPECT_EQ(c->text().whole(), *with_set("c"));
  EXPECT_EQ(c->value()["metadata"]["managedFields"],
            value::parse_json(*with_set("c"))->at("metadata", "managedFields"));
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
