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
  expect_dense(head(*keyspace), 0);
  const Revision one = put(*keyspace, "k", "1");
  const Revision two = put(*keyspace, "k", "2");
  Transaction many;
  many.puts = {{"x", bytes("1"), {}}, {"y", bytes("2"), {}}};
  many.deletes = {{"k"}};
  const Revision three = transact(*keyspace, many)->revision;
  EXPECT_TRUE(0 < one && one < two && two < three) << one << ' ' << two << ' ' << three;
  expect_dense((std::vector{one, two, three}), (std::vector<Revision>{1, 2, 3}));
  expect_current(head(*keyspace), three);
  EXPECT_EQ(dump(*keyspace), "x=1 y=2");
  const std::vector<store::Entry> entries = range(*keyspace, {})->entries;
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].modified, three);
  EXPECT_EQ(entries[1].modified, three);
}

TEST_P(StoreContract, WhatWritesNothingMakesNoRevision) {
  const auto keyspace = open("a");
  const Revision made = put(*keyspace, "k", "1");
  const auto heard = watch(*keyspace, "", made);
  Transaction only_compares;
  only_compares.compares = {{"k", made}, {"absent", 0}};
  auto result = transact(*keyspace, only_compares);
  EXPECT_TRUE(result->committed);
  expect_current(result->revision, made);
  Transaction absent;
  absent.deletes = {{"absent"}};
  result = transact(*keyspace, absent);
  EXPECT_TRUE(result->committed);
  expect_current(result->revision, made);
  expect_current(head(*keyspace), made);
  put(*keyspace, "k", "2");
  ASSERT_TRUE(wait([&] { return !heard->events.empty(); }));
  ASSERT_EQ(heard->events.size(), 1u);
  EXPECT_EQ(*heard->events[0].entry.value, "2");
  heard->watch.reset();
}

TEST_P(StoreContract, KeyspacesHaveRevisionsOfTheirOwn) {
  const auto a = open("a");
  const auto b = open("b");
  const Revision one = put(*a, "k", "1");
  EXPECT_LT(one, put(*a, "k", "2"));
  const Revision other = put(*b, "k", "b");
  expect_dense(other, 1);
  EXPECT_EQ(dump(*a), "k=2");
  EXPECT_EQ(dump(*b), "k=b");
  const auto heard = watch(*a, "", one);
  const Revision last = put(*a, "k", "3");
  ASSERT_TRUE(wait([&] { return !heard->batches.empty() && heard->batches.back() >= last; }));
  EXPECT_EQ(heard->events.size(), 2u) << "what is written in one is not seen in another";
  heard->watch.reset();
}

TEST_P(StoreContract, CreatedSurvivesWritesAndStartsAnewAfterDeletion) {
  const auto keyspace = open("a");
  const Revision one = put(*keyspace, "k", "1");
  const Revision two = put(*keyspace, "k", "2");
  auto entry = range(*keyspace, {})->entries.at(0);
  EXPECT_EQ(entry.created, one);
  EXPECT_EQ(entry.modified, two);
  remove(*keyspace, "k");
  const Revision four = put(*keyspace, "k", "3");
  entry = range(*keyspace, {})->entries.at(0);
  EXPECT_EQ(entry.created, four);
  EXPECT_EQ(entry.modified, four);
}

TEST_P(StoreContract, AllComparesMustHoldAndDifferingEntriesAreReported) {
  const auto keyspace = open("a");
  const Revision same = put(*keyspace, "same", "1");
  const Revision other = put(*keyspace, "other", "2");
  Transaction transaction;
  transaction.compares = {{"same", same}, {"other", same}, {"absent", 7}, {"nothing", 0}};
  transaction.puts = {{"new", bytes("x"), {}}};
  const auto result = transact(*keyspace, transaction);
  ASSERT_TRUE(result);
  EXPECT_FALSE(result->committed);
  expect_current(result->revision, other);
  ASSERT_EQ(result->conflicts.size(), 1u);
  EXPECT_EQ(result->conflicts[0].key, "other");
  EXPECT_EQ(*result->conflicts[0].value, "2");
  EXPECT_EQ(result->conflicts[0].created, other);
  EXPECT_EQ(result->conflicts[0].modified, other);
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
  expect_dense(head(*keyspace), 0);
  EXPECT_EQ(dump(*keyspace), "");
}

TEST_P(StoreContract, RangesSelectByPrefixInKeyOrder) {
  const auto keyspace = open("a");
  Revision last = 0;
  for (const char* key : {"/b/2", "/b/1", "/c", "/a", "/b", "/b/1/x", "/b0"}) {
    last = put(*keyspace, key, "v");
  }
  store::RangeRequest request;
  request.prefix = "/b/";
  const auto result = range(*keyspace, request);
  std::vector<std::string> keys;
  for (const auto& entry : result->entries) keys.push_back(entry.key);
  EXPECT_EQ(keys, (std::vector<std::string>{"/b/1", "/b/1/x", "/b/2"}));
  EXPECT_FALSE(result->more);
  expect_current(result->revision, last);
  request.start_after = "/b/1";
  ASSERT_EQ(range(*keyspace, request)->entries.size(), 2u);
  request.start_after = "/c";
  EXPECT_TRUE(range(*keyspace, request)->entries.empty()) << "after the end of the prefix";
  request.start_after = "/a";
  EXPECT_EQ(range(*keyspace, request)->entries.size(), 3u) << "before its start";
}

TEST_P(StoreContract, PagesOfOneRevisionFormOneSnapshot) {
  const auto keyspace = open("a");
  Revision last = 0, snapshot = 0;
  for (int i = 0; i < 9; ++i) last = put(*keyspace, "k" + std::to_string(i), "old");
  std::vector<std::string> seen;
  store::RangeRequest request;
  request.prefix = "k";
  request.limit = 4;
  for (int page = 0;; ++page) {
    const auto result = range(*keyspace, request);
    ASSERT_TRUE(result);
    if (page == 0) expect_current(snapshot = result->revision, last);
    EXPECT_EQ(result->revision, snapshot);
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
  std::vector<Revision> at;
  at.push_back(put(*keyspace, "a", "1"));
  at.push_back(put(*keyspace, "b", "1"));
  at.push_back(put(*keyspace, "a", "2"));
  at.push_back(remove(*keyspace, "b"));
  at.push_back(put(*keyspace, "b", "2"));
  EXPECT_EQ(dump(*keyspace, at[0]), "a=1");
  EXPECT_EQ(dump(*keyspace, at[1]), "a=1 b=1");
  EXPECT_EQ(dump(*keyspace, at[2]), "a=2 b=1");
  EXPECT_EQ(dump(*keyspace, at[3]), "a=2");
  EXPECT_EQ(dump(*keyspace, at[4]), "a=2 b=2");
  store::RangeRequest future;
  future.revision = far_future(*keyspace);
  EXPECT_EQ(range(*keyspace, future).error().code, ErrorCode::invalid);
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
  for (int i = 0; i < 100 && dump(*keyspace).empty(); ++i) let_time_pass();
  EXPECT_EQ(dump(*keyspace), "k=v");
  expect_current(head(*keyspace), 1);
  EXPECT_FALSE(answered);
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
  let_time_pass();
  EXPECT_GT(lost, 0);
  expect_current(head(*first), won);
  int sum = 0;
  const auto counters = range(*first, {});
  for (const auto& entry : counters->entries) sum += std::stoi(*entry.value);
  EXPECT_EQ(sum, won);
  wait([&] { return all->events.size() >= static_cast<std::size_t>(won); });
  ASSERT_EQ(all->events.size(), static_cast<std::size_t>(won));
  std::map<std::string, int> counts;
  for (int i = 0; i < won; ++i) {
    expect_dense(all->events[i].entry.modified, i + 1);
    EXPECT_TRUE(i == 0 || all->events[i].entry.modified > all->events[i - 1].entry.modified);
    EXPECT_EQ(std::stoi(*all->events[i].entry.value), ++counts[all->events[i].entry.key]);
  }
  wait([&] { return static_cast<int>(some->events.size()) >= counts["n1"]; });
  EXPECT_EQ(static_cast<int>(some->events.size()), counts["n1"]);
  EXPECT_TRUE(std::is_sorted(all->batches.begin(), all->batches.end()));
  all->watch.reset();
  some->watch.reset();
}

TEST_P(StoreContract, CompactionEndsHistoryButKeepsTheCurrentValues) {
  const auto keyspace = open("a");
  std::vector<Revision> at = {0};
  at.push_back(put(*keyspace, "a", "1"));
  at.push_back(put(*keyspace, "b", "1"));
  at.push_back(put(*keyspace, "a", "2"));
  at.push_back(remove(*keyspace, "b"));
  at.push_back(put(*keyspace, "c", "1"));
  ASSERT_TRUE(compact(*keyspace, at[4]));
  let_time_pass();
  store::RangeRequest old;
  old.revision = at[3];
  EXPECT_EQ(range(*keyspace, old).error().code, ErrorCode::expired);
  EXPECT_EQ(dump(*keyspace, at[4]), "a=2");
  EXPECT_EQ(dump(*keyspace), "a=2 c=1");
  const auto late = watch(*keyspace, "", at[3]);
  ASSERT_TRUE(wait([&] { return !late->ends.empty(); }));
  EXPECT_EQ(late->ends[0].code, ErrorCode::expired);
  EXPECT_TRUE(late->events.empty());
  const auto fine = watch(*keyspace, "", at[4]);
  ASSERT_TRUE(wait([&] { return !fine->events.empty(); }));
  EXPECT_EQ(fine->events[0].entry.key, "c");
  ASSERT_TRUE(compact(*keyspace, at[2])) << "a compaction of the past does nothing";
  EXPECT_EQ(compact(*keyspace, far_future(*keyspace)).error().code, ErrorCode::invalid);
  put(*keyspace, "a", "3");
  ASSERT_TRUE(wait([&] { return fine->events.size() == 2; }));
  ASSERT_TRUE(fine->events[1].previous);
  EXPECT_EQ(*fine->events[1].previous->value, "2");
  late->watch.reset();
  fine->watch.reset();
}

TEST_P(StoreContract, KeysExpireWithARevisionOfTheirOwn) {
  const auto keyspace = open("a");
  const base::Duration ttl = time_to_live();
  const base::Instant start = now();
  put(*keyspace, "short", "1", ttl);
  put(*keyspace, "renewed", "1", ttl);
  put(*keyspace, "kept", "1", ttl);
  const auto heard = watch(*keyspace, "", head(*keyspace));
  pass(ttl / 2);
  EXPECT_EQ(dump(*keyspace), "kept=1 renewed=1 short=1");
  const base::Instant later = now();
  put(*keyspace, "renewed", "2", ttl);
  const Revision renewed = put(*keyspace, "kept", "2");
  ASSERT_TRUE(wait([&] { return heard->events.size() == 3; }));
  EXPECT_GE((now() - start).count(), ttl.count());
  EXPECT_EQ(dump(*keyspace), "kept=2 renewed=2");
  ASSERT_TRUE(wait([&] { return heard->events.size() == 4; }));
  EXPECT_GE((now() - later).count(), ttl.count());
  EXPECT_EQ(dump(*keyspace), "kept=2");
  pass(ttl);
  EXPECT_EQ(dump(*keyspace), "kept=2") << "written without a time to live, it stays";
  EXPECT_EQ(heard->events[2].type, Event::Type::deletion);
  EXPECT_EQ(heard->events[2].entry.key, "short");
  EXPECT_GT(heard->events[2].entry.modified, renewed);
  EXPECT_GT(heard->events[3].entry.modified, heard->events[2].entry.modified);
  expect_dense(head(*keyspace), 7);
  heard->watch.reset();
}

TEST_P(StoreContract, DropLeavesNoTraceAndFreesTheName) {
  auto keyspace = open("a");
  put(*keyspace, "k", "1");
  const Revision two = put(*keyspace, "k", "2");
  const auto heard = watch(*keyspace, "", two);
  const auto plain = watch(*keyspace, "", two, false);
  const auto other = open("b");
  put(*other, "k", "b");
  ASSERT_TRUE(drop("a"));
  Transaction transaction;
  transaction.puts = {{"k", bytes("v"), {}}};
  EXPECT_EQ(transact(*keyspace, transaction).error().code, ErrorCode::not_found);
  EXPECT_EQ(range(*keyspace, {}).error().code, ErrorCode::not_found);
  for (Heard* each : {heard.get(), plain.get()}) {
    ASSERT_TRUE(wait([&] { return !each->ends.empty(); }));
    EXPECT_EQ(each->ends[0].code, ErrorCode::not_found);
    EXPECT_TRUE(each->events.empty()) << "the end of a keyspace is not the deletion of its keys";
    each->watch.reset();
  }
  keyspace = open("a");
  EXPECT_EQ(dump(*keyspace), "");
  const auto anew = watch(*keyspace, "", 0, false);
  const Revision again = put(*keyspace, "k", "again");
  expect_dense(again, 1);
  ASSERT_TRUE(wait([&] { return !anew->batches.empty() && anew->batches.back() >= again; }));
  EXPECT_EQ(revisions_of(*anew), std::vector{again}) << "nothing of the earlier keyspace";
  EXPECT_EQ(dump(*keyspace), "k=again");
  EXPECT_EQ(dump(*other), "k=b");
  ASSERT_TRUE(drop("never-was"));
  anew->watch.reset();
}

TEST_P(StoreContract, ReopenedEnginesRememberEverythingAcknowledged) {
  if (!durable()) GTEST_SKIP() << "not durable";
  std::vector<Revision> at = {0};
  {
    const auto a = open("a");
    const auto b = open("b");
    const auto gone = open("gone");
    at.push_back(put(*a, "x", "1"));
    at.push_back(put(*a, "y", "1"));
    at.push_back(put(*a, "x", "2"));
    at.push_back(put(*a, "t", "1", 2 * time_to_live()));
    at.push_back(remove(*a, "y"));
    put(*b, "k", "b");
    put(*gone, "k", "gone");
    ASSERT_TRUE(drop("gone"));
  }
  reopen();
  const auto a = open("a");
  const auto b = open("b");
  expect_current(head(*a), at[5]);
  EXPECT_EQ(dump(*a), "t=1 x=2");
  EXPECT_EQ(dump(*a, at[2]), "x=1 y=1");
  EXPECT_EQ(dump(*b), "k=b");
  EXPECT_EQ(dump(*open("gone")), "");
  const auto entry = range(*a, {})->entries.at(1);
  EXPECT_EQ(entry.created, at[1]);
  EXPECT_EQ(entry.modified, at[3]);
  const auto heard = watch(*a, "", at[1]);
  const auto plain = watch(*a, "", at[1], false);
  ASSERT_TRUE(wait([&] { return heard->events.size() >= 4 && plain->events.size() >= 4; }));
  EXPECT_EQ(*heard->events[1].previous->value, "1");
  EXPECT_EQ(heard->events[3].type, Event::Type::deletion);
  EXPECT_EQ(revisions_of(*plain), std::vector<Revision>(at.begin() + 2, at.end()));
  const auto changed = transact(*a, put_if("x", "3", at[3]));
  EXPECT_TRUE(changed->committed);
  expect_dense(changed->revision, 6);
  ASSERT_TRUE(wait([&] { return heard->events.size() == 6; }));
  EXPECT_EQ(dump(*a), "x=3") << "time to live goes on after a restart";
  heard->watch.reset();
  plain->watch.reset();
}

TEST_P(StoreContract, RevisionsDoNotStartAgainAfterCompactionAndReopening) {
  if (!durable()) GTEST_SKIP() << "not durable";
  Revision third = 0, last = 0;
  {
    const auto a = open("a");
    put(*a, "x", "1");
    put(*a, "y", "1");
    third = remove(*a, "x");
    last = remove(*a, "y");
    ASSERT_TRUE(compact(*a, last));
    let_time_pass();
  }
  reopen();
  const auto a = open("a");
  expect_current(head(*a), last);
  const Revision next = put(*a, "x", "2");
  EXPECT_GT(next, last);
  expect_dense(next, 5);
  const auto old = watch(*a, "", third);
  ASSERT_TRUE(wait([&] { return !old->ends.empty(); }));
  EXPECT_EQ(old->ends[0].code, ErrorCode::expired);
  old->watch.reset();
}

// Random transactions beside a model that is a map a revision.
TEST_P(StoreContract, AgreesWithAPlainModel) {
  auto keyspace = open("a");
  base::Random random(static_cast<std::uint64_t>(std::get<1>(GetParam())) + 99);
  std::vector<std::map<std::string, std::string>> states(1);
  std::vector<Revision> at(1);  // of each state
  std::size_t compacted = 0;
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
    const auto result = transact(*keyspace, std::move(transaction));
    ASSERT_TRUE(result && result->committed);
    if (effect) {
      ASSERT_GT(result->revision, at.back());
      expect_dense(result->revision, at.back() + 1);
      states.push_back(std::move(state));
      at.push_back(result->revision);
    }
    const std::size_t top = states.size() - 1;
    if (random.chance(0.03)) {
      compacted += random.below(top - compacted + 1);
      ASSERT_TRUE(compact(*keyspace, at[compacted]));
    }
    if (durable() && random.chance(0.03)) {
      keyspace.reset();
      reopen();
      keyspace = open("a");
    }
    if (top == 0) continue;
    const std::size_t asked =
        std::max<std::size_t>(1, compacted + random.below(top - compacted + 1));
    std::string expected;
    for (const auto& [key, value] : states[asked]) {
      expected += (expected.empty() ? "" : " ") + key + "=" + value;
    }
    ASSERT_EQ(dump(*keyspace, at[asked]), expected) << "at " << asked << " of " << top;
  }
}

INSTANTIATE_TEST_SUITE_P(Engines, StoreContract,
                         testing::Combine(testing::ValuesIn(store_subjects()),
                                          testing::ValuesIn(store_seeds())),
                         [](const auto& info) {
                           return std::get<0>(info.param).name + "_" +
                                  std::to_string(std::get<1>(info.param));
                         });

}  // namespace
}  // namespace keelway::contract
