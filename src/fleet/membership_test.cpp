#include "fleet/membership.h"

#include <gtest/gtest.h>

#include "fleet/ownership.h"
#include "reconcile/testing/fake_api.h"

namespace keelway::fleet {
namespace {

using namespace std::chrono_literals;
using reconcile::testing::FakeApi;
using reconcile::testing::HandExecutor;
using value::Value;

constexpr auto interval = 2s;

struct Member {
  std::vector<std::string> story;  // "gained UID", "lost"
  std::unique_ptr<Membership> membership;

  Member(HandExecutor& executor, FakeApi& hub, const std::string& name,
         const std::string& incarnation = "i") {
    membership = std::make_unique<Membership>(
        MembershipParts{.executor = executor,
                        .hub = hub,
                        .name = name,
                        .incarnation = incarnation,
                        .spec = Value::object({{"endpoint", name + ":1"}}),
                        .interval = interval,
                        .log = {}},
        [this](const Registration& r) { story.push_back("gained " + r.uid); },
        [this] { story.push_back("lost"); });
    membership->start();
  }
  bool holds() const { return !story.empty() && story.back() != "lost"; }
};

struct Town {
  HandExecutor executor;
  FakeApi hub{executor};
  std::string uid_of(const std::string& name) {
    const auto object = hub.get(servers, "", name);
    return object ? std::string(object->uid()) : "";
  }
};

TEST(Membership, RegistersAndRenewsAtTheInterval) {
  Town town;
  Member a(town.executor, town.hub, "a");
  town.executor.run_for(1s);
  ASSERT_EQ(a.story, std::vector{"gained " + town.uid_of("a")});
  const auto before = town.hub.calls.size();
  town.executor.run_for(1min);
  EXPECT_EQ(town.hub.calls.size() - before, 30u);
  EXPECT_TRUE(a.holds());
  EXPECT_EQ(town.hub.get(servers, "", "a")->value().at("spec", "endpoint").as_string(), "a:1");
}

TEST(Membership, StopsBeforeItIsMissed) {
  Town town;
  Member a(town.executor, town.hub, "a");
  Member b(town.executor, town.hub, "b");
  town.executor.run_for(10s);
  // Whatever a says is lost, and so are the answers to it.
  town.hub.refuse = [](const client::Call& call) -> std::optional<schema::Status> {
    if (call.name != "a" || call.verb != client::Verb::patch) return std::nullopt;
    return schema::service_unavailable("cut off");
  };
  base::Duration stopped{0}, missed{0};
  for (base::Duration past{0}; past < 30s && missed == base::Duration(0); past += 100ms) {
    town.executor.run_for(100ms);
    if (!a.holds() && stopped == base::Duration(0)) stopped = past;
    if (town.uid_of("a").empty()) missed = past;
  }
  EXPECT_GT(stopped, base::Duration(0));
  EXPECT_GT(missed, stopped);
  EXPECT_LE(missed, (Membership::lease + 1) * interval);
  // It comes back as another.
  const std::string first = a.story.front();
  town.hub.refuse = nullptr;
  town.executor.run_for(10s);
  EXPECT_TRUE(a.holds());
  EXPECT_NE(a.story.back(), first);
  EXPECT_EQ(a.story.back(), "gained " + town.uid_of("a"));
  EXPECT_EQ(b.story.size(), 1u);
}

TEST(Membership, GoesOnWhereItWasNotMissed) {
  Town town;
  Member a(town.executor, town.hub, "a");
  town.executor.run_for(10s);
  town.hub.refuse = [](const client::Call&) -> std::optional<schema::Status> {
    return schema::service_unavailable("cut off");
  };
  town.executor.run_for(30s);
  EXPECT_FALSE(a.holds());
  town.hub.refuse = nullptr;
  town.executor.run_for(3s);
  ASSERT_EQ(a.story.size(), 3u);
  EXPECT_EQ(a.story[2], a.story[0]) << "the same registration";
}

TEST(Membership, ALostAnswerRegistersOnce) {
  Town town;
  int creations = 0;
  town.hub.lose_answer = [&](const client::Call& call) {
    return call.verb == client::Verb::create && ++creations == 1;
  };
  Member a(town.executor, town.hub, "a");
  town.executor.run_for(1min);
  ASSERT_EQ(a.story.size(), 1u);
  EXPECT_EQ(a.story[0], "gained " + town.uid_of("a"));
  EXPECT_EQ(creations, 2);
}

TEST(Membership, ARestartReplacesTheLifeBefore) {
  Town town;
  auto before = std::make_unique<Member>(town.executor, town.hub, "a", "first");
  town.executor.run_for(5s);
  const std::string uid = town.uid_of("a");
  before.reset();
  Member after(town.executor, town.hub, "a", "second");
  town.executor.run_for(100ms);
  ASSERT_EQ(after.story.size(), 1u);
  EXPECT_NE(town.uid_of("a"), uid);
}

TEST(Membership, TwoOfOneNameDoNotFight) {
  Town town;
  Member first(town.executor, town.hub, "a", "first");
  town.executor.run_for(5s);
  Member second(town.executor, town.hub, "a", "second");
  town.executor.run_for(5min);
  EXPECT_TRUE(second.holds());
  EXPECT_FALSE(first.holds());
  EXPECT_EQ(first.story.size(), 2u);
  EXPECT_EQ(second.story.size(), 1u);
}

TEST(Membership, LeavingTellsTheOthersAtOnce) {
  Town town;
  Member a(town.executor, town.hub, "a");
  town.executor.run_for(5s);
  bool left = false;
  a.membership->leave([&] { left = true; });
  town.executor.run_for(100ms);
  EXPECT_TRUE(left);
  EXPECT_EQ(town.uid_of("a"), "");
  EXPECT_EQ(town.executor.pending(), 0u);
}

TEST(Ownership, HeirsAreSharedAndStay) {
  Town town;
  std::unique_ptr<client::Subscription> feed;
  client::LocalView view;
  feed = town.hub.subscribe({servers}, [&](const client::ChangeBatch& b) { view.apply(b); });
  for (const char* name : {"a", "b", "c"}) {
    town.hub.put(servers, Value::object({{"metadata", Value::object({{"name", name}})}}));
  }
  town.executor.run_for(1s);
  std::map<std::string, std::string> heir;
  std::map<std::string, int> share;
  for (int i = 0; i < 300; ++i) {
    const std::string uid = "cluster-" + std::to_string(i);
    heir[uid] = server_for(view, uid);
    ++share[heir[uid]];
  }
  for (const char* name : {"a", "b", "c"}) EXPECT_NEAR(share[name], 100, 40) << name;
  town.hub.erase(servers, "", "b");
  town.executor.run_for(1s);
  for (const auto& [uid, before] : heir) {
    if (before != "b") {
      EXPECT_EQ(server_for(view, uid), before);
    }
  }
}

}  // namespace
}  // namespace keelway::fleet
