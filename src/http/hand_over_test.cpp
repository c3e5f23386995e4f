// What the tests of the server behind a hand-over (http_test.cpp) cannot see: the edges of two
// executors.
#include "http/hand_over.h"

#include <gtest/gtest.h>

#include "http/inbox.h"
#include "runtime/testing/rig.h"

namespace keelway::http {
namespace {

using runtime::testing::VirtualRig;

// The exchange of the connection, as the test moves it; on the front.
struct FrontExchange final : Exchange {
  std::string said;
  std::size_t pending = 0;
  std::move_only_function<void()> drained, gone;
  bool* destroyed = nullptr;
  bool is_underway = false;

  ~FrontExchange() override {
    if (destroyed != nullptr) *destroyed = true;
  }
  std::size_t heard = 0;  // bytes of whole answers
  void respond(Response response) override {
    heard += response.body.size();
    if (response.body.size() < 100) said += "answer " + response.body;
  }
  void start(int, std::vector<Header>) override { said += "start "; }
  void write(std::string chunk) override { said += chunk; }
  void finish() override { said += " finish"; }
  void abort() override { said += " abort"; }
  std::size_t pending_bytes() const override { return pending; }
  void on_drained(std::move_only_function<void()> callback) override {
    drained = std::move(callback);
  }
  void on_gone(std::move_only_function<void()> callback) override { gone = std::move(callback); }
  void underway(bool now) override { is_underway = now; }
};

struct HandOverTest : ::testing::Test, Handler {
  VirtualRig rig;  // its executor is the back
  std::unique_ptr<runtime::Executor> front = rig.runtime().make_executor("front");
  std::optional<HandOver> hand_over{std::in_place, *front, rig.executor(), *this};
  std::shared_ptr<FrontExchange> near = std::make_shared<FrontExchange>();
  std::shared_ptr<Exchange> far;
  int handled = 0, told_refused = 0;

  void handle(Request, std::shared_ptr<Exchange> exchange) override {
    ++handled;
    if (answer) return answer(*exchange);
    far = std::move(exchange);
  }
  std::function<void(Exchange&)> answer;
  void refused(std::string_view method, int status) override {
    EXPECT_EQ(method, "GET");
    told_refused = status;
  }
  void on_front(std::function<void()> task) {
    bool ran = false;
    front->post([&] {
      task();
      ran = true;
    });
    ASSERT_TRUE(rig.wait([&] { return ran; }));
  }
  void ask() {
    on_front([&] { hand_over->handle({}, near); });
    ASSERT_TRUE(rig.wait([&] { return far != nullptr; }));
  }
};

TEST_F(HandOverTest, CallsArriveInTheirOrder) {
  ask();
  rig.run([&] {
    far->write("never: it has not begun");
    far->start(200, {});
    far->respond({200, {}, "never: it is streamed"});
    far->write("a");
    far->write("b");
    far->finish();
    far->write("never: it has ended");
    far->abort();
    EXPECT_EQ(far->pending_bytes(), 0U);
  });
  ASSERT_TRUE(rig.wait([&] { return near->said.ends_with("finish"); }));
  EXPECT_EQ(near->said, "start ab finish");
}

TEST_F(HandOverTest, ChunksOnTheirWayArePending) {
  ask();
  rig.run([&] {
    far->start(200, {});
    far->write("12345");
    EXPECT_EQ(far->pending_bytes(), 5U);
    near->pending = 3;  // what the exchange will say that it could not send
  });
  ASSERT_TRUE(rig.wait([&] { return far->pending_bytes() == 3; }));
  int drained = 0;
  rig.run([&] { far->on_drained([&] { ++drained; }); });
  on_front([&] {
    near->pending = 0;
    near->drained();
  });
  ASSERT_TRUE(rig.wait([&] { return drained == 1; }));
  rig.run([&] { far->write("6"); });
  EXPECT_TRUE(rig.wait([&] { return drained == 2; })) << "sent at once, and told all the same";
}

TEST_F(HandOverTest, WhatHasDrainedBeforeItWasAskedIsTold) {
  ask();
  rig.run([&] {
    far->start(200, {});
    far->write("1");
  });
  ASSERT_TRUE(rig.wait([&] { return far->pending_bytes() == 0; }));
  bool drained = false;
  rig.run([&] { far->on_drained([&] { drained = true; }); });
  EXPECT_TRUE(rig.wait([&] { return drained; }));
}

TEST_F(HandOverTest, OnceTheClientHasGoneCallsDoNothing) {
  ask();
  int gone = 0;
  rig.run([&] {
    far->start(200, {});
    far->on_gone([&] { ++gone; });
  });
  on_front([&] { std::exchange(near->gone, nullptr)(); });
  ASSERT_TRUE(rig.wait([&] { return gone == 1; }));
  rig.run([&] {
    far->write("never");
    far->finish();
    far->on_gone([&] { ++gone; });
    EXPECT_EQ(gone, 2) << "inside the very call";
  });
  on_front([] {});
  EXPECT_EQ(near->said, "start ");
}

TEST_F(HandOverTest, AForgottenExchangeIsGivenBackToTheFront) {
  ask();
  bool destroyed = false;
  near->destroyed = &destroyed;
  rig.run([&] {
    near.reset();
    far.reset();
    EXPECT_FALSE(destroyed) << "on the back";
  });
  EXPECT_TRUE(rig.wait([&] { return destroyed; }));
}

TEST_F(HandOverTest, AReadWhoseClientHasLeftIsNotHandled) {
  for (const char* method : {"GET", "HEAD", "POST"}) {
    on_front([&] {
      Request request;
      request.method = method;
      hand_over->handle(std::move(request), near);
      std::exchange(near->gone, nullptr)();
    });
    on_front([] {});
    rig.run([] {});
    EXPECT_EQ(handled, method == std::string_view("POST") ? 1 : 0) << method;
  }
}

TEST_F(HandOverTest, AClientThatLeftIsToldInTheVeryCall) {
  ask();
  rig.run([&] {
    std::exchange(near->gone, nullptr)();  // its message waits behind this task
    bool gone = false;
    far->on_gone([&] { gone = true; });
    EXPECT_TRUE(gone);
  });
}

TEST_F(HandOverTest, ARequestIsUnderwayUntilItIsHeard) {
  on_front([&] {
    hand_over->handle({}, near);
    EXPECT_TRUE(near->is_underway);
  });
  EXPECT_TRUE(rig.wait([&] { return !near->is_underway; })) << "though nobody has answered";
  EXPECT_EQ(handled, 1);
}

// The answers of many requests at once wait in the back, not on their way.
TEST_F(HandOverTest, WhileManyBytesAreOnTheirWayNothingIsHeard) {
  constexpr std::size_t size = 1u << 20;
  constexpr int asked = 100;
  std::size_t most = 0, sent = 0;
  answer = [&](Exchange& exchange) {
    sent += size;
    most = std::max(most, sent - near->heard);
    exchange.respond({200, {}, std::string(size, 'x')});
  };
  on_front([&] {
    for (int i = 0; i < asked; ++i) hand_over->handle({}, near);
  });
  EXPECT_TRUE(rig.wait([&] { return near->heard == asked * size; }));
  EXPECT_LE(most, 18 * size);
}

TEST_F(HandOverTest, AStreamedAnswerToHeadEndsWithItsHead) {
  on_front([&] {
    Request request;
    request.method = "HEAD";
    hand_over->handle(std::move(request), near);
  });
  ASSERT_TRUE(rig.wait([&] { return far != nullptr; }));
  rig.run([&] {
    far->start(200, {});
    far->write("never");
  });
  ASSERT_TRUE(rig.wait([&] { return near->said.ends_with("finish"); }));
  EXPECT_EQ(near->said, "start  finish");
}

TEST_F(HandOverTest, ClosingEndsWhatWasStreamed) {
  ask();
  int gone = 0;
  rig.run([&] {
    far->start(200, {});
    far->on_gone([&] { ++gone; });
    far->on_drained([&, kept = far] { ADD_FAILURE() << "the handler may be gone"; });
    far->write("1");
    far.reset();
    hand_over->close();
    EXPECT_EQ(gone, 1);
  });
  ASSERT_TRUE(rig.wait([&] { return near->said == "start 1"; }));
  near.reset();
}

TEST_F(HandOverTest, RefusalsAreTold) {
  on_front([&] { hand_over->refused("GET", 413); });
  EXPECT_TRUE(rig.wait([&] { return told_refused == 413; }));
}

TEST_F(HandOverTest, OnceClosedTheHandlerHearsNothing) {
  bool destroyed = false;
  near->destroyed = &destroyed;
  rig.run([&] { hand_over->close(); });
  on_front([&] {
    hand_over->handle({}, std::move(near));
    hand_over->refused("GET", 413);
  });
  EXPECT_TRUE(rig.wait([&] { return destroyed; }));
  EXPECT_EQ(handled, 0);
  EXPECT_EQ(told_refused, 0);
}

TEST_F(HandOverTest, ExchangesOutliveIt) {
  ask();
  hand_over.reset();
  rig.run([&] {
    far->start(200, {});
    far->on_drained([] {});
    far->write("never");
    far->finish();
    far.reset();
  });
  EXPECT_EQ(near->said, "");
}

TEST(Inbox, HearsMoreOfARush) {
  VirtualRig rig;
  int heard = 0, when_other = 0;
  const auto inbox = std::make_shared<Inbox<int>>(
      rig.executor(), [&](int&) { ++heard; }, InboxOptions{.rush_at = 100});
  rig.run([&] {
    for (int i = 0; i < 1000; ++i) inbox->push(i);
    rig.executor().post([&] { when_other = heard; });
  });
  ASSERT_TRUE(rig.wait([&] { return when_other > 0; }));
  EXPECT_EQ(when_other, 512);
  EXPECT_TRUE(rig.wait([&] { return heard == 1000; }));
}

TEST(Inbox, HearsNothingWhileItIsHeld) {
  VirtualRig rig;
  int heard = 0;
  bool held = false;
  InboxOptions options;
  options.held = [&] { return held; };
  const auto inbox = std::make_shared<Inbox<int>>(
      rig.executor(), [&](int& message) { held = ++heard == 3 || message == 7; },
      std::move(options));
  rig.run([&] {
    for (int i = 0; i < 10; ++i) inbox->push(i);
  });
  for (int i = 0; i < 5; ++i) rig.run([] {});
  EXPECT_EQ(heard, 3);
  rig.run([&] { inbox->push(10); });
  for (int i = 0; i < 5; ++i) rig.run([] {});
  EXPECT_EQ(heard, 3);
  rig.run([&] {
    held = false;
    inbox->resume();
  });
  ASSERT_TRUE(rig.wait([&] { return heard == 8; }));
  rig.run([&] {
    held = false;
    inbox->resume();
  });
  EXPECT_TRUE(rig.wait([&] { return heard == 11; }));
}

// A rush of messages leaves the executor's other tasks and timers their turns.
TEST(Inbox, TakesTurnsWithOtherTasks) {
  VirtualRig rig;
  std::vector<int> heard;
  const auto inbox =
      std::make_shared<Inbox<int>>(rig.executor(), [&](int& message) { heard.push_back(message); });
  std::size_t when_other = 0;
  rig.run([&] {
    for (int i = 0; i < 1000; ++i) inbox->push(i);
    rig.executor().post([&] { when_other = heard.size(); });
  });
  ASSERT_TRUE(rig.wait([&] { return heard.size() == 1000; }));
  EXPECT_GT(when_other, 0U);
  EXPECT_LT(when_other, 100U);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(heard[static_cast<std::size_t>(i)], i);
  inbox->push(1000);
  inbox->close();
  inbox->push(1001);
  rig.run([] {});
  EXPECT_EQ(heard.size(), 1000U);
}

}  // namespace
}  // namespace keelway::http
