// What only a real etcd of several members, or several engines on one, can break: writers count up
// while members die, freeze and are cut off; nothing acknowledged may be lost, no event skipped or
// repeated.
#include <cstdio>
#include <map>
#include <set>

#include "contract/etcd_ground.h"

namespace keelway::contract {

store::EtcdOptions etcd_options(const EtcdCluster& cluster, const std::string& prefix) {
  auto options = store::parse_etcd_url(cluster.url(prefix));
  EXPECT_TRUE(options) << options.error().message;
  options->silent_max = std::chrono::seconds(1);
  options->call_timeout = std::chrono::seconds(4);
  return std::move(*options);
}

namespace {

using base::ErrorCode;
using store::Revision;

std::unique_ptr<store::Engine> connect(Ground& ground, const EtcdCluster& cluster,
                                       const std::string& prefix = "/cluster") {
  return store::make_etcd(ground.runtime(), ground.executor(), etcd_options(cluster, prefix));
}

// Writers, each of a key of its own that counts up by compare-and-set, and a watch of them all.
class Load {
 public:
  explicit Load(const EtcdCluster& cluster) : ground_(make_linux_ground()) {
    on([&] {
      engine_ = connect(*ground_, cluster);
      keyspace_ = engine_->open("load", ground_->executor());
      follow();
      for (int i = 0; i < writers; ++i) write(i);
    });
  }
  ~Load() {
    on([&] {
      watch_.reset();
      keyspace_.reset();
      engine_.reset();
    });
  }

  // Until that many more were acknowledged.
  void wait_for(int more) {
    std::size_t start = 0;
    on([&] { start = acknowledged_.size(); });
    EXPECT_TRUE(ground_->wait([&] {
      return acknowledged_.size() >= start + static_cast<std::size_t>(more) || !faults_.empty();
    })) << "writing does not go on";
  }

  void check() {
    on([&] { stopping_ = true; });
    EXPECT_TRUE(ground_->wait([&] { return idle_ == writers; }));
    std::optional<base::Result<store::RangeResult>> found;
    on([&] { keyspace_->range({}, [&](auto result) { found = std::move(result); }); });
    ASSERT_TRUE(ground_->wait([&] { return found.has_value(); }));
    ASSERT_TRUE(*found) << found->error().message;
    Revision last = 0;
    for (const auto& entry : (*found)->entries) last = std::max(last, entry.modified);
    EXPECT_TRUE(
        ground_->wait([&] { return !events_.empty() && events_.back().entry.modified >= last; }));
    on([&] { judge((*found)->entries); });
  }
  std::size_t unknown() const { return unknown_; }

 private:
  static constexpr int writers = 8;

  void on(std::function<void()> task) {
    bool ran = false;
    ground_->executor().post([&] {
      task();
      ran = true;
    });
    ASSERT_TRUE(ground_->wait([&] { return ran; }));
  }
  // A watch that could not begin says so with unavailable, and is asked for again.
  void follow() {
    store::WatchRequest request;
    request.after = events_.empty() ? 0 : events_.back().entry.modified;
    request.on_events = [this](const store::EventBatch& batch) {
      events_.insert(events_.end(), batch.events.begin(), batch.events.end());
    };
    request.on_end = [this](base::Error error) {
      if (error.code != ErrorCode::unavailable) return fault(error.message);
      ground_->executor().post([this] { follow(); });
    };
    watch_ = keyspace_->watch(std::move(request));
  }
  void fault(const std::string& text) { faults_.push_back(text); }

  struct Counter {
    Revision modified = 0;
    int value = 0;
    // Nobody told what became of a write: it may still be on its way between members, and land
    // after it was looked for.
    bool in_doubt = false;
  };

  void write(int writer) {
    if (stopping_ || !faults_.empty()) {
      ++idle_;
      return;
    }
    const Counter& counter = counters_[writer];
    keyspace_->transact(
        put_if("w" + std::to_string(writer), std::to_string(counter.value + 1), counter.modified),
        [this, writer](base::Result<store::TransactionResult> result) {
          if (!result) {
            if (result.error().code != ErrorCode::unavailable) fault(result.error().message);
            ++unknown_;
            counters_[writer].in_doubt = true;
            return learn(writer);
          }
          if (!result->committed && counters_[writer].in_doubt) return learn(writer);
          if (!result->committed) fault("a write of somebody else at w" + std::to_string(writer));
          Counter& mine = counters_[writer];
          mine = {result->revision, mine.value + 1};
          acknowledged_[result->revision] = {writer, mine.value};
          write(writer);
        });
  }

  // After an unknown outcome: either the old value or the new one is there.
  void learn(int writer) {
    store::RangeRequest request;
    request.prefix = "w" + std::to_string(writer);
    keyspace_->range(request, [this, writer](base::Result<store::RangeResult> found) {
      if (!found) return learn(writer);
      Counter& mine = counters_[writer];
      Counter now{.in_doubt = mine.in_doubt};
      for (const auto& entry : found->entries) {
        now.modified = entry.modified;
        now.value = std::stoi(*entry.value);
      }
      if (now.value != mine.value && now.value != mine.value + 1) fault("an impossible value");
      mine = now;
      write(writer);
    });
  }

  void judge(const std::vector<store::Entry>& entries) {
    for (const std::string& text : faults_) ADD_FAILURE() << text;
    std::map<std::string, int> counts;
    std::set<Revision> seen;
    Revision last = 0;
    for (const store::Event& event : events_) {
      EXPECT_GT(event.entry.modified, last) << "repeated or out of order";
      last = event.entry.modified;
      seen.insert(last);
      EXPECT_EQ(std::stoi(*event.entry.value), ++counts[event.entry.key]) << event.entry.key;
    }
    for (const auto& [revision, write] : acknowledged_) {
      EXPECT_TRUE(seen.contains(revision)) << "the event of " << revision << " is missing";
    }
    for (const auto& entry : entries) {
      EXPECT_EQ(std::stoi(*entry.value), counts[entry.key]) << entry.key << " has more events";
    }
    for (const auto& [writer, counter] : counters_) {
      EXPECT_EQ(counter.value, counts["w" + std::to_string(writer)]) << "lost in w" << writer;
    }
  }

  std::unique_ptr<Ground> ground_;
  std::unique_ptr<store::Engine> engine_;
  std::unique_ptr<store::Keyspace> keyspace_;
  std::unique_ptr<store::Watch> watch_;
  std::map<int, Counter> counters_;
  std::map<Revision, std::pair<int, int>> acknowledged_;
  std::vector<store::Event> events_;
  std::vector<std::string> faults_;
  std::size_t unknown_ = 0;
  int idle_ = 0;
  bool stopping_ = false;
};

TEST(EtcdCluster, KilledMembersLoseNothing) {
  EtcdCluster cluster(3);
  Load load(cluster);
  load.wait_for(200);
  for (int member = 0; member < 3; ++member) {
    cluster.kill(member);
    load.wait_for(200);
    cluster.start(member);
    load.wait_for(200);
  }
  load.check();
}

// A stopped process keeps its connections and says nothing.
TEST(EtcdCluster, FrozenMembersLoseNothing) {
  EtcdCluster cluster(3);
  Load load(cluster);
  load.wait_for(200);
  for (int member = 0; member < 3; ++member) {
    cluster.pause(member);
    load.wait_for(200);
    cluster.resume(member);
    load.wait_for(100);
  }
  load.check();
}

TEST(EtcdCluster, MembersCutOffLoseNothing) {
  if (const std::string why = EtcdCluster::networks_refused(); !why.empty()) {
    GTEST_SKIP() << "SKIPPED: " << why;
  }
  EtcdCluster cluster(3, true);
  Load load(cluster);
  load.wait_for(200);
  for (int member = 0; member < 3; ++member) {
    cluster.cut(member);
    load.wait_for(200);
    cluster.mend(member);
    load.wait_for(100);
  }
  load.check();
}

TEST(EtcdCluster, WithoutAMajorityNothingIsAcknowledgedAndAllGoesOnAfterwards) {
  EtcdCluster cluster(3);
  Load load(cluster);
  load.wait_for(200);
  cluster.kill(0);
  cluster.kill(1);
  const auto ground = make_linux_ground();
  std::unique_ptr<store::Engine> engine;
  std::unique_ptr<store::Keyspace> keyspace;
  std::optional<base::Result<store::TransactionResult>> written;
  std::optional<base::Result<Revision>> head;
  runtime::Executor& executor = ground->executor();
  executor.post([&] {
    engine = connect(*ground, cluster);
    keyspace = engine->open("other", executor);
    keyspace->transact(put_if("k", "v", 0), [&](auto result) { written = std::move(result); });
    keyspace->head([&](auto result) { head = std::move(result); });
  });
  EXPECT_TRUE(ground->wait([&] { return written && head; })) << "no answer at all";
  EXPECT_EQ(written->error().code, ErrorCode::unavailable);
  EXPECT_EQ(head->error().code, ErrorCode::unavailable);
  executor.post([&] {
    keyspace.reset();
    engine.reset();
  });
  ground->wait([&] { return !engine; });
  cluster.start(0);
  cluster.start(1);
  load.wait_for(200);
  load.check();
}

// The leader counts what is left of a life; another one counts anew, and never less.
TEST_F(EtcdGround, LivesEndOnceAndNotEarlyWhateverTheLeader) {
  constexpr base::Duration life = std::chrono::seconds(2);
  EtcdCluster cluster(3);
  std::unique_ptr<store::Engine> engine;
  std::unique_ptr<store::Keyspace> keyspace;
  std::unique_ptr<store::Watch> watch;
  std::map<std::string, base::Instant> born, died;
  std::vector<std::string> twice;
  run([&] {
    engine = connect(*ground_, cluster);
    keyspace = engine->open("lives", ground_->executor());
    store::WatchRequest request;
    request.on_events = [&](const store::EventBatch& batch) {
      for (const store::Event& event : batch.events) {
        if (event.type != store::Event::Type::deletion) continue;
        const std::string& key = event.entry.key;
        if (!died.emplace(key, ground_->executor().now()).second) twice.push_back(key);
      }
    };
    watch = keyspace->watch(std::move(request));
  });
  // Until it is known to be there: a write whose outcome nobody told is looked for.
  const auto put = [&](const std::string& key, std::optional<base::Duration> time_to_live) {
    run([&] { born[key] = ground_->executor().now(); });
    store::Transaction transaction;
    transaction.puts.push_back({key, bytes("v"), time_to_live});
    for (int tries = 0; tries < 10; ++tries) {
      if (transact(*keyspace, transaction)) return;
    }
    ADD_FAILURE() << "no leader takes " << key;
  };
  put("stays", std::nullopt);
  put("first", life);
  for (int member = 0; member < 3; ++member) {
    cluster.kill(member);
    put("without" + std::to_string(member), life);
    cluster.start(member);
    put("with" + std::to_string(member), life);
  }
  EXPECT_TRUE(ground_->wait([&] { return died.size() == 7; })) << "a life does not end";
  std::optional<base::Result<store::RangeResult>> found;
  run([&] { keyspace->range({}, [&](auto result) { found = std::move(result); }); });
  ASSERT_TRUE(ground_->wait([&] { return found.has_value(); }));
  ASSERT_TRUE(*found);
  ASSERT_EQ((*found)->entries.size(), 1u);
  EXPECT_EQ((*found)->entries[0].key, "stays");
  run([&] {
    EXPECT_TRUE(twice.empty()) << twice.front() << " ended twice";
    for (const auto& [key, at] : died) EXPECT_GE(at - born[key], life) << key;
    watch.reset();
    keyspace.reset();
    engine.reset();
  });
}

// Two engines on one etcd, as two servers have them.
class TwoEngines : public EtcdGround {
 protected:
  TwoEngines() : cluster_(1) {
    run([&] {
      for (int i = 0; i < 2; ++i) {
        engines_[i] = connect(*ground_, cluster_);
        keyspaces_[i] = engines_[i]->open("shared", ground_->executor());
      }
    });
  }
  ~TwoEngines() override {
    run([&] {
      for (auto& watch : watches_) watch.reset();
      for (auto& keyspace : keyspaces_) keyspace.reset();
      for (auto& engine : engines_) engine.reset();
    });
  }
  void watch(int which) {
    run([&] {
      store::WatchRequest request;
      request.on_events = [&, which](const store::EventBatch& batch) {
        reached_[which] = batch.revision;
        count_[which] += batch.events.size();
      };
      request.on_end = [&, which](base::Error error) { ends_[which] = std::move(error); };
      watches_[which] = keyspaces_[which]->watch(std::move(request));
    });
  }

  EtcdCluster cluster_;
  std::unique_ptr<store::Engine> engines_[2];
  std::unique_ptr<store::Keyspace> keyspaces_[2];
  std::unique_ptr<store::Watch> watches_[2];
  Revision reached_[2] = {};
  std::size_t count_[2] = {};
  std::optional<base::Error> ends_[2];
};

TEST_F(TwoEngines, EachSeesWhatTheOtherWrites) {
  watch(0);
  watch(1);
  Revision last = 0;
  for (int i = 0; i < 20; ++i) {
    const auto result = transact(*keyspaces_[i % 2], put_if("k" + std::to_string(i), "v", 0));
    ASSERT_TRUE(result && result->committed);
    EXPECT_GT(result->revision, last);
    last = result->revision;
  }
  EXPECT_TRUE(ground_->wait([&] { return reached_[0] >= last && reached_[1] >= last; }));
  EXPECT_EQ(count_[0], 20u);
  EXPECT_EQ(count_[1], 20u);
  EXPECT_FALSE(transact(*keyspaces_[1], put_if("k0", "again", 0))->committed);
}

TEST_F(TwoEngines, AKeyspaceThatOneDropsIsGoneForTheOther) {
  ASSERT_TRUE(transact(*keyspaces_[0], put_if("k", "v", 0))->committed);
  watch(0);
  watch(1);
  ASSERT_TRUE(ground_->wait([&] { return count_[0] == 1 && count_[1] == 1; }));
  bool dropped = false;
  run([&] {
    engines_[0]->drop("shared", ground_->executor(), [&](base::Result<void> r) { dropped = !!r; });
  });
  ASSERT_TRUE(ground_->wait([&] { return dropped; }));
  EXPECT_EQ(transact(*keyspaces_[1], put_if("late", "v", 0)).error().code, ErrorCode::not_found)
      << "a late write would raise the keyspace from the dead";
  ASSERT_TRUE(ground_->wait([&] { return ends_[0] && ends_[1]; }));
  EXPECT_EQ(ends_[0]->code, ErrorCode::not_found);
  EXPECT_EQ(ends_[1]->code, ErrorCode::not_found);
  EXPECT_EQ(count_[1], 1u) << "the end of a keyspace is not the deletion of its keys";
}

// Somebody else writes in the same etcd, so nothing of ours has the newest revision.
TEST_F(TwoEngines, TheHeadIsReachedBesideStrangers) {
  std::unique_ptr<store::Engine> stranger;
  std::unique_ptr<store::Keyspace> theirs;
  run([&] {
    stranger = connect(*ground_, cluster_, "/stranger");
    theirs = stranger->open("x", ground_->executor());
  });
  ASSERT_TRUE(transact(*keyspaces_[0], put_if("k", "v", 0))->committed);
  watch(0);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(transact(*theirs, put_if("k" + std::to_string(i), "v", 0))->committed);
    std::optional<base::Result<Revision>> head;
    run([&] { keyspaces_[0]->head([&](auto r) { head = std::move(r); }); });
    ASSERT_TRUE(ground_->wait([&] { return head.has_value(); }));
    ASSERT_TRUE(*head);
    EXPECT_TRUE(ground_->wait([&] { return reached_[0] >= **head; }));
  }
  run([&] {
    theirs.reset();
    stranger.reset();
  });
}

TEST_F(TwoEngines, WhatIsTooLargeForEtcdIsRefusedByName) {
  const auto large = transact(*keyspaces_[0], put_if("k", std::string(2u << 20, 'x'), 0));
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().code, ErrorCode::exhausted) << large.error().message;
  store::Transaction many;
  for (int i = 0; i < 200; ++i) many.puts.push_back({"k" + std::to_string(i), bytes("v"), {}});
  const auto wide = transact(*keyspaces_[0], std::move(many));
  ASSERT_FALSE(wide);
  EXPECT_EQ(wide.error().code, ErrorCode::invalid) << wide.error().message;
  EXPECT_TRUE(transact(*keyspaces_[0], put_if("k", "small", 0))->committed);
}

TEST(EtcdUrl, NamesMembersAndPrefix) {
  const auto one = store::parse_etcd_url("etcd://a:2379");
  ASSERT_TRUE(one);
  EXPECT_EQ(one->prefix, "/keelway/");
  const auto three = store::parse_etcd_url("etcd://a:1,10.0.0.2:2,[::1]:3/mine");
  ASSERT_TRUE(three);
  ASSERT_EQ(three->members.size(), 3u);
  EXPECT_EQ(three->members[2].host, "::1");
  EXPECT_EQ(three->members[2].port, 3);
  EXPECT_EQ(three->prefix, "/mine/");
  for (const char* bad : {"etcd://", "etcd://a", "etcd://a:0", "etcd://a:70000", "a:2379",
                          "etcd://a:1,,b:2", "etcd://:2379"}) {
    EXPECT_FALSE(store::parse_etcd_url(bad)) << bad;
  }
}

}  // namespace
}  // namespace keelway::contract

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (keelway::contract::EtcdCluster::program().empty()) {
    std::puts("SKIP: etcd is not installed (Debian: etcd-server)");
    return 77;
  }
  return RUN_ALL_TESTS();
}
