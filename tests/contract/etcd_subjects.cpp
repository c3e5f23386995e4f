// The suite over a real etcd of one member, started once for all tests.
#include <atomic>
#include <cstdio>

#include "contract/etcd_process.h"
#include "contract/store_contract.h"
#include "store/etcd/etcd.h"
#include "store/sealed/sealed.h"

namespace keelway::contract {
namespace {

EtcdCluster& cluster() {
  static EtcdCluster one(1);
  return one;
}

std::unique_ptr<store::Engine> etcd(Ground& ground, const std::string& folder) {
  auto options = store::parse_etcd_url(cluster().url(folder));  // a prefix for each test
  EXPECT_TRUE(options) << options.error().message;
  options->page = 3;  // so that ranges take several
  return store::make_etcd(ground.runtime(), ground.executor(), std::move(*options));
}

std::unique_ptr<store::Engine> sealed_etcd(Ground& ground, const std::string& folder) {
  store::KeyRing ring;
  ring.keys[1] = std::string(32, 'k');
  ring.current = 1;
  auto engine = store::make_sealed(etcd(ground, folder), ground.runtime(), ring);
  EXPECT_TRUE(engine) << engine.error().message;
  return engine ? std::move(*engine) : nullptr;
}

StoreSubject subject(std::string name, decltype(StoreSubject::make) make) {
  StoreSubject made;
  made.name = std::move(name);
  made.durable = made.real = true;
  made.dense = false;
  made.make = std::move(make);
  made.time_to_live = std::chrono::seconds(2);
  return made;
}

}  // namespace

std::vector<StoreSubject> store_subjects() {
  return {subject("etcd", etcd), subject("sealed_etcd", sealed_etcd)};
}

std::vector<int> store_seeds() {
  return {1};
}

}  // namespace keelway::contract

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (keelway::contract::EtcdCluster::program().empty()) {
    std::puts("SKIP: etcd is not installed (Debian: etcd-server)");
    return 77;
  }
  // A member ends with the thread that started it.
  static_cast<void>(keelway::contract::cluster());
  return RUN_ALL_TESTS();
}
