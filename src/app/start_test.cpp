// How a start ends that does not go well.
#include <gtest/gtest.h>

#include <functional>
#include <optional>

#include "app/house.h"
#include "client/resources.h"
#include "runtime/virtual/world.h"
#include "store/memory/memory.h"

namespace keelway::app {
namespace {

using namespace std::chrono_literals;
namespace resources = client::resources;
// What the hub answers instead; none: as it would.
using Refusal = std::function<std::optional<schema::Status>(const client::Call&)>;

class RefusingClient final : public client::Client {
 public:
  RefusingClient(std::unique_ptr<client::Client> inner, runtime::Executor& executor,
                 const Refusal& refusal)
      : inner_(std::move(inner)), executor_(executor), refusal_(refusal) {}
  void call(client::Call call, client::ReplyCallback done) override {
    auto refused = refusal_ ? refusal_(call) : std::nullopt;
    if (!refused) return inner_->call(std::move(call), std::move(done));
    executor_.post([done = std::move(done), status = std::move(*refused)]() mutable {
      done(std::unexpected(std::move(status)));
    });
  }
  std::unique_ptr<client::Subscription> subscribe(
      std::vector<client::Resource> resources,
      std::move_only_function<void(const client::ChangeBatch&)> sink) override {
    return inner_->subscribe(std::move(resources), std::move(sink));
  }

 private:
  std::unique_ptr<client::Client> inner_;
  runtime::Executor& executor_;
  const Refusal& refusal_;
};

struct Start {
  explicit Start(bool shared = false) {
    Config config;
    config.listen_port = 0;
    config.shared_store = shared;
    house = assemble(seams, config);
    house->start([this](base::Result<HouseFacts> told) { facts = std::move(told); });
  }
  ~Start() {
    host->kill();
    house.reset();
  }
  bool stop() {
    bool stopped = false;
    house->stop([&] { stopped = true; });
    return world->run_while_waiting([&] { return stopped; }, 1min);
  }

  Refusal refusal;
  std::vector<std::string> warnings;
  std::unique_ptr<runtime::World> world = runtime::make_world(1);
  std::unique_ptr<runtime::Host> store_host = world->make_host("store");
  std::unique_ptr<store::Engine> engine = store::make_memory(store_host->runtime());
  std::unique_ptr<runtime::Host> host = world->make_host("server");
  Seams seams{
      .runtime = host->runtime(),
      .engine = *engine,
      .log = {"",
              [this](telemetry::Level level, std::string_view component, std::string_view, auto) {
                if (level == telemetry::Level::warning && component == "start") {
                  warnings.emplace_back(component);
                }
              }},
      .decorate = [this](std::unique_ptr<client::Client> inner, runtime::Executor& executor,
                         auto&) -> std::unique_ptr<client::Client> {
        return std::make_unique<RefusingClient>(std::move(inner), executor, refusal);
      }};
  std::unique_ptr<House> house;
  std::optional<base::Result<HouseFacts>> facts;
};

bool reads_authority(const client::Call& call) {
  return call.resource == resources::cluster_keys && call.verb == client::Verb::get &&
         call.name == "aws-door";
}

TEST(Start, EndsWithWordsWhereAStoredValueDoesNotOpen) {
  Start start;
  start.refusal = [](const client::Call& call) -> std::optional<schema::Status> {
    if (!reads_authority(call)) return std::nullopt;
    return schema::internal_error("StorageError: corrupt object");
  };
  ASSERT_TRUE(start.world->run_while_waiting([&] { return start.facts.has_value(); }, 1min));
  ASSERT_FALSE(start.facts->has_value());
  const std::string& why = start.facts->error().message;
  EXPECT_NE(why.find("aws-door"), std::string::npos) << why;
  EXPECT_NE(why.find("corrupt object"), std::string::npos) << why;
  EXPECT_TRUE(start.stop());
}

TEST(Start, EndsWhereTheFirstKeyIsRefused) {
  Start start;
  start.refusal = [](const client::Call& call) -> std::optional<schema::Status> {
    if (call.resource != resources::access_keys) return std::nullopt;
    return schema::internal_error("broken");
  };
  ASSERT_TRUE(start.world->run_while_waiting([&] { return start.facts.has_value(); }, 1min));
  EXPECT_FALSE(start.facts->has_value());
  EXPECT_TRUE(start.stop());
}

TEST(Start, WaitsForABusyHubAndSaysSoOnce) {
  Start start;
  int refused = 0;
  start.refusal = [&](const client::Call& call) -> std::optional<schema::Status> {
    if (!reads_authority(call) || ++refused > 5) return std::nullopt;
    return schema::service_unavailable("busy");
  };
  ASSERT_TRUE(start.world->run_while_waiting([&] { return start.facts.has_value(); }, 1min));
  EXPECT_TRUE(start.facts->has_value());
  EXPECT_EQ(start.warnings.size(), 1u);
  EXPECT_TRUE(start.stop());
}

TEST(Start, IsGivenUpWhereItWaits) {
  Start start;
  start.refusal = [](const client::Call& call) -> std::optional<schema::Status> {
    if (!reads_authority(call)) return std::nullopt;
    return schema::service_unavailable("busy");
  };
  start.world->run_for(20s);
  EXPECT_FALSE(start.facts.has_value());
  EXPECT_TRUE(start.stop());
  EXPECT_FALSE(start.facts.has_value());
}

// At every step of it, alone and among others.
TEST(Start, IsGivenUpWhereverItIs) {
  for (const bool shared : {false, true}) {
    bool whole = false;
    for (int steps = 0; !whole; steps += 7) {
      Start start(shared);
      for (int i = 0; i < steps; ++i) start.world->step(start.world->now() + 1min);
      whole = start.facts.has_value();
      ASSERT_TRUE(start.stop()) << "after " << steps << " steps";
      ASSERT_EQ(start.facts.has_value(), whole) << "after " << steps << " steps";
      ASSERT_LT(steps, 100'000);
    }
  }
}

}  // namespace
}  // namespace keelway::app
