#include <cstdlib>
#include <filesystem>

#include "contract/store_contract.h"

namespace keelway::contract {
using store::Revision;

store::Bytes bytes(const std::string& text) {
  return std::make_shared<const std::string>(text);
}

store::Transaction put_if(const std::string& key, const std::string& value, Revision modified) {
  store::Transaction transaction;
  transaction.compares.push_back({key, modified});
  transaction.puts.push_back({key, bytes(value), std::nullopt});
  return transaction;
}

std::vector<Revision> revisions_of(const Heard& heard) {
  std::vector<Revision> revisions;
  for (const store::Event& event : heard.events) revisions.push_back(event.entry.modified);
  return revisions;
}

void StoreContract::SetUp() {
  std::string pattern = (std::filesystem::temp_directory_path() / "keelway-store-XXXXXX").string();
  ASSERT_NE(mkdtemp(pattern.data()), nullptr);
  folder_ = pattern;
  const auto seed = static_cast<std::uint64_t>(std::get<1>(GetParam()));
  ground_ = subject().real ? make_linux_ground() : make_virtual_ground(seed);
  on_executor([&] { engine_ = subject().make(*ground_, folder_); });
  ASSERT_NE(engine_, nullptr);
}

void StoreContract::TearDown() {
  on_executor([&] { engine_.reset(); });
  ground_.reset();
  std::filesystem::remove_all(folder_);
}

void StoreContract::reopen() {
  on_executor([&] {
    engine_.reset();
    engine_ = subject().make(*ground_, folder_);
  });
  ASSERT_NE(engine_, nullptr);
}

void StoreContract::expect_current(Revision told, Revision last) const {
  if (dense()) {
    EXPECT_EQ(told, last);
  } else {
    EXPECT_GE(told, last);
  }
}

void StoreContract::let_time_pass() {
  pass(subject().real ? base::Duration(std::chrono::milliseconds(50)) : std::chrono::seconds(5));
}

base::Instant StoreContract::now() {
  base::Instant now;
  on_executor([&] { now = ground_->executor().now(); });
  return now;
}

void StoreContract::on_executor(std::function<void()> call) {
  bool ran = false;
  ground_->executor().post([&] {
    call();
    ran = true;
  });
  ASSERT_TRUE(wait([&] { return ran; }));
}

namespace {

// Runs `call` with a callback and answers what that got.
template <class T, class Call>
base::Result<T> answer_of(Ground& ground, Call call) {
  auto answer = std::make_shared<std::optional<base::Result<T>>>();
  ground.executor().post([&call, answer] {
    call([answer](base::Result<T> result) {
      EXPECT_FALSE(*answer) << "answered twice";
      *answer = std::move(result);
    });
    EXPECT_FALSE(*answer) << "answered inside the call";
  });
  if (!ground.wait([&] { return answer->has_value(); })) {
    ADD_FAILURE() << "no answer";
    return base::fail(base::ErrorCode::internal, "no answer");
  }
  return std::move(**answer);
}

}  // namespace

base::Result<store::TransactionResult> StoreContract::transact(store::Keyspace& keyspace,
                                                               store::Transaction transaction) {
  return answer_of<store::TransactionResult>(
      *ground_, [&](auto done) { keyspace.transact(std::move(transaction), std::move(done)); });
}

Revision StoreContract::put(store::Keyspace& keyspace, const std::string& key,
                            const std::string& value, std::optional<base::Duration> time_to_live) {
  store::Transaction transaction;
  transaction.puts.push_back({key, bytes(value), time_to_live});
  const auto result = transact(keyspace, std::move(transaction));
  EXPECT_TRUE(result && result->committed) << key;
  return result ? result->revision : 0;
}

Revision StoreContract::remove(store::Keyspace& keyspace, const std::string& key) {
  store::Transaction transaction;
  transaction.deletes.push_back({key});
  const auto result = transact(keyspace, std::move(transaction));
  EXPECT_TRUE(result && result->committed) << key;
  return result ? result->revision : 0;
}

base::Result<store::RangeResult> StoreContract::range(store::Keyspace& keyspace,
                                                      store::RangeRequest request) {
  return answer_of<store::RangeResult>(
      *ground_, [&](auto done) { keyspace.range(std::move(request), std::move(done)); });
}

Revision StoreContract::head(store::Keyspace& keyspace) {
  const auto result =
      answer_of<Revision>(*ground_, [&](auto done) { keyspace.head(std::move(done)); });
  EXPECT_TRUE(result);
  return result.value_or(-1);
}

base::Result<void> StoreContract::compact(store::Keyspace& keyspace, Revision revision) {
  return answer_of<void>(*ground_, [&](auto done) { keyspace.compact(revision, std::move(done)); });
}

base::Result<void> StoreContract::drop(const std::string& keyspace) {
  return answer_of<void>(
      *ground_, [&](auto done) { engine_->drop(keyspace, ground_->executor(), std::move(done)); });
}

std::unique_ptr<Heard> StoreContract::watch(store::Keyspace& keyspace, const std::string& prefix,
                                            Revision after, bool previous) {
  auto heard = std::make_unique<Heard>();
  on_executor([&, to = heard.get()] {
    store::WatchRequest request;
    request.prefix = prefix;
    request.after = after;
    request.previous = previous;
    request.on_events = [to](const store::EventBatch& batch) {
      to->events.insert(to->events.end(), batch.events.begin(), batch.events.end());
      to->batches.push_back(batch.revision);
    };
    request.on_end = [to](base::Error error) { to->ends.push_back(std::move(error)); };
    to->watch = keyspace.watch(std::move(request));
    EXPECT_TRUE(to->events.empty() && to->ends.empty()) << "delivered inside the call";
  });
  return heard;
}

std::string StoreContract::dump(store::Keyspace& keyspace, Revision revision) {
  store::RangeRequest request;
  request.revision = revision;
  const auto result = range(keyspace, std::move(request));
  if (!result) return result.error().message;
  std::string text;
  for (const store::Entry& entry : result->entries) {
    if (!text.empty()) text += ' ';
    text += entry.key + "=" + *entry.value;
  }
  return text;
}

}  // namespace keelway::contract
