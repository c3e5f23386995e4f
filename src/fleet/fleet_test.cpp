// The cluster loop and the supervisor together, over a fake hub and fake control planes.
#include <gtest/gtest.h>

#include <optional>

#include "client/resources.h"
#include "fleet/cluster_loop.h"
#include "fleet/supervisor.h"
#include "reconcile/testing/fake_api.h"

namespace keelway::fleet {
namespace {

using namespace std::chrono_literals;
namespace resources = client::resources;
using reconcile::testing::FakeApi;
using reconcile::testing::HandExecutor;
using value::Value;

class PromptWorkers final : public runtime::Workers {
 public:
  void run(runtime::Executor& executor, runtime::Task work, runtime::Task done) override {
    work();
    executor.post(std::move(done));
  }
};

class SmallRuntime final : public runtime::Runtime {
 public:
  std::unique_ptr<runtime::Executor> make_executor(std::string, runtime::Lane) override {
    return nullptr;
  }
  runtime::Workers& workers() override { return workers_; }
  runtime::Network& network() override { std::abort(); }
  runtime::Files& files() override { std::abort(); }
  std::string random_bytes(std::size_t count) override {
    return std::string(count, static_cast<char>('a' + drawn_++ % 26));
  }

 private:
  PromptWorkers workers_;
  int drawn_ = 0;
};

struct World;

class FakePlane final : public ControlPlane {
 public:
  FakePlane(HandExecutor& executor, int& alive) : executor_(executor), alive_(alive) { ++alive_; }
  ~FakePlane() override {
    EXPECT_TRUE(stopped_) << "destroyed while it runs";
    --alive_;
  }
  std::uint16_t port() const override { return 7443; }
  void lead(Leadership leadership, Done done) override {
    epoch = leadership.epoch;
    executor_.post([done = std::move(done)]() mutable { done({}); });
  }
  void follow() override { epoch = -1; }
  void upgrade(int, Done done) override {
    executor_.post([done = std::move(done)]() mutable { done({}); });
  }
  std::int64_t epoch = -1;
  void stop(runtime::Task done) override {
    executor_.after(1s, [this, done = std::move(done)]() mutable {
      stopped_ = true;
      done();
    });
  }

 private:
  HandExecutor& executor_;
  int& alive_;
  bool stopped_ = false;
};

struct World {
  HandExecutor executor;
  FakeApi hub{executor};
  SmallRuntime runtime;
  int alive = 0;
  base::Duration assembly{0};
  bool assembly_fails = false;
  std::vector<ControlPlaneSpec> assembled;
  std::vector<std::string> discarded;
  std::unique_ptr<Supervisor> supervisor;
  std::unique_ptr<reconcile::Manager> manager;

  explicit World(base::Duration create_delay = 0s) { start(create_delay); }
  void start(base::Duration create_delay = 0s) {
    supervisor = std::make_unique<Supervisor>(SupervisorParts{
        .runtime = runtime,
        .executor = executor,
        .hub = hub,
        .assemble =
            [this](ControlPlaneSpec spec, Assembled done) {
              EXPECT_NE(hub.get(resources::cluster_keys, "acct", spec.id), nullptr)
                  << "keys are stored before they are used";
              assembled.push_back(spec);
              executor.after(assembly, [this, done = std::move(done)]() mutable {
                if (assembly_fails) return done(base::fail(base::ErrorCode::internal, "broken"));
                done(std::make_unique<FakePlane>(executor, alive));
              });
            },
        .discard =
            [this](const std::string& id, std::move_only_function<void(base::Result<void>)> done) {
              EXPECT_EQ(alive, 0) << "data goes after the control plane";
              discarded.push_back(id);
              executor.post([done = std::move(done)]() mutable { done({}); });
            },
        .advertised_host = "localhost",
        .log = {}});
    // As the fake hub: it lives on.
    supervisor->begin({}, std::shared_ptr<client::Client>(std::shared_ptr<void>(), &hub));
    manager = reconcile::make_manager(executor, hub);
    manager->add(make_cluster_loop({.create_delay = create_delay}),
                 [this](const reconcile::Effect& effect, reconcile::EffectDone done) {
                   supervisor->execute(effect, std::move(done));
                 });
    manager->start();
    executor.run_for(1s);
  }
  bool stop() {
    manager.reset();
    bool stopped = false;
    supervisor->stop_all([&stopped] { stopped = true; });
    executor.run_for(30s);
    if (stopped) supervisor.reset();
    return stopped;
  }
  // As the door writes it: a status comes only from the fleet.
  void create() {
    Value cluster = Value::object(
        {{"metadata", Value::object({{"namespace", "acct"}, {"name", "c"}})},
         {"spec",
          Value::object({{"name", "prod"}, {"version", "1.33"}, {"region", "eu-west-1"}})}});
    hub.put(resources::clusters, cluster);
  }
  Value cluster() {
    const auto object = hub.get(resources::clusters, "acct", "c");
    return object ? object->value() : Value();
  }
  std::string phase() { return cluster().at("status", "status").as_string(); }
  void delete_cluster() {
    hub.call(client::remove_call(resources::clusters, "acct", "c"), [](auto) {});
  }
};

TEST(Fleet, AClusterComesUpAndStaysUp) {
  World world;
  world.create();
  world.executor.run_for(1s);
  EXPECT_EQ(world.phase(), "ACTIVE");
  EXPECT_EQ(world.alive, 1);
  ASSERT_EQ(world.assembled.size(), 1u);
  EXPECT_EQ(world.assembled[0].minor, 33);
  EXPECT_FALSE(world.assembled[0].keys.service_account_key_pem.empty());
  EXPECT_EQ(world.cluster().at("status", "endpoint").as_string(), "https://localhost:7443");
  const std::size_t calls = world.hub.calls.size();
  world.executor.run_for(1h);
  EXPECT_EQ(world.hub.calls.size(), calls);
  EXPECT_EQ(world.executor.pending(), 0u);
  EXPECT_TRUE(world.stop());
  EXPECT_EQ(world.alive, 0);
}

TEST(Fleet, ANewClusterIsCreatingForTheDelay) {
  World world(9min);
  world.create();
  world.executor.run_for(8min);
  EXPECT_NE(world.phase(), "ACTIVE");
  world.executor.run_for(2min);
  EXPECT_EQ(world.phase(), "ACTIVE");
  EXPECT_TRUE(world.stop());
}

TEST(Fleet, ARestartBringsItBackWithItsKeysAndPort) {
  World world;
  world.create();
  world.executor.run_for(1s);
  const Value keys = world.hub.get(resources::cluster_keys, "acct", "c")->value();
  ASSERT_TRUE(world.stop());
  EXPECT_EQ(world.phase(), "ACTIVE") << "a stop of the server is no change of the cluster";
  world.start();
  ASSERT_EQ(world.assembled.size(), 2u);
  EXPECT_EQ(world.assembled[1].port, 7443);
  EXPECT_EQ(world.assembled[1].keys.authority.certificate_pem,
            world.assembled[0].keys.authority.certificate_pem);
  EXPECT_EQ(world.hub.get(resources::cluster_keys, "acct", "c")->value(), keys);
  EXPECT_TRUE(world.stop());
}

TEST(Fleet, DeletionTakesMachinesPlaneDataAndKeys) {
  World world;
  world.create();
  world.hub.put(
      resources::machines,
      Value::object(
          {{"metadata",
            Value::object(
                {{"namespace", "acct"},
                 {"name", "m"},
                 {"labels", Value::object({{std::string(resources::cluster_label), "c"}})}})}}));
  world.executor.run_for(1s);
  world.delete_cluster();
  world.executor.run_for(500ms);
  EXPECT_EQ(world.phase(), "DELETING");
  world.executor.run_for(10s);
  EXPECT_TRUE(world.cluster().is_null());
  EXPECT_EQ(world.alive, 0);
  ASSERT_EQ(world.discarded.size(), 1u);
  EXPECT_TRUE(world.discarded[0].starts_with("c-")) << "a keyspace of its own";
  EXPECT_EQ(world.hub.get(resources::cluster_keys, "acct", "c"), nullptr);
  EXPECT_TRUE(world.hub.list(resources::machines).empty());
  EXPECT_TRUE(world.stop());
}

TEST(Fleet, DeletionFindsAMachineThatCameLast) {
  World world;
  world.create();
  world.executor.run_for(1s);
  bool comes = true;
  world.hub.refuse = [&](const client::Call& call) -> std::optional<schema::Status> {
    if (call.verb == client::Verb::list && call.resource == resources::machines &&
        std::exchange(comes, false)) {
      world.hub.put(
          resources::machines,
          Value::object(
              {{"metadata",
                Value::object({{"namespace", "acct"},
                               {"name", "m"},
                               {"labels", Value::object({{std::string(resources::cluster_label),
                                                          "c"}})}})}}));
    }
    return std::nullopt;
  };
  world.delete_cluster();
  world.executor.run_for(10s);
  EXPECT_FALSE(comes);
  EXPECT_TRUE(world.hub.list(resources::machines).empty());
  EXPECT_TRUE(world.cluster().is_null());
  EXPECT_EQ(world.discarded.size(), 1u);
}

TEST(Fleet, AFailedStartIsTriedAgain) {
  World world;
  world.assembly_fails = true;
  world.create();
  world.executor.run_for(1min);
  EXPECT_GT(world.assembled.size(), 1u);
  EXPECT_LT(world.assembled.size(), 40u);
  world.assembly_fails = false;
  world.executor.run_for(1min);
  EXPECT_EQ(world.phase(), "ACTIVE");
  EXPECT_TRUE(world.stop());
}

TEST(Fleet, StopWaitsForWhatIsComingUp) {
  World world;
  world.assembly = 10s;
  world.create();
  world.executor.run_for(1s);
  ASSERT_EQ(world.assembled.size(), 1u);
  EXPECT_TRUE(world.stop());
  EXPECT_EQ(world.alive, 0);
}

// What a tenure began the next one finds on its way up.
TEST(Fleet, APlaneThatComesUpLateIsNotLeftBehind) {
  World world;
  world.assembly = 10s;
  world.create();
  world.executor.run_for(1s);
  ASSERT_EQ(world.assembled.size(), 1u);
  world.manager.reset();
  world.supervisor->end();
  world.supervisor->begin({}, std::shared_ptr<client::Client>(std::shared_ptr<void>(), &world.hub));
  const auto told = [&](const char* what) {
    std::optional<base::Result<Value>> answer;
    world.supervisor->execute(
        {what, "", Value::object({{"namespace", "acct"}, {"name", "c"}})},
        [&answer](base::Result<Value> result) { answer = std::move(result); });
    world.executor.run_for(2s);
    return answer && answer->has_value();
  };
  EXPECT_FALSE(told("halt")) << "it is not down, it is on its way up";
  EXPECT_FALSE(told("discard"));
  EXPECT_TRUE(world.discarded.empty());
  world.executor.run_for(10s);
  EXPECT_EQ(world.alive, 1);
  EXPECT_TRUE(told("halt"));
  EXPECT_EQ(world.alive, 0);
  EXPECT_TRUE(told("discard"));
  EXPECT_EQ(world.discarded.size(), 1u);
  EXPECT_TRUE(world.stop());
}

TEST(Fleet, LostAnswersOfKeysDrawNoSecondPair) {
  World world;
  int creates = 0;
  world.hub.lose_answer = [&](const client::Call& call) {
    return call.resource == resources::cluster_keys && call.verb == client::Verb::create &&
           ++creates == 1;
  };
  world.create();
  world.executor.run_for(1min);
  EXPECT_EQ(world.phase(), "ACTIVE");
  EXPECT_EQ(creates, 1) << "what is stored is used";
  EXPECT_TRUE(world.stop());
}

}  // namespace
}  // namespace keelway::fleet
