// Writes on a store that other servers write, too.
#include "apiserver/routing.h"

#include <gtest/gtest.h>

#include <optional>

#include "apiserver/testing/rig.h"
#include "client/resources.h"

namespace keelway::apiserver {
namespace {

// A store whose newest revision cannot be asked for while the way to it is cut.
class CutKeyspace final : public store::Keyspace {
 public:
  CutKeyspace(std::unique_ptr<Keyspace> inner, const bool& cut)
      : inner_(std::move(inner)), cut_(cut) {}
  void transact(store::Transaction transaction, Committed done) override {
    inner_->transact(std::move(transaction), std::move(done));
  }
  void range(store::RangeRequest request, Ranged done) override {
    inner_->range(std::move(request), std::move(done));
  }
  std::unique_ptr<store::Watch> watch(store::WatchRequest request) override {
    return inner_->watch(std::move(request));
  }
  void head(std::move_only_function<void(base::Result<store::Revision>)> done) override {
    if (!cut_) return inner_->head(std::move(done));
    done(base::fail(base::ErrorCode::unavailable, "the store cannot be reached"));
  }
  void compact(store::Revision revision,
               std::move_only_function<void(base::Result<void>)> done) override {
    inner_->compact(revision, std::move(done));
  }

 private:
  const std::unique_ptr<Keyspace> inner_;
  const bool& cut_;
};

TEST(Routing, ARefusalThatCannotBeProvedIsNotGiven) {
  testing::Rig rig(1, testing::Rig::Start::bare);
  bool cut = false;
  std::unique_ptr<Server> server;
  std::unique_ptr<client::Client> client;
  rig.executor->post([&] {
    Config config;
    config.cluster_name = "test";
    config.kinds = kinds::catalog(33);
    config.runtime = &rig.host->runtime();
    config.executor = rig.executor.get();
    config.keyspace = std::make_unique<CutKeyspace>(rig.engine->open("shared", *rig.executor), cut);
    config.shared_store = true;
    config.founding = Founding::later;
    server = make_server(std::move(config));
    server->start([](base::Result<void>) {});
  });
  rig.world->run_while_waiting([&] { return server && server->ready(); });
  rig.executor->post([&] {
    client = server->make_client(*rig.loop_executor,
                                 access::component("system:admin", {"system:masters"}));
  });
  rig.world->run_while_waiting([&] { return client != nullptr; });
  const auto code_of_a_patch = [&] {
    std::optional<int> code;
    rig.loop_executor->post([&] {
      client->call(client::merge_patch_call(client::resources::config_maps, "default", "absent",
                                            value::Value::object({})),
                   [&](const schema::Answer<client::Reply>& answer) {
                     code = answer ? 200 : answer.error().code;
                   });
    });
    rig.world->run_while_waiting([&] { return code.has_value(); });
    return *code;
  };
  EXPECT_EQ(code_of_a_patch(), 404);
  cut = true;
  EXPECT_EQ(code_of_a_patch(), 503) << "another server may have made it";
  bool gone = false;
  rig.loop_executor->post([&] { client.reset(); });
  rig.executor->post([&] {
    server.reset();
    gone = true;
  });
  rig.world->run_while_waiting([&] { return gone; });
}

}  // namespace
}  // namespace keelway::apiserver
