// What every store engine promises of its watches, one promise a test.
#include <algorithm>

#include "contract/store_contract.h"

namespace keelway::contract {
namespace {

using store::Event;
using store::Revision;
using store::Transaction;

TEST_P(StoreContract, WatchesDeliverEveryEventOnceFromARevision) {
  const auto keyspace = open("a");
  const Revision one = put(*keyspace, "w/a", "1");
  const Revision two = put(*keyspace, "w/a", "2");
  put(*keyspace, "other", "x");
  const auto heard = watch(*keyspace, "w/", one);
  const auto plain = watch(*keyspace, "w/", one, false);
  put(*keyspace, "w/b", "3");
  const Revision five = remove(*keyspace, "w/a");
  const Revision last = put(*keyspace, "other", "y");
  for (const Heard* each : {heard.get(), plain.get()}) {
    ASSERT_TRUE(wait([&] { return !each->batches.empty() && each->batches.back() >= last; }));
    ASSERT_EQ(each->events.size(), 3u);
    EXPECT_EQ(each->events[0].entry.key, "w/a");
    EXPECT_EQ(*each->events[0].entry.value, "2");
    EXPECT_EQ(each->events[0].entry.created, one);
    EXPECT_EQ(each->events[0].entry.modified, two);
    EXPECT_EQ(each->events[2].type, Event::Type::deletion);
    EXPECT_EQ(each->events[2].entry.key, "w/a");
    EXPECT_EQ(each->events[2].entry.modified, five);
  }
  ASSERT_TRUE(heard->events[0].previous);
  EXPECT_EQ(*heard->events[0].previous->value, "1");
  EXPECT_EQ(heard->events[0].previous->modified, one);
  EXPECT_FALSE(heard->events[1].previous);
  ASSERT_TRUE(heard->events[2].previous);
  EXPECT_EQ(*heard->events[2].previous->value, "2");
  heard->watch.reset();
  plain->watch.reset();
}

TEST_P(StoreContract, AWatchOfTheFutureStartsThere) {
  const auto keyspace = open("a");
  const Revision after = dense() ? 2 : put(*keyspace, "k", "0") + 2;
  const auto heard = watch(*keyspace, "", after);
  std::vector<Revision> wanted;
  for (int i = 1; i <= 4; ++i) {
    const Revision made = put(*keyspace, "k", std::to_string(i));
    if (made > after) wanted.push_back(made);
  }
  ASSERT_TRUE(
      wait([&] { return !heard->batches.empty() && heard->batches.back() >= wanted.back(); }));
  EXPECT_EQ(revisions_of(*heard), wanted);
  heard->watch.reset();
}

TEST_P(StoreContract, ADestroyedWatchIsSilent) {
  const auto keyspace = open("a");
  const auto heard = watch(*keyspace, "", 0);
  on_executor([&] {
    Transaction transaction;
    transaction.puts = {{"k", bytes("v"), {}}};
    keyspace->transact(std::move(transaction), [](auto) {});
    heard->watch.reset();
  });
  const Revision last = put(*keyspace, "l", "v");
  const auto second = watch(*keyspace, "", 0);
  ASSERT_TRUE(wait([&] { return !second->batches.empty() && second->batches.back() >= last; }));
  let_time_pass();
  EXPECT_TRUE(heard->events.empty());
  second->watch.reset();
}

TEST_P(StoreContract, WatchesJoinAtAnyMomentWithoutGapOrRepeat) {
  const auto keyspace = open("a");
  std::vector<std::unique_ptr<Heard>> watches;
  std::vector<Revision> from, made;
  for (int i = 0; i < 60; ++i) {
    on_executor([&] {
      Transaction transaction;
      transaction.puts = {{"k" + std::to_string(i % 7), bytes(std::to_string(i)), {}}};
      keyspace->transact(std::move(transaction), [&](base::Result<store::TransactionResult> done) {
        made.push_back(done->revision);
      });
    });
    if (i % 5 != 0) continue;
    const auto known = static_cast<std::size_t>(i) / 2;
    on_executor([&] { from.push_back(known > made.size() || known == 0 ? 0 : made[known - 1]); });
    watches.push_back(watch(*keyspace, "", from.back(), i % 2 == 0));
  }
  ASSERT_TRUE(wait([&] { return made.size() == 60; }));
  std::sort(made.begin(), made.end());
  for (std::size_t i = 0; i < watches.size(); ++i) {
    const auto first = std::upper_bound(made.begin(), made.end(), from[i]);
    const std::vector<Revision> wanted(first, made.end());
    wait([&] { return watches[i]->events.size() >= wanted.size(); });
    let_time_pass();
    EXPECT_EQ(revisions_of(*watches[i]), wanted) << "watch " << i << " after " << from[i];
  }
  watches.clear();
}

TEST_P(StoreContract, TheHeadOfAnEmptyKeyspaceIsReached) {
  const auto other = open("b");
  put(*other, "k", "1");
  const auto keyspace = open("a");
  const Revision head = this->head(*keyspace);
  const auto heard = watch(*keyspace, "", 0, false);
  EXPECT_TRUE(head == 0 ||
              wait([&] { return !heard->batches.empty() && heard->batches.back() >= head; }));
  EXPECT_TRUE(heard->events.empty());
  heard->watch.reset();
}

// Whoever is told a revision may wait for it, also where nothing of the keyspace has it.
TEST_P(StoreContract, EveryRevisionThatIsToldIsReachedByTheWatches) {
  const auto keyspace = open("a");
  const auto other = open("b");
  const Revision first = put(*keyspace, "k", "1");
  const auto heard = watch(*keyspace, "", 0, false);
  const auto reached = [&](Revision revision) {
    return wait([&] { return !heard->batches.empty() && heard->batches.back() >= revision; });
  };
  EXPECT_TRUE(reached(first));
  put(*other, "k", "1");
  EXPECT_TRUE(reached(head(*keyspace)));
  put(*other, "k", "2");
  EXPECT_TRUE(reached(range(*keyspace, {})->revision));
  put(*other, "k", "3");
  EXPECT_TRUE(reached(transact(*keyspace, put_if("k", "2", 0))->revision));
  Transaction nothing;
  nothing.deletes = {{"absent"}};
  EXPECT_TRUE(reached(transact(*keyspace, nothing)->revision));
  EXPECT_EQ(heard->events.size(), 1u);
  heard->watch.reset();
}

}  // namespace
}  // namespace keelway::contract
