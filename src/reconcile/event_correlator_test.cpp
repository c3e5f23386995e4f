#include "reconcile/event_correlator.h"

#include <gtest/gtest.h>

#include "reconcile/events.h"

namespace keelway::reconcile {
namespace {

using std::chrono_literals::operator""min;
using std::chrono_literals::operator""h;
using std::chrono_literals::operator""s;

class Source {
 public:
  std::optional<client::Call> say(const std::string& message, const std::string& object = "web",
                                  const std::string& reason = "Created") {
    const value::Value about = value::Value::object(
        {{"metadata", value::Value::object({{"name", object}, {"namespace", "n"}})}});
    Action action = event_action({"apps", "v1", "replicasets", "ReplicaSet"}, about, "tester",
                                 {reason, message, false}, base::WallTime{}, ++seed_);
    return correlator.correlate(std::get<client::Call>(std::move(action.what)), now);
  }
  EventCorrelator correlator{{.objects_max = 3}};
  base::Instant now = base::Instant{} + base::Duration(1h);

 private:
  Seed seed_ = 0;
};

TEST(EventCorrelator, CountsUpWhatIsSaidAgain) {
  Source source;
  const auto first = source.say("pod a");
  ASSERT_TRUE(first);
  EXPECT_EQ(first->verb, client::Verb::create);
  source.now = source.now + base::Duration(10s);
  const auto again = source.say("pod a");
  ASSERT_TRUE(again);
  EXPECT_EQ(again->verb, client::Verb::patch);
  EXPECT_EQ(again->name, first->body.at("metadata", "name").as_string());
  EXPECT_EQ(again->body["count"].as_int(), 2);
}

TEST(EventCorrelator, WhatIsThereNoMoreIsSaidAnew) {
  Source source;
  const auto first = source.say("pod a");
  const auto again = source.say("pod a");
  ASSERT_TRUE(first && again);
  source.correlator.forget(*first, again->name);
  const auto anew = source.say("pod a");
  ASSERT_TRUE(anew);
  EXPECT_EQ(anew->verb, client::Verb::create);
}

TEST(EventCorrelator, CombinesTheTenthAlike) {
  Source source;
  for (int i = 0; i < 9; ++i) {
    const auto said = source.say("pod " + std::to_string(i));
    ASSERT_TRUE(said);
    EXPECT_EQ(said->body["message"].as_string(), "pod " + std::to_string(i));
  }
  const auto tenth = source.say("pod 9");
  ASSERT_TRUE(tenth);
  EXPECT_EQ(tenth->verb, client::Verb::create);
  EXPECT_EQ(tenth->body["message"].as_string(), "(combined from similar events): pod 9");
  const auto next = source.say("pod 10");
  ASSERT_TRUE(next);
  EXPECT_EQ(next->verb, client::Verb::patch);
  EXPECT_EQ(next->body["count"].as_int(), 2);
  EXPECT_EQ(next->body["message"].as_string(), "(combined from similar events): pod 10");
  // Another reason is another matter.
  EXPECT_EQ(source.say("pod 11", "web", "Deleted")->body["message"].as_string(), "pod 11");
}

TEST(EventCorrelator, SilencesAndLetsSpeakAgain) {
  Source source;
  for (int i = 0; i < 25; ++i) EXPECT_TRUE(source.say(std::to_string(i)));
  EXPECT_FALSE(source.say("one more"));
  EXPECT_TRUE(source.say("of another object", "api"));
  source.now = source.now + base::Duration(5min);
  EXPECT_TRUE(source.say("one more"));
  EXPECT_FALSE(source.say("two more"));
}

TEST(EventCorrelator, BeginsAnewWhenTheServerHasForgotten) {
  Source source;
  ASSERT_TRUE(source.say("pod a"));
  source.now = source.now + base::Duration(2h);
  EXPECT_EQ(source.say("pod a")->verb, client::Verb::create);
}

TEST(EventCorrelator, ForgetsTheLeastRecentlyUsedObject) {
  Source source;
  for (const char* object : {"a", "b", "c"}) ASSERT_TRUE(source.say("x", object));
  ASSERT_EQ(source.say("x", "a")->verb, client::Verb::patch);
  ASSERT_EQ(source.say("x", "d")->verb, client::Verb::create);
  EXPECT_EQ(source.correlator.size(), 3U);
  EXPECT_EQ(source.say("x", "a")->verb, client::Verb::patch);
  EXPECT_EQ(source.say("x", "b")->verb, client::Verb::create);
}

}  // namespace
}  // namespace keelway::reconcile
