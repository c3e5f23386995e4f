#include <gtest/gtest.h>

#include "apiserver/testing/rig.h"

namespace keelway::apiserver {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Rig;
using Lines = std::vector<std::string>;

const std::string kMaps = "/api/v1/namespaces/default/configmaps";

std::string config_map(const std::string& name, const std::string& label) {
  return R"({"metadata":{"name":")" + name + R"(","labels":{"l":")" + label + R"("}}})";
}

std::string relabel(const std::string& label) {
  return R"({"metadata":{"labels":{"l":")" + label + R"("}}})";
}

TEST(WatchStream, CurrentStateThenChanges) {
  Rig rig;
  rig.ask("POST", kMaps, config_map("a", "x"));
  const auto watch = rig.open("GET", kMaps + "?watch=1");
  EXPECT_EQ(watch->events(), Lines{"ADDED a"});
  rig.ask("POST", kMaps, config_map("b", "x"));
  rig.ask("DELETE", kMaps + "/a");
  rig.run_for(milliseconds(50));
  EXPECT_EQ(watch->events(), (Lines{"ADDED a", "ADDED b", "DELETED a"}));
  EXPECT_FALSE(watch->complete);
}

TEST(WatchStream, FromARevisionOnlyWhatFollows) {
  Rig rig;
  rig.ask("POST", kMaps, config_map("a", "x"));
  const auto list = rig.ask("GET", kMaps)->json();
  rig.ask("POST", kMaps, config_map("b", "x"));
  const auto watch = rig.open("GET", kMaps + "?watch=1&resourceVersion=" +
                                         list.at("metadata", "resourceVersion").as_string());
  EXPECT_EQ(watch->events(), Lines{"ADDED b"});
}

TEST(WatchStream, ObjectsEnterAndLeaveASelection) {
  Rig rig;
  rig.ask("POST", kMaps, config_map("a", "x"));
  const auto watch = rig.open("GET", kMaps + "?watch=1&labelSelector=l%3Dy");
  const testing::Extra merge{.content_type = "application/merge-patch+json"};
  rig.ask("PATCH", kMaps + "/a", relabel("y"), merge);
  rig.ask("PATCH", kMaps + "/a", relabel("z"), merge);
  rig.run_for(milliseconds(50));
  EXPECT_EQ(watch->events(), (Lines{"ADDED a", "DELETED a"}));
}

TEST(WatchStream, BookmarksTickOnlyForThoseWhoWantThem) {
  Rig rig;
  const auto wants = rig.open("GET", kMaps + "?watch=1&resourceVersion=0&allowWatchBookmarks=true");
  const auto plain = rig.open("GET", kMaps + "?watch=1&resourceVersion=0");
  rig.run_for(seconds(130));
  EXPECT_EQ(wants->events(), (Lines{"BOOKMARK ", "BOOKMARK "}));
  EXPECT_EQ(plain->body, "");
}

// Another server may have shown what this one has not read yet.
TEST(WatchStream, BookmarksNeverGoBackBehindTheStart) {
  Rig rig;
  const std::string list =
      rig.ask("GET", kMaps)->json().at("metadata", "resourceVersion").as_string();
  const std::string ahead = std::to_string(std::stoll(list) + 100);
  const auto watch =
      rig.open("GET", kMaps + "?watch=1&allowWatchBookmarks=true&resourceVersion=" + ahead);
  rig.run_for(seconds(70));
  ASSERT_EQ(watch->events(), Lines{"BOOKMARK "});
  EXPECT_NE(watch->body.find("\"resourceVersion\":\"" + ahead + "\""), std::string::npos)
      << watch->body;
}

TEST(WatchStream, InitialEventsEndWithAnAnnotatedBookmark) {
  Rig rig;
  rig.ask("POST", kMaps, config_map("a", "x"));
  const auto watch = rig.open("GET", kMaps +
                                         "?watch=1&sendInitialEvents=true&allowWatchBookmarks=true"
                                         "&resourceVersionMatch=NotOlderThan");
  EXPECT_EQ(watch->events(), (Lines{"ADDED a", "BOOKMARK "}));
  EXPECT_NE(watch->body.find(R"("k8s.io/initial-events-end":"true")"), std::string::npos);
}

TEST(WatchStream, EndsCleanlyAfterItsTime) {
  Rig rig;
  const auto watch = rig.open("GET", kMaps + "?watch=1&timeoutSeconds=5");
  rig.run_for(seconds(4));
  EXPECT_FALSE(watch->complete);
  rig.run_for(seconds(2));
  EXPECT_TRUE(watch->complete);
}

TEST(WatchStream, AllEndOnRequest) {
  Rig rig;
  const auto first = rig.open("GET", kMaps + "?watch=1");
  const auto second = rig.open("GET", kMaps + "?watch=1&allowWatchBookmarks=true");
  rig.executor->post([&] { rig.server->end_watches(); });
  rig.run_for(milliseconds(10));
  EXPECT_TRUE(first->complete);
  EXPECT_TRUE(second->complete);
}

TEST(WatchStream, ASlowReaderPausesAndCatchesUp) {
  Rig rig;
  const auto watch = rig.open("GET", kMaps + "?watch=1");
  watch->stuck = true;
  watch->pending = 8u << 20;
  rig.ask("POST", kMaps, config_map("a", "x"));
  rig.ask("POST", kMaps, config_map("b", "x"));
  rig.run_for(milliseconds(50));
  EXPECT_EQ(watch->events(), Lines{"ADDED a"});
  watch->pending = 0;
  rig.executor->post([&] { watch->drained(); });
  rig.run_for(milliseconds(50));
  EXPECT_EQ(watch->events(), (Lines{"ADDED a", "ADDED b"}));
}

TEST(WatchStream, AFieldSelectorSeesObjectsComeAndGo) {
  Rig rig;
  const auto watch = rig.open("GET", kMaps + "?watch=1&fieldSelector=metadata.name%3Da");
  const auto scoped =
      rig.open("GET", "/api/v1/configmaps?watch=1&fieldSelector=metadata.namespace%3Ddefault");
  rig.ask("POST", kMaps, config_map("a", "x"));
  rig.ask("POST", kMaps, config_map("b", "x"));
  rig.ask("DELETE", kMaps + "/a");
  rig.run_for(milliseconds(50));
  EXPECT_EQ(watch->events(), (Lines{"ADDED a", "DELETED a"}));
  EXPECT_EQ(scoped->events(), (Lines{"ADDED a", "ADDED b", "DELETED a"}));
}

TEST(WatchStream, ALargeStateWaitsForItsReader) {
  Rig rig;
  for (int i = 0; i < 30; ++i) {
    const std::string name = "m" + std::to_string(100 + i);
    rig.ask("POST", kMaps,
            R"({"metadata":{"name":")" + name + R"("},"data":{"k":")" + std::string(400'000, 'x') +
                R"("}})");
  }
  const auto watch = std::make_shared<testing::FakeExchange>();
  watch->stuck = true;
  http::Request request;
  request.method = "GET";
  request.target = kMaps + "?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan" +
                   "&allowWatchBookmarks=true";
  request.headers.emplace_back("authorization", "Bearer k8s-aws-v1.admin");
  rig.executor->post([&] { rig.server->handle(std::move(request), watch); });
  rig.run_for(milliseconds(50));
  EXPECT_GT(watch->body.size(), 4u << 20);
  EXPECT_LT(watch->body.size(), 6u << 20);
  // What is written meanwhile comes after the state, even though its reader is slow.
  rig.ask("POST", kMaps, config_map("m999", "late"));
  std::size_t rounds = 0;
  while (watch->pending > 0 && ++rounds < 10) {
    watch->pending = 0;
    rig.executor->post([&] { watch->drained(); });
    rig.run_for(milliseconds(50));
  }
  EXPECT_GE(rounds, 2u);
  const auto events = watch->events();
  ASSERT_EQ(events.size(), 32u);
  EXPECT_EQ(events[0], "ADDED m100");
  EXPECT_EQ(events[29], "ADDED m129");
  EXPECT_TRUE(events[30].starts_with("BOOKMARK"));
  EXPECT_EQ(events[31], "ADDED m999");
}

TEST(WatchStream, AnIdleServerOwnsNoTimer) {
  Rig rig;
  rig.run_for(seconds(1));
  const auto before = rig.world->now();
  // Nothing is due in an hour, so the first step finds nothing to do.
  EXPECT_FALSE(rig.world->step(before + std::chrono::hours(1)));
}

// A request that waits for its turn may outlive its client.
TEST(WatchStream, AClientThatLeftBeforeTheStartLeavesNothing) {
  Rig rig;
  rig.ask("POST", kMaps, config_map("a", "x"));
  const auto watch = std::make_shared<testing::FakeExchange>();
  watch->left = true;
  http::Request request;
  request.method = "GET";
  request.target = kMaps + "?watch=1&allowWatchBookmarks=true";
  request.headers.emplace_back("authorization", "Bearer k8s-aws-v1.admin");
  rig.executor->post([&] { rig.server->handle(std::move(request), watch); });
  rig.run_for(milliseconds(50));
  EXPECT_EQ(watch->body, "");
  EXPECT_EQ(watch.use_count(), 1);
  rig.run_for(std::chrono::minutes(5));
  const auto later = rig.world->now() + std::chrono::hours(2);
  EXPECT_FALSE(rig.world->step(later)) << "a stream without a client keeps its timers";
}

TEST(WatchStream, AHeadIsNoWatch) {
  Rig rig;
  const auto head = rig.open("HEAD", kMaps + "?watch=1");
  EXPECT_EQ(head->status, 405);
  EXPECT_TRUE(head->complete);
}

TEST(WatchStream, BookmarksComeInTheOrderOfTheStreams) {
  Rig rig;
  std::vector<testing::ExchangePtr> watches;
  std::vector<std::size_t> told;
  for (std::size_t i = 0; i < 20; ++i) {
    watches.push_back(
        rig.open("GET", kMaps + "?watch=1&resourceVersion=0&allowWatchBookmarks=true"));
    watches.back()->drained = [&told, i] { told.push_back(i); };
  }
  rig.run_for(seconds(61));
  ASSERT_EQ(told.size(), watches.size());
  EXPECT_TRUE(std::is_sorted(told.begin(), told.end()));
}

}  // namespace
}  // namespace keelway::apiserver
