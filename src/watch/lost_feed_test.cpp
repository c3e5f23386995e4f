// A feed that breaks: what its cache tells afterwards, and to whom.
#include "watch/test_cache.h"

namespace keelway::watch {
namespace {

TEST_F(CacheTest, ALostFeedIsMadeGoodByDifferences) {
  start();
  put(a, "u1");
  put(b, "u1");
  put(c, "u1");
  settle();
  const auto sink = subscribe(pods, 3, true);
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

// When something was deleted is lost with the feed. Who heard of it at a made-up revision and went
// on at another server would hear of it once more, or never.
TEST_F(CacheTest, WhoMayResumeElsewhereListsAgainAfterALoss) {
  start();
  put(a);
  settle();
  run([&] { keyspace_->silence(); });
  put(b);  // 2: heard at the other server
  const auto before = subscribe(pods, 1);
  const auto amid = subscribe(pods, 2);
  remove(b);  // 3: this cache will never have had it
  remove(a);  // 4
  const auto after = subscribe(pods, 4);
  settle();
  run([&] { keyspace_->end({ErrorCode::unavailable, "broken"}); });
  world_->run_for(seconds(5));
  for (const auto* lost : {&before, &amid}) {
    ASSERT_EQ((*lost)->ends.size(), 1u);
    EXPECT_EQ((*lost)->ends[0].code, ErrorCode::expired);
    EXPECT_EQ((*lost)->text, "");
  }
  EXPECT_TRUE(after->ends.empty()) << "it has heard everything elsewhere";
  put(c);
  settle();
  EXPECT_EQ(after->text, "+c@5");
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

}  // namespace
}  // namespace keelway::watch
