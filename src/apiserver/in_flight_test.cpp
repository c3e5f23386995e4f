#include "apiserver/in_flight.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "apiserver/testing/rig.h"

namespace keelway::apiserver {
namespace {

using namespace std::chrono_literals;
using testing::ExchangePtr;
using testing::Extra;
using testing::FakeExchange;
using testing::Rig;

http::Request request_of(const std::string& user, std::string target) {
  http::Request request;
  request.method = "GET";
  request.target = std::move(target);
  request.headers.emplace_back("authorization", "Bearer k8s-aws-v1." + user);
  return request;
}

// All of them arrive in one turn of the loop.
std::vector<ExchangePtr> flood(Rig& rig, int count, const std::string& user,
                               const std::string& target) {
  std::vector<ExchangePtr> answers;
  for (int i = 0; i < count; ++i) answers.push_back(std::make_shared<FakeExchange>());
  rig.executor->post([&rig, answers, user, target] {
    for (const ExchangePtr& answer : answers) {
      rig.server->handle(request_of(user, target), answer);
    }
  });
  rig.world->run_while_waiting([&] {
    return std::all_of(answers.begin(), answers.end(), [](const auto& a) { return a->complete; });
  });
  return answers;
}

int with_status(const std::vector<ExchangePtr>& answers, int status) {
  return static_cast<int>(std::count_if(answers.begin(), answers.end(),
                                        [&](const auto& a) { return a->status == status; }));
}

TEST(InFlight, AFloodOfOneUserIsToldToComeAgain) {
  Rig rig;
  const auto answers = flood(rig, 1000, "jane", "/version");
  const int good = with_status(answers, 200), refused = with_status(answers, 429);
  EXPECT_EQ(good + refused, 1000);
  EXPECT_GE(good, 64);
  EXPECT_GT(refused, 0);
  const auto& last = *answers.back();
  ASSERT_EQ(last.status, 429);
  EXPECT_EQ(last.header("retry-after"), "1");
  EXPECT_EQ(last.json()["reason"].as_string(), "TooManyRequests");
  EXPECT_EQ(last.json()["message"].as_string(),
            "the server has received too many requests and has asked us to try again later");
  EXPECT_EQ(last.json().at("details", "retryAfterSeconds").as_int(), 1);
  const std::string text = rig.ask("GET", "/metrics")->body;
  const std::string labels = "{flow_schema=\"global-default\",priority_level=\"global-default\"";
  EXPECT_NE(text.find("apiserver_flowcontrol_rejected_requests_total" + labels +
                      ",reason=\"queue-full\"} " + std::to_string(refused)),
            std::string::npos);
  EXPECT_NE(text.find("apiserver_flowcontrol_dispatched_requests_total" + labels + "} " +
                      std::to_string(good)),
            std::string::npos);
  EXPECT_NE(text.find("apiserver_flowcontrol_current_inqueue_requests" + labels + "} 0"),
            std::string::npos);
  EXPECT_NE(text.find("apiserver_flowcontrol_current_executing_requests" + labels + "} 0"),
            std::string::npos);
  // And afterwards all is as before.
  EXPECT_EQ(rig.ask("GET", "/version", "", {.user = "jane"})->status, 200);
}

TEST(InFlight, AFloodPassesOthersBy) {
  Rig rig;
  std::vector<std::string> order;
  std::vector<ExchangePtr> greedy, modest;
  for (int i = 0; i < 300; ++i) greedy.push_back(std::make_shared<FakeExchange>());
  for (int i = 0; i < 10; ++i) modest.push_back(std::make_shared<FakeExchange>());
  int greedy_first = 0;
  rig.executor->post([&] {
    for (const auto& answer : greedy) rig.server->handle(request_of("greedy", "/version"), answer);
    for (const auto& answer : modest) rig.server->handle(request_of("jane", "/version"), answer);
  });
  rig.world->run_while_waiting([&] {
    return std::all_of(modest.begin(), modest.end(), [](const auto& a) { return a->complete; });
  });
  greedy_first = static_cast<int>(
      std::count_if(greedy.begin(), greedy.end(), [](const auto& a) { return a->complete; }));
  EXPECT_EQ(with_status(modest, 200), 10);
  EXPECT_LT(greedy_first, 300);
}

TEST(InFlight, AdministratorsWaitButAreNotRefused) {
  Rig rig;
  EXPECT_EQ(with_status(flood(rig, 5000, "admin", "/api/v1/namespaces/default"), 200), 5000);
}

TEST(InFlight, LoopsDoNotWaitBehindAFlood) {
  Rig rig;
  std::vector<ExchangePtr> answers;
  for (int i = 0; i < 2000; ++i) answers.push_back(std::make_shared<FakeExchange>());
  rig.executor->post([&] {
    for (const auto& a : answers) rig.server->handle(request_of("admin", "/api/v1/pods"), a);
  });
  client::Call call;
  call.verb = client::Verb::get;
  call.resource = {"", "v1", "namespaces", "Namespace", false};
  call.name = "default";
  const auto reply = rig.call(std::move(call));
  ASSERT_TRUE(reply);
  EXPECT_LT(with_status(answers, 200), 2000);
}

TEST(InFlight, ATimeoutIsReadAndBounded) {
  Rig rig;
  const auto bad = rig.ask("GET", "/api/v1/namespaces?timeout=soon");
  EXPECT_EQ(bad->status, 400);
  EXPECT_EQ(bad->json()["message"].as_string(),
            "invalid timeout specified in the request URL - time: invalid duration \"soon\"");
  EXPECT_EQ(rig.ask("GET", "/api/v1/namespaces?timeout=0s")->status, 200);
}

TEST(InFlight, WhatTakesTooLongIsAnswered) {
  Rig rig;
  // Waits three seconds for a revision that does not come.
  const auto late = rig.ask("GET", "/api/v1/namespaces?resourceVersion=99999&timeout=1s");
  EXPECT_EQ(late->status, 504);
  EXPECT_EQ(late->json()["reason"].as_string(), "Timeout");
  EXPECT_EQ(late->json()["message"].as_string(),
            "Timeout: request did not complete within the allotted timeout");
  rig.run_for(5s);
  EXPECT_EQ(rig.audit.back().code, 504);
}

struct Late : PendingAnswer {
  explicit Late(std::vector<int>& to, int is) : heard(to), number(is) {}
  void time_out() override { heard.push_back(number); }
  std::vector<int>& heard;
  const int number;
};

TEST(PendingAnswers, ThoseThatAreLateHearOfItInOrder) {
  auto world = runtime::make_world(3);
  auto host = world->make_host("host");
  auto executor = host->runtime().make_executor("e");
  std::vector<int> heard;
  std::vector<std::unique_ptr<Late>> late;
  for (int i = 0; i < 5; ++i) late.push_back(std::make_unique<Late>(heard, i));
  std::optional<PendingAnswers> pending;
  executor->post([&] {
    pending.emplace(*executor);
    const auto now = executor->now();
    pending->add(*late[0], now + 60s);
    pending->add(*late[1], now + 60s);
    pending->add(*late[2], now + 5s);
    pending->add(*late[3], now + 10s);
    pending->add(*late[4], now + 60s);
    late[1].reset();  // answered
  });
  world->run_for(4s);
  EXPECT_TRUE(heard.empty());
  world->run_for(3s);
  EXPECT_EQ(heard, std::vector<int>({2}));
  world->run_for(5s);
  EXPECT_EQ(heard, std::vector<int>({2, 3}));
  world->run_for(60s);
  EXPECT_EQ(heard, std::vector<int>({2, 3, 0, 4}));
  executor->post([&] { pending.reset(); });
  world->run_for(1s);
}

}  // namespace
}  // namespace keelway::apiserver
