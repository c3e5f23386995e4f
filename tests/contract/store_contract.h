// The harness of the store's contract suite: one runtime, seeded or real, one engine under test,
// and calls that wait until they are answered.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/runtime.h"
#include "store/store.h"

namespace keelway::contract {

// What a suite runs on.
class Ground {
 public:
  virtual ~Ground() = default;
  virtual runtime::Runtime& runtime() = 0;
  virtual runtime::Executor& executor() = 0;
  // Until `done()`, asked on the executor, is true; false where that takes too long.
  virtual bool wait(const std::function<bool()>& done) = 0;
  virtual void pass(base::Duration time) = 0;
};
std::unique_ptr<Ground> make_virtual_ground(std::uint64_t seed);
std::unique_ptr<Ground> make_linux_ground();

// One implementation under test.
struct StoreSubject {
  std::string name;
  bool durable = false;  // a second engine from `make` sees what the first one committed
  // Runs on the ground's executor. `folder` is empty at first and stays the same when the engine
  // is opened again.
  std::function<std::unique_ptr<store::Engine>(Ground& ground, const std::string& folder)> make;
  bool dense = true;  // every keyspace counts its own revisions, without gaps
  bool real = false;  // needs the real runtime
  base::Duration time_to_live = std::chrono::seconds(10);  // that can be waited for
};
std::vector<StoreSubject> store_subjects();
std::vector<int> store_seeds();

// Everything that a watch delivered.
struct Heard {
  std::vector<store::Event> events;
  std::vector<store::Revision> batches;
  std::vector<base::Error> ends;
  std::unique_ptr<store::Watch> watch;
};

class StoreContract : public testing::TestWithParam<std::tuple<StoreSubject, int>> {
 protected:
  void SetUp() override;
  void TearDown() override;
  const StoreSubject& subject() const { return std::get<0>(GetParam()); }
  bool durable() const { return subject().durable; }
  bool dense() const { return subject().dense; }
  base::Duration time_to_live() const { return subject().time_to_live; }

  std::unique_ptr<store::Keyspace> open(const std::string& name) {
    return engine_->open(name, ground_->executor());
  }
  // Closes the engine and opens it on the same data; keyspaces must be closed before.
  void reopen();

  base::Result<store::TransactionResult> transact(store::Keyspace& keyspace,
                                                  store::Transaction transaction);
  // Commits one put and answers its revision; fails the test where that is not committed.
  store::Revision put(store::Keyspace& keyspace, const std::string& key, const std::string& value,
                      std::optional<base::Duration> time_to_live = std::nullopt);
  store::Revision remove(store::Keyspace& keyspace, const std::string& key);
  base::Result<store::RangeResult> range(store::Keyspace& keyspace, store::RangeRequest request);
  store::Revision head(store::Keyspace& keyspace);
  base::Result<void> compact(store::Keyspace& keyspace, store::Revision revision);
  base::Result<void> drop(const std::string& keyspace);
  std::unique_ptr<Heard> watch(store::Keyspace& keyspace, const std::string& prefix,
                               store::Revision after, bool previous = true);
  // Only where the engine counts without gaps.
  template <class A, class B>
  void expect_dense(const A& actual, const B& expected) const {
    if (dense()) {
      EXPECT_EQ(actual, expected);
    }
  }
  // A revision that the keyspace told as its current one, where `last` was its last commit.
  void expect_current(store::Revision told, store::Revision last) const;
  store::Revision far_future(store::Keyspace& keyspace) { return head(keyspace) + 1'000'000; }
  // "a=1 b=2" of the keyspace at a revision.
  std::string dump(store::Keyspace& keyspace, store::Revision revision = 0);
  // Runs `call`, which posts or calls into the engine, on the executor.
  void on_executor(std::function<void()> call);
  bool wait(const std::function<bool()>& done) { return ground_->wait(done); }
  void pass(base::Duration time) { ground_->pass(time); }
  // For what should not happen to show itself.
  void let_time_pass();
  base::Instant now();

  std::unique_ptr<Ground> ground_;
  std::unique_ptr<store::Engine> engine_;
  std::string folder_;
};

std::vector<store::Revision> revisions_of(const Heard& heard);
store::Bytes bytes(const std::string& text);
store::Transaction put_if(const std::string& key, const std::string& value,
                          store::Revision modified);

}  // namespace keelway::contract
