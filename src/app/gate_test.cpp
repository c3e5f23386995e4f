#include "app/gate.h"

#include <gtest/gtest.h>

#include "runtime/testing/rig.h"

namespace keelway::app {
namespace {

struct Heard final : http::Exchange {
  int status = 0;
  void respond(http::Response response) override { status = response.status; }
  void start(int, std::vector<http::Header>) override {}
  void write(std::string) override {}
  void finish() override {}
  void abort() override {}
  std::size_t pending_bytes() const override { return 0; }
  void on_drained(std::move_only_function<void()>) override {}
  void on_gone(std::move_only_function<void()>) override {}
};

struct Behind final : http::Handler {
  std::string targets;
  void handle(http::Request request, std::shared_ptr<http::Exchange> exchange) override {
    targets += request.target;
    exchange->respond({});
  }
};

std::shared_ptr<Heard> ask(Gate& gate, const std::string& target) {
  auto exchange = std::make_shared<Heard>();
  http::Request request;
  request.target = target;
  gate.handle(std::move(request), exchange);
  return exchange;
}

struct GateTest : ::testing::Test {
  runtime::testing::VirtualRig rig;
  Gate gate{rig.executor()};
};

TEST_F(GateTest, WhoComesEarlyWaitsAndGoesInFirst) {
  rig.run([&] {
    Behind behind;
    const auto first = ask(gate, "/a"), second = ask(gate, "/b");
    EXPECT_EQ(first->status, 0);
    gate.open(behind);
    const auto third = ask(gate, "/c");
    EXPECT_EQ(behind.targets, "/a/b/c");
    for (const auto& each : {first, second, third}) EXPECT_EQ(each->status, 200);
  });
}

TEST_F(GateTest, NobodyWaitsForWhatStops) {
  rig.run([&] {
    const auto early = ask(gate, "/a");
    gate.close();
    EXPECT_EQ(early->status, 503);
    EXPECT_EQ(ask(gate, "/b")->status, 503);
  });
}

TEST_F(GateTest, NobodyWaitsForEver) {
  std::shared_ptr<Heard> early;
  rig.run([&] { early = ask(gate, "/a"); });
  const auto begun = rig.world().now();
  EXPECT_TRUE(rig.wait([&] { return early->status == 503; }));
  EXPECT_GE(rig.world().now() - begun, std::chrono::seconds(9));
}

TEST_F(GateTest, SoManyWaitAndNoMore) {
  rig.run([&] {
    std::vector<std::shared_ptr<Heard>> all;
    for (int i = 0; i < 1001; ++i) all.push_back(ask(gate, "/"));
    EXPECT_EQ(all[999]->status, 0);
    EXPECT_EQ(all[1000]->status, 503);
  });
}

}  // namespace
}  // namespace keelway::app
