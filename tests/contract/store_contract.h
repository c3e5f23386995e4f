// The harness of the store's contract suite: one seeded world, one engine under test, and calls
// that run the world until they are answered.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/virtual/world.h"
#include "store/store.h"

namespace keelway::contract {

// One implementation under test.
struct StoreSubject {
  std::string name;
  bool durable = false;  // a second engine from `make` sees what the first one committed
  // `folder` is empty at first and stays the same when the engine is opened again.
  std::function<std::unique_ptr<store::Engine>(runtime::Runtime& runtime,
                                               const std::string& folder)>
      make;
};
std::vector<StoreSubject> store_subjects();

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
  bool durable() const { return std::get<0>(GetParam()).durable; }

  std::unique_ptr<store::Keyspace> open(const std::string& name) {
    return engine_->open(name, *executor_);
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
                               store::Revision after);
  // "a=1 b=2" of the keyspace at a revision.
  std::string dump(store::Keyspace& keyspace, store::Revision revision = 0);
  // Runs `call`, which posts or calls into the engine, on the executor.
  void on_executor(std::function<void()> call);
  bool wait(const std::function<bool()>& done);

  std::unique_ptr<runtime::World> world_;
  std::unique_ptr<runtime::Host> host_;
  std::unique_ptr<runtime::Executor> executor_;
  std::unique_ptr<store::Engine> engine_;
  std::string folder_;
};

store::Bytes bytes(const std::string& text);
store::Transaction put_if(const std::string& key, const std::string& value,
                          store::Revision modified);

}  // namespace keelway::contract
