// What every store engine promises (src/store/store.h), one promise a test.
#include "contract/store_contract.h"

#include <algorithm>
#include <map>
#include <set>

namespace keelway::contract {
namespace {

using base::ErrorCode;
using store::Event;
using store::Keyspace;
using store::Revision;
using store::Transaction;

TEST_P(StoreContract, RevisionsCountCommittedTransactions) {
  const auto keyspace = open("a");
  EXPECT_EQ(head(*keyspace), 0);
  EXPECT_EQ(put(*keyspace, "k", "1"), 1);
  EXPECT_EQ(put(*keyspace, "k", "2"), 2);
  Transaction many;
  many.puts = {{"x", bytes("1"), {}}, {"y", bytes("2"), {}}};
  many.deletes = {{"k"}};
  EXPECT_EQ(transact(*keyspace, many)->revision, 3);
  EXPECT_EQ(head(*keyspace), 3);
  EXPECT_EQ(dump(*keyspace), "x=1 y=2");
  const std::vector<store::Entry> entries = range(*keyspace, {})->entries;
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].modified, 3);
  EXPECT_EQ(entries[1].modified, 3);
}

TEST_P(StoreContract, WhatWritesNothingMakesNoRevision) {
  const auto keyspace = open("a");
  put(*keyspace, "k", "1");
  Transaction only_compares;
  only_compares.compares = {{"k", 1}, {"absent", 0}};
  auto result = transact(*keyspace, only_compares);
  EXPECT_TRUE(result->committed);
  EXPECT_EQ(result->revision, 1);
  Transaction absent;
  absent.deletes = {{"absent"}};
  result = transact(*keyspace, absent);
  EXPECT_TRUE(result->committed);
  EXPECT_EQ(result->revision, 1);
  EXPECT_EQ(head(*keyspace), 1);
}

TEST_P(StoreContract, KeyspacesHaveRevisionsOfTheirOwn) {
  const auto a = open("a");
  const auto b = open("b");
  EXPECT_EQ(put(*a, "k", "1"), 1);
  EXPECT_EQ(put(*a, "k", "2"), 2);
  EXPECT_EQ(put(*b, "k", "b"), 1);
  EXPECT_EQ(dump(*a), "k=2");
  EXPECT_EQ(dump(*b), "k=b");
}

TEST_P(StoreContract, CreatedSurvivesWritesAndStartsAnewAfterDeletion) {
  const auto keyspace = open("a");
  put(*keyspace, "k", "1");
  put(*keyspace, "k", "2");
  auto entry = range(*keyspace, {})->entries.at(0);
  EXPECT_EQ(entry.created, 1);
  EXPECT_EQ(entry.modified, 2);
  remove(*keyspace, "k");
  put(*keyspace, "k", "3");
  entry = range(*keyspace, {})->entries.at(0);
  EXPECT_EQ(entry.created, 4);
  EXPECT_EQ(entry.modified, 4);
}

TEST_P(StoreContract, AllComparesMustHoldAndDifferingEntriesAreReported) {
  const auto keyspace = open("a");
  put(*keyspace, "same", "1");
  put(*keyspace, "other", "2");
  Transaction transaction;
  transaction.compares = {{"same", 1}, {"other", 1}, {"absent", 7}, {"nothing", 0}};
  transaction.puts = {{"new", bytes("x"), {}}};
  const auto result = transact(*keyspace, transaction);
  ASSERT_TRUE(result);
  EXPECT_FALSE(result->committed);
  EXPECT_EQ(result->revision, 2);
  ASSERT_EQ(result->conflicts.size(), 1u);
  EXPECT_EQ(result->conflicts[0].key, "other");
  EXPECT_EQ(*result->conflicts[0].value, "2");
  EXPECT_EQ(result->conflicts[0].created, 2);
  EXPECT_EQ(result->conflicts[0].modified, 2);
  EXPECT_EQ(dump(*keyspace), "other=2 same=1");
}

TEST_P(StoreContract, AbsenceIsAPrecondition) {
  const auto keyspace = open("a");
  EXPECT_TRUE(transact(*keyspace, put_if("k", "1", 0))->committed);
  EXPECT_FALSE(transact(*keyspace, put_if("k", "2", 0))->committed);
  remove(*keyspace, "k");
  EXPECT_TRUE(transact(*keyspace, put_if("k", "3", 0))->committed);
  EXPECT_EQ(dump(*keyspace), "k=3");
}

TEST_P(StoreContract, BrokenTransactionsAreInvalid) {
  const auto keyspace = open("a");
  Transaction twice;
  twice.puts = {{"k", bytes("1"), {}}};
  twice.deletes = {{"k"}};
  EXPECT_EQ(transact(*keyspace, twice).error().code, ErrorCode::invalid);
  Transaction empty;
  empty.puts = {{"k", nullptr, {}}};
  EXPECT_EQ(transact(*keyspace, empty).error().code, ErrorCode::invalid);
  EXPECT_EQ(head(*keyspace), 0);
}

TEST_P(StoreContract, RangesSelectByPrefixInKeyOrder) {
  const auto keyspace = open("a");
  for (const char* key : {"/b/2", "/b/1", "/c", "/a", "/b", "/b/1/x", "/b0"}) {
    put(*keyspace, key, "v");
  }
  store::RangeRequest request;
  request.prefix = "/b/";
  const auto result = range(*keyspace, request);
  std::vector<std::string> keys;
  for (const auto& entry : result->entries) keys.push_back(entry.key);
  EXPECT_EQ(keys, (std::vector<std::string>{"/b/1", "/b/1/x", "/b/2"}));
  EXPECT_FALSE(result->more);
  EXPECT_EQ(result->revision, 7);
}

TEST_P(StoreContract, PagesOfOneRevisionFormOneSnapshot) {
  const auto keyspace = open("a");
  for (int i = 0; i < 9; ++i) put(*keyspace, "k" + std::to_string(i), "old");
  std::vector<std::string> seen;
  store::RangeRequest request;
  request.prefix = "k";
  request.limit = 4;
  for (int page = 0;; ++page) {
    const auto result = range(*keyspace, request);
    ASSERT_TRUE(result);
    EXPECT_EQ(result->revision, 9);
    for (const auto& entry : result->entries) seen.push_back(entry.key + *entry.value);
    if (!result->more) break;
    EXPECT_EQ(result->entries.size(), 4u);
    ASSERT_LT(page, 3);
    request.start_after = result->entries.back().key;
    request.revision = result->revision;
    put(*keyspace, "k8", "new");
    put(*keyspace, "k55", "new");
    if (page == 0) remove(*keyspace, "k7");
  }
  ASSERT_EQ(seen.size(), 9u);
  EXPECT_EQ(seen[8], "k8old");
  EXPECT_EQ(seen[7], "k7old");
}

TEST_P(StoreContract, APageThatEndsExactlyHasNoMore) {
  const auto keyspace = open("a");
  put(*keyspace, "k1", "v");
  put(*keyspace, "k2", "v");
  put(*keyspace, "z", "v");
  store::RangeRequest request;
  request.prefix = "k";
  request.limit = 2;
  EXPECT_FALSE(range(*keyspace, request)->more);
}

TEST_P(StoreContract, RangesAtEveryRevision) {
  const auto keyspace = open("a");
  put(*keyspace, "a", "1");
  put(*keyspace, "b", "1");
  put(*keyspace, "a", "2");
  remove(*keyspace, "b");
  put(*keyspace, "b", "2");
  EXPECT_EQ(dump(*keyspace, 1), "a=1");
  EXPECT_EQ(dump(*keyspace, 2), "a=1 b=1");
  EXPECT_EQ(dump(*keyspace, 3), "a=2 b=1");
  EXPECT_EQ(dump(*keyspace, 4), "a=2");
  EXPECT_EQ(dump(*keyspace, 5), "a=2 b=2");
  store::RangeRequest future;
  future.revision = 6;
  EXPECT_EQ(range(*keyspace, future).error().code, ErrorCode::invalid);
}

TEST_P(StoreContract, WatchesDeliverEveryEventOnceFromARevision) {
  const auto keyspace = open("a");
  put(*keyspace, "w/a", "1");
  put(*keyspace, "w/a", "2");
  put(*keyspace, "other", "x");
  const auto heard = watch(*keyspace, "w/", 1);
  put(*keyspace, "w/b", "3");
  remove(*keyspace, "w/a");
  const Revision last = put(*keyspace, "other", "y");
  ASSERT_TRUE(wait([&] { return !heard->batches.empty() && heard->batches.back() == last; }));
  ASSERT_EQ(heard->events.size(), 3u);
  EXPECT_EQ(heard->events[0].entry.key, "w/a");
  EXPECT_EQ(*heard->events[0].entry.value, "2");
  EXPECT_EQ(heard->events[0].entry.created, 1);
  EXPECT_EQ(heard->events[0].entry.modified, 2);
  ASSERT_TRUE(heard->events[0].previous);
  EXPECT_EQ(*heard->events[0].previous->value, "1");
  EXPECT_EQ(heard->events[0].previous->modified, 1);
  EXPECT_FALSE(heard->events[1].previous);
  EXPECT_EQ(heard->events[2].type, Event::Type::deletion);
  EXPECT_EQ(heard->events[2].entry.modified, 5);
  ASSERT_TRUE(heard->events[2].previous);
  EXPECT_EQ(*heard->events[2].previous->value, "2");
  heard->watch.reset();
}

TEST_P(StoreContract, AWatchOfTheFutureStartsThere) {
  const auto keyspace = open("a");
  const auto heard = watch(*keyspace, "", 2);
  for (int i = 1; i <= 4; ++i) put(*keyspace, "k", std::to_string(i));
  ASSERT_TRUE(wait([&] { return !heard->batches.empty() && heard->batches.back() == 4; }));
  ASSERT_EQ(heard->events.size(), 2u);
  EXPECT_EQ(heard->events[0].entry.modified, 3);
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
  put(*keyspace, "l", "v");
  world_->run_for(std::chrono::seconds(1));
  EXPECT_TRUE(heard->events.empty());
}

TEST_P(StoreContract, AClosedKeyspaceCommitsButDoesNotAnswer) {
  auto closing = open("a");
  bool answered = false;
  on_executor([&] {
    Transaction transaction;
    transaction.puts = {{"k", bytes("v"), {}}};
    closing->transact(std::move(transaction), [&](auto) { answered = true; });
    closing.reset();
  });
  const auto keyspace = open("a");
  world_->run_for(std::chrono::seconds(1));
  EXPECT_EQ(head(*keyspace), 1);
  EXPECT_FALSE(answered);
  EXPECT_EQ(dump(*keyspace), "k=v");
}

// Two writers, each with a handle of its own, increment counters by compare-and-set while two
// watches look on; nothing is lost, repeated or reordered.
TEST_P(StoreContract, ConcurrentWritersNeverLoseAnUpdate) {
  const auto first = open("a");
  const auto second = open("a");
  const auto all = watch(*first, "", 0);
  const auto some = watch(*second, "n1", 0);
  constexpr int target = 40;
  int won = 0, lost = 0;
  std::vector<std::function<void()>> tries(6);
  for (int writer = 0; writer < 6; ++writer) {
    Keyspace& keyspace = writer % 2 == 0 ? *first : *second;
    const std::string key = "n" + std::to_string(writer % 3);
    tries[writer] = [&, key, writer] {
      if (won >= target) return;
      store::RangeRequest request;
      request.prefix = key;
      keyspace.range(request, [&, key, writer](base::Result<store::RangeResult> now) {
        const auto& entries = now->entries;
        const int value = entries.empty() ? 0 : std::stoi(*entries[0].value);
        auto change =
            put_if(key, std::to_string(value + 1), entries.empty() ? 0 : entries[0].modified);
        keyspace.transact(change, [&, writer](base::Result<store::TransactionResult> result) {
          ASSERT_TRUE(result);
          if (result->committed)
            ++won;
          else
            ++lost;
          tries[writer]();
        });
      });
    };
  }
  on_executor([&] {
    for (auto& one : tries) one();
  });
  ASSERT_TRUE(wait([&] { return won >= target; }));
  world_->run_for(std::chrono::seconds(5));
  EXPECT_GT(lost, 0);
  EXPECT_EQ(head(*first), won);
  int sum = 0;
  const auto counters = range(*first, {});
  for (const auto& entry : counters->entries) sum += std::stoi(*entry.value);
  EXPECT_EQ(sum, won);
  ASSERT_EQ(all->events.size(), static_cast<std::size_t>(won));
  std::map<std::string, int> counts;
  for (int i = 0; i < won; ++i) {
    EXPECT_EQ(all->events[i].entry.modified, i + 1);
    EXPECT_EQ(std::stoi(*all->events[i].entry.value), ++counts[all->events[i].entry.key]);
  }
  EXPECT_EQ(static_cast<int>(some->events.size()), counts["n1"]);
  EXPECT_TRUE(std::is_sorted(all->batches.begin(), all->batches.end()));
  all->watch.reset();
  some->watch.reset();
}

TEST_P(StoreContract, WatchesJoinAtAnyMomentWithoutGapOrRepeat) {
  const auto keyspace = open("a");
  std::vector<std::unique_ptr<Heard>> watches;
  int answered = 0;
  for (int i = 0; i < 60; ++i) {
    on_executor([&] {
      Transaction transaction;
      transaction.puts = {{"k" + std::to_string(i % 7), bytes(std::to_string(i)), {}}};
      keyspace->transact(std::move(transaction), [&](auto) { ++answered; });
    });
    if (i % 10 == 5) watches.push_back(watch(*keyspace, "", i / 2 > answered ? 0 : i / 2));
  }
  ASSERT_TRUE(wait([&] { return answered == 60; }));
  world_->run_for(std::chrono::seconds(5));
  for (const auto& heard : watches) {
    ASSERT_FALSE(heard->events.empty());
    EXPECT_EQ(heard->events.back().entry.modified, 60);
    for (std::size_t i = 1; i < heard->events.size(); ++i) {
      EXPECT_EQ(heard->events[i].entry.modified, heard->events[i - 1].entry.modified + 1);
    }
  }
  watches.clear();
}

TEST_P(StoreContract, CompactionEndsHistoryButKeepsTheCurrentValues) {
  const auto keyspace = open("a");
  put(*keyspace, "a", "1");
  put(*keyspace, "b", "1");
  put(*keyspace, "a", "2");
  remove(*keyspace, "b");
  put(*keyspace, "c", "1");
  ASSERT_TRUE(compact(*keyspace, 4));
  world_->run_for(std::chrono::seconds(5));
  store::RangeRequest old;
  old.revision = 3;
  EXPECT_EQ(range(*keyspace, old).error().code, ErrorCode::expired);
  EXPECT_EQ(dump(*keyspace, 4), "a=2");
  EXPECT_EQ(dump(*keyspace), "a=2 c=1");
  const auto late = watch(*keyspace, "", 3);
  ASSERT_TRUE(wait([&] { return !late->ends.empty(); }));
  EXPECT_EQ(late->ends[0].code, ErrorCode::expired);
  EXPECT_TRUE(late->events.empty());
  const auto fine = watch(*keyspace, "", 4);
  ASSERT_TRUE(wait([&] { return !fine->events.empty(); }));
  EXPECT_EQ(fine->events[0].entry.key, "c");
  ASSERT_TRUE(compact(*keyspace, 2)) << "a compaction of the past does nothing";
  EXPECT_EQ(compact(*keyspace, 6).error().code, ErrorCode::invalid);
  put(*keyspace, "a", "3");
  ASSERT_TRUE(wait([&] { return fine->events.size() == 2; }));
  ASSERT_TRUE(fine->events[1].previous);
  EXPECT_EQ(*fine->events[1].previous->value, "2");
  late->watch.reset();
  fine->watch.reset();
}

TEST_P(StoreContract, KeysExpireWithARevisionOfTheirOwn) {
  const auto keyspace = open("a");
  put(*keyspace, "short", "1", std::chrono::seconds(10));
  put(*keyspace, "renewed", "1", std::chrono::seconds(10));
  put(*keyspace, "kept", "1", std::chrono::seconds(10));
  const auto heard = watch(*keyspace, "", head(*keyspace));
  world_->run_for(std::chrono::seconds(5));
  EXPECT_EQ(dump(*keyspace), "kept=1 renewed=1 short=1");
  put(*keyspace, "renewed", "2", std::chrono::seconds(10));
  put(*keyspace, "kept", "2");
  world_->run_for(std::chrono::seconds(8));
  EXPECT_EQ(dump(*keyspace), "kept=2 renewed=2");
  world_->run_for(std::chrono::seconds(8));
  EXPECT_EQ(dump(*keyspace), "kept=2");
  EXPECT_EQ(head(*keyspace), 7);
  ASSERT_EQ(heard->events.size(), 4u);
  EXPECT_EQ(heard->events[2].type, Event::Type::deletion);
  EXPECT_EQ(heard->events[2].entry.key, "short");
  EXPECT_EQ(heard->events[2].entry.modified, 6);
  heard->watch.reset();
}

TEST_P(StoreContract, DropLeavesNoTraceAndFreesTheName) {
  auto keyspace = open("a");
  put(*keyspace, "k", "1");
  put(*keyspace, "k", "2");
  const auto heard = watch(*keyspace, "", 2);
  const auto other = open("b");
  put(*other, "k", "b");
  ASSERT_TRUE(drop("a"));
  Transaction transaction;
  transaction.puts = {{"k", bytes("v"), {}}};
  EXPECT_EQ(transact(*keyspace, transaction).error().code, ErrorCode::not_found);
  EXPECT_EQ(range(*keyspace, {}).error().code, ErrorCode::not_found);
  ASSERT_TRUE(wait([&] { return !heard->ends.empty(); }));
  EXPECT_EQ(heard->ends[0].code, ErrorCode::not_found);
  heard->watch.reset();
  keyspace = open("a");
  EXPECT_EQ(dump(*keyspace), "");
  EXPECT_EQ(put(*keyspace, "k", "again"), 1);
  EXPECT_EQ(dump(*other), "k=b");
  ASSERT_TRUE(drop("never-was"));
}

TEST_P(StoreContract, ReopenedEnginesRememberEverythingAcknowledged) {
  if (!durable()) GTEST_SKIP() << "not durable";
  {
    const auto a = open("a");
    const auto b = open("b");
    const auto gone = open("gone");
    put(*a, "x", "1");
    put(*a, "y", "1");
    put(*a, "x", "2");
    put(*a, "t", "1", std::chrono::seconds(60));
    remove(*a, "y");
    put(*b, "k", "b");
    put(*gone, "k", "gone");
    ASSERT_TRUE(drop("gone"));
  }
  reopen();
  const auto a = open("a");
  const auto b = open("b");
  EXPECT_EQ(head(*a), 5);
  EXPECT_EQ(dump(*a), "t=1 x=2");
  EXPECT_EQ(dump(*a, 2), "x=1 y=1");
  EXPECT_EQ(dump(*b), "k=b");
  EXPECT_EQ(dump(*open("gone")), "");
  const auto entry = range(*a, {})->entries.at(1);
  EXPECT_EQ(entry.created, 1);
  EXPECT_EQ(entry.modified, 3);
  const auto heard = watch(*a, "", 1);
  ASSERT_TRUE(wait([&] { return heard->events.size() == 4; }));
  EXPECT_EQ(*heard->events[1].previous->value, "1");
  EXPECT_EQ(heard->events[3].type, Event::Type::deletion);
  EXPECT_TRUE(transact(*a, put_if("x", "3", 3))->committed);
  EXPECT_EQ(head(*a), 6);
  world_->run_for(std::chrono::seconds(70));
  EXPECT_EQ(dump(*a), "x=3") << "time to live goes on after a restart";
  heard->watch.reset();
}

TEST_P(StoreContract, RevisionsDoNotStartAgainAfterCompactionAndReopening) {
  if (!durable()) GTEST_SKIP() << "not durable";
  {
    const auto a = open("a");
    put(*a, "x", "1");
    put(*a, "y", "1");
    remove(*a, "x");
    remove(*a, "y");
    ASSERT_TRUE(compact(*a, 4));
    world_->run_for(std::chrono::seconds(5));
  }
  reopen();
  const auto a = open("a");
  EXPECT_EQ(head(*a), 4);
  EXPECT_EQ(put(*a, "x", "2"), 5);
  const auto old = watch(*a, "", 3);
  ASSERT_TRUE(wait([&] { return !old->ends.empty(); }));
  EXPECT_EQ(old->ends[0].code, ErrorCode::expired);
  old->watch.reset();
}

// Random transactions beside a model that is a map a revision.
TEST_P(StoreContract, AgreesWithAPlainModel) {
  auto keyspace = open("a");
  base::Random random(static_cast<std::uint64_t>(std::get<1>(GetParam())) + 99);
  std::vector<std::map<std::string, std::string>> states(1);
  Revision compacted = 0;
  for (int i = 0; i < 150; ++i) {
    auto state = states.back();
    Transaction transaction;
    std::set<std::string> used;
    bool effect = false;
    for (std::uint64_t n = 1 + random.below(4); n > 0; --n) {
      const std::string key = "k" + std::to_string(random.below(12));
      if (!used.insert(key).second) continue;
      if (random.chance(0.3)) {
        transaction.deletes.push_back({key});
        effect |= state.erase(key) > 0;
      } else {
        transaction.puts.push_back({key, bytes(std::to_string(i)), {}});
        state[key] = std::to_string(i);
        effect = true;
      }
    }
    ASSERT_TRUE(transact(*keyspace, std::move(transaction))->committed);
    if (effect) states.push_back(std::move(state));
    const auto top = static_cast<Revision>(states.size()) - 1;
    if (random.chance(0.03)) {
      compacted = compacted + static_cast<Revision>(
                                  random.below(static_cast<std::uint64_t>(top - compacted + 1)));
      ASSERT_TRUE(compact(*keyspace, compacted));
    }
    if (durable() && random.chance(0.03)) {
      keyspace.reset();
      reopen();
      keyspace = open("a");
    }
    if (top == 0) continue;
    const Revision at = std::max<Revision>(
        1, compacted + static_cast<Revision>(
                           random.below(static_cast<std::uint64_t>(top - compacted + 1))));
    std::string expected;
    for (const auto& [key, value] : states[static_cast<std::size_t>(at)]) {
      expected += (expected.empty() ? "" : " ") + key + "=" + value;
    }
    ASSERT_EQ(dump(*keyspace, at), expected) << "at " << at << " of " << top;
  }
}

INSTANTIATE_TEST_SUITE_P(Engines, StoreContract,
                         testing::Combine(testing::ValuesIn(store_subjects()),
                                          testing::Values(1, 2, 3)),
                         [](const auto& info) {
                           return std::get<0>(info.param).name + "_" +
                                  std::to_string(std::get<1>(info.param));
                         });

}  // namespace
}  // namespace keelway::contract
