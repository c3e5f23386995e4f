// Tests that hold engines over a real etcd on one executor of the real runtime.
#pragma once

#include "contract/etcd_process.h"
#include "contract/store_contract.h"
#include "store/etcd/etcd.h"

namespace keelway::contract {

class EtcdGround : public testing::Test {
 protected:
  void run(std::function<void()> task) {
    bool ran = false;
    ground_->executor().post([&] {
      task();
      ran = true;
    });
    ASSERT_TRUE(ground_->wait([&] { return ran; }));
  }
  base::Result<store::TransactionResult> transact(store::Keyspace& keyspace,
                                                  store::Transaction transaction) {
    std::optional<base::Result<store::TransactionResult>> result;
    run([&] { keyspace.transact(std::move(transaction), [&](auto r) { result = std::move(r); }); });
    EXPECT_TRUE(ground_->wait([&] { return result.has_value(); }));
    return std::move(*result);
  }

  const std::unique_ptr<Ground> ground_ = make_linux_ground();
};

// The cluster's address with limits that a test can wait for.
store::EtcdOptions etcd_options(const EtcdCluster& cluster, const std::string& prefix);

}  // namespace keelway::contract
