#include "access/fairness.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace keelway::access {
namespace {

using namespace std::chrono_literals;

base::Instant at(std::int64_t milliseconds) {
  return base::Instant{} + std::chrono::milliseconds(milliseconds + 1);
}

Identity user(std::string name, std::vector<std::string> groups = {}) {
  return component(std::move(name), std::move(groups));
}

TEST(Classify, FollowsTheSuggestedFlows) {
  const FlowFacts pods{true, "get", "", "pods", "default", ""};
  const FlowFacts lease{true, "update", "coordination.k8s.io", "leases", "kube-node-lease", ""};
  const FlowFacts status{true, "patch", "", "nodes", "", ""};
  const FlowFacts live{false, "get", "", "", "", "/livez/ping"};
  const FlowFacts version{false, "get", "", "", "", "/version"};
  const Identity node = user("system:node:a", {"system:nodes"});
  const Identity account = user("system:serviceaccount:a:b", {"system:serviceaccounts"});
  const Identity own = user("system:serviceaccount:kube-system:b",
                            {"system:serviceaccounts", "system:serviceaccounts:kube-system"});
  EXPECT_EQ(classify_flow(user("admin", {"system:masters"}), pods).level(), Level::exempt);
  EXPECT_EQ(classify_flow(node, lease).level(), Level::node_high);
  EXPECT_EQ(classify_flow(node, status).schema, FlowSchema::system_node_high);
  EXPECT_EQ(classify_flow(node, pods).level(), Level::system);
  EXPECT_EQ(classify_flow(account, lease).level(), Level::workload_low);
  EXPECT_EQ(classify_flow(account, pods).distinguisher, "system:serviceaccount:a:b");
  EXPECT_EQ(classify_flow(own, lease).level(), Level::leader_election);
  EXPECT_EQ(classify_flow(own, pods).distinguisher, "default");
  EXPECT_EQ(classify_flow(user("jane"), pods).level(), Level::global_default);
  EXPECT_EQ(classify_flow(user("jane"), live).level(), Level::exempt);
  EXPECT_EQ(classify_flow(user("jane"), version).level(), Level::global_default);
}

enum class Verdict { run, waits, refused };

// Enters requests and remembers in which order they began.
struct Bench {
  explicit Bench(FairnessLimits limits) : queues(limits) {}
  Verdict ask(FlowSchema schema, const std::string& who, int cost = 1) {
    if (queues.begin(schema, cost, now)) {
      begun.push_back(who);
      return Verdict::run;
    }
    const auto resume = [this, who](bool admitted) { begun.push_back(admitted ? who : "-" + who); };
    return queues.wait({schema, who}, cost, now, resume) ? Verdict::waits : Verdict::refused;
  }
  // A turn of the loop.
  int run_turn() {
    now = now + 1ms;
    int count = 0;
    FairQueues::Entry entry;
    queues.new_turn(now);
    while (queues.next(entry)) {
      entry.resume(true);
      queues.leave(level_of(entry.schema));
      ++count;
    }
    return count;
  }
  int begun_by(const std::string& who) const {
    return static_cast<int>(std::count(begun.begin(), begun.end(), who));
  }
  FairQueues queues;
  base::Instant now = at(0);
  std::vector<std::string> begun;
};

TEST(FairQueues, RunsAtOnceWhileThereIsRoom) {
  Bench bench({.seats = 240, .turn = 10});
  for (int i = 0; i < 10; ++i) EXPECT_EQ(bench.ask(FlowSchema::global_default, "a"), Verdict::run);
  EXPECT_EQ(bench.ask(FlowSchema::global_default, "a"), Verdict::waits);
  EXPECT_EQ(bench.run_turn(), 1);
  bench.now = bench.now + 1ms;
  EXPECT_EQ(bench.ask(FlowSchema::global_default, "a"), Verdict::run);
}

TEST(FairQueues, SeatsBoundWhatExecutesAndNodesKeepTheirs) {
  Bench bench({.seats = 24, .turn = 1000});
  int ran = 0;
  while (bench.ask(FlowSchema::global_default, "a") == Verdict::run) ++ran;
  // All but what node-high (4), system (3) and leader-election (1) are owed.
  EXPECT_EQ(ran, 16);
  // Whoever waits is passed by nobody of its own kind, but nodes still have seats.
  EXPECT_EQ(bench.ask(FlowSchema::system_node_high, "n"), Verdict::waits);
  FairQueues::Entry entry;
  ASSERT_TRUE(bench.queues.next(entry));
  EXPECT_EQ(level_of(entry.schema), Level::node_high);
  EXPECT_FALSE(bench.queues.next(entry));
  EXPECT_FALSE(bench.queues.could_begin());
  bench.queues.leave(Level::global_default);
  EXPECT_TRUE(bench.queues.could_begin());
}

TEST(FairQueues, ExemptIsNeverRefusedAndNeedsNoSeat) {
  Bench bench({.seats = 1, .queue_length = 1, .turn = 4});
  for (int i = 0; i < 4; ++i) EXPECT_EQ(bench.ask(FlowSchema::exempt, "m"), Verdict::run);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(bench.ask(FlowSchema::exempt, "m"), Verdict::waits);
  for (int i = 0; i < 25; ++i) EXPECT_EQ(bench.run_turn(), 4);
  EXPECT_EQ(bench.queues.waiting(), 0u);
}

TEST(FairQueues, OneFlowFillsItsHandAndLeavesRoomForOthers) {
  Bench bench({.queue_length = 5, .turn = 1});
  EXPECT_EQ(bench.ask(FlowSchema::global_default, "first"), Verdict::run);
  int waits = 0;
  while (bench.ask(FlowSchema::global_default, "greedy") == Verdict::waits) ++waits;
  EXPECT_GT(waits, 0);
  EXPECT_LE(waits, 30);  // six queues of five
  int refused = 0;
  for (int i = 0; i < 50; ++i) {
    if (bench.ask(FlowSchema::global_default, "modest-" + std::to_string(i)) == Verdict::refused) {
      ++refused;
    }
  }
  EXPECT_EQ(refused, 0);
}

TEST(FairQueues, FlowsAreServedInTurnWhateverTheyAsk) {
  Bench bench({.turn = 10});
  for (int i = 0; i < 10; ++i) bench.ask(FlowSchema::global_default, "first");
  for (int i = 0; i < 200; ++i) bench.ask(FlowSchema::global_default, "greedy");
  for (int i = 0; i < 10; ++i) bench.ask(FlowSchema::global_default, "modest");
  // The greedy flow holds six queues, the modest one at least one of its own.
  for (int i = 0; i < 10; ++i) bench.run_turn();
  EXPECT_EQ(bench.begun_by("modest"), 10);
  EXPECT_LT(bench.begun_by("greedy"), 200);
}

TEST(FairQueues, LevelsAreServedByTheirShares) {
  Bench bench({.turn = 10});
  for (int i = 0; i < 10; ++i) bench.ask(FlowSchema::exempt, "first");
  for (int i = 0; i < 250; ++i) bench.ask(FlowSchema::global_default, "users");
  for (int i = 0; i < 250; ++i) bench.ask(FlowSchema::service_accounts, "accounts");
  for (int i = 0; i < 12; ++i) bench.run_turn();
  EXPECT_EQ(bench.begun_by("users") + bench.begun_by("accounts"), 120);
  EXPECT_NEAR(bench.begun_by("accounts"), 100, 3);
}

TEST(FairQueues, HeavyRequestsUseMoreOfATurn) {
  Bench bench({.turn = 16});
  EXPECT_EQ(bench.ask(FlowSchema::global_default, "a", 8), Verdict::run);
  EXPECT_EQ(bench.ask(FlowSchema::global_default, "a", 8), Verdict::run);
  EXPECT_EQ(bench.ask(FlowSchema::global_default, "a", 8), Verdict::waits);
}

TEST(FairQueues, WaitingEnds) {
  Bench bench({.seats = 1, .turn = 100, .wait_max = 15s});
  while (bench.ask(FlowSchema::global_default, "a") == Verdict::run) {
  }
  bench.now = bench.now + 5s;
  bench.ask(FlowSchema::global_default, "b");
  EXPECT_TRUE(bench.queues.expired(bench.now).empty());
  bench.now = bench.now + 10s;
  auto gone = bench.queues.expired(bench.now);
  ASSERT_EQ(gone.size(), 1u);
  gone[0].resume(false);
  EXPECT_EQ(bench.begun.back(), "-a");
  EXPECT_EQ(bench.queues.waiting(), 1u);
}

}  // namespace
}  // namespace keelway::access
