#include <gtest/gtest.h>

#include "reconcile/conditions.h"
#include "reconcile/events.h"
#include "reconcile/loop.h"
#include "reconcile/testing/fake_api.h"

namespace keelway::reconcile {
namespace {

using std::chrono_literals::operator""s;
using std::chrono_literals::operator""ms;
namespace resources = client::resources;
using testing::FakeApi;
using testing::HandExecutor;

value::Value doc(std::string_view text) {
  return value::parse_json(text).value_or(value::Value());
}

value::Value config_map(const std::string& name) {
  return value::Value::object(
      {{"metadata", value::Value::object({{"name", name}, {"namespace", "n"}})}});
}

// A secret beside each config map; counts its plans.
class Copier final : public KeyedLoop {
 public:
  explicit Copier(int& plans) : plans_(plans) {}
  std::string_view name() const override { return "copier"; }
  std::vector<client::Resource> watches() const override {
    return {resources::config_maps, resources::secrets};
  }
  void keys_of(const client::Change& change, const client::View&,
               std::vector<Key>& keys) const override {
    const client::ObjectPtr& named = change.object ? change.object : change.previous;
    keys.push_back({named->name_space(), named->name(), ""});
  }
  Plan plan(const client::View& view, const Key& key, base::WallTime, Seed) const override {
    ++plans_;
    if (!view.get(resources::config_maps, key.name_space, key.name)) return {};
    if (view.get(resources::secrets, key.name_space, key.name)) return {};
    return {
        {{client::create_call(resources::secrets, key.name_space, config_map(key.name)), {}, ""}},
        Done{}};
  }

 private:
  int& plans_;
};

struct World {
  HandExecutor executor;
  FakeApi api{executor};
  std::unique_ptr<Manager> manager = make_manager(executor, api);
  int creates() const {
    return static_cast<int>(
        std::count_if(api.calls.begin(), api.calls.end(),
                      [](const client::Call& call) { return call.verb == client::Verb::create; }));
  }
};

TEST(KeyedRunner, DoesNotPlanBeforeItsOwnWriteIsVisible) {
  World world;
  world.api.watch_delay = 1s;
  int plans = 0;
  world.manager->add(std::make_unique<Copier>(plans));
  world.manager->start();
  world.api.put(resources::config_maps, config_map("a"));
  world.executor.run_for(1100ms);
  // The answer is here, the watch is not: an edit now must not make a second create.
  world.api.put(resources::config_maps, [] {
    value::Value edited = config_map("a");
    edited.mutate("data").set("x", "y");
    edited.mutate("metadata").set("uid", "u");
    return edited;
  }());
  world.executor.run_for(10s);
  EXPECT_EQ(world.creates(), 1);
  EXPECT_NE(world.api.get(resources::secrets, "n", "a"), nullptr);
  EXPECT_EQ(world.executor.pending(), 0u) << "idle managers own no timer";
}

TEST(KeyedRunner, WaitsForAViewThatIsVeryLate) {
  World world;
  int plans = 0;
  world.manager->add(std::make_unique<Copier>(plans));
  world.manager->start();
  world.executor.run_for(1s);
  world.api.put(resources::config_maps, config_map("a"));
  world.api.watch_delay = 60s;
  world.executor.run_for(1s);
  ASSERT_EQ(world.creates(), 1);
  world.executor.run_for(40s);
  EXPECT_EQ(plans, 1) << "the store holds what the view does not show";
  world.executor.run_for(40s);
  EXPECT_EQ(world.creates(), 1);
  EXPECT_EQ(world.executor.pending(), 0u);
}

TEST(KeyedRunner, ALostAnswerIsCaughtUpWithBeforeTheNextPlan) {
  World world;
  world.api.watch_delay = 200ms;
  bool lose = true;
  world.api.lose_answer = [&](const client::Call& call) {
    return call.verb == client::Verb::create && std::exchange(lose, false);
  };
  int plans = 0;
  world.manager->add(std::make_unique<Copier>(plans));
  world.manager->start();
  world.api.put(resources::config_maps, config_map("a"));
  world.executor.run_for(20s);
  EXPECT_FALSE(lose);
  EXPECT_EQ(world.creates(), 1) << "the write happened; planning waited until it was visible";
}

// Writes how many secrets there are, and rests after that.
class Counter final : public KeyedLoop {
 public:
  explicit Counter(int& writes) : writes_(writes) {}
  std::string_view name() const override { return "counter"; }
  std::vector<client::Resource> watches() const override {
    return {resources::config_maps, resources::secrets};
  }
  void keys_of(const client::Change& change, const client::View&,
               std::vector<Key>& keys) const override {
    if (change.resource == resources::secrets) keys.push_back({"n", "total", ""});
  }
  Plan plan(const client::View& view, const Key& key, base::WallTime, Seed) const override {
    const std::string count = std::to_string(view.list(resources::secrets).size());
    const client::ObjectPtr total = view.get(resources::config_maps, key.name_space, key.name);
    if (total && total->value().at("data", "count").as_string() == count) return {};
    ++writes_;
    value::Value document = total ? total->value() : config_map("total");
    document.mutate("data").set("count", count);
    Plan plan{{{total ? client::update_call(resources::config_maps, document)
                      : client::create_call(resources::config_maps, key.name_space, document),
                {},
                ""}},
              Done{}};
    plan.rest = 100ms;
    return plan;
  }

 private:
  int& writes_;
};

TEST(KeyedRunner, AKeyThatRestsTellsOfManyChangesInOneWrite) {
  World world;
  int writes = 0;
  world.manager->add(std::make_unique<Counter>(writes));
  world.manager->start();
  for (int i = 0; i < 50; ++i) {
    world.api.put(resources::secrets, config_map("s" + std::to_string(i)));
    world.executor.run_for(10ms);
  }
  world.executor.run_for(10s);
  EXPECT_EQ(
      world.api.get(resources::config_maps, "n", "total")->value().at("data", "count").as_string(),
      "50");
  EXPECT_GE(writes, 4);
  EXPECT_LE(writes, 7) << "half a second of changes, a tenth of rest after each write";
  EXPECT_EQ(world.executor.pending(), 0u) << "idle managers own no timer";
}

TEST(KeyedRunner, FailuresBackOffAndThenSucceed) {
  World world;
  int refusals = 6;
  world.api.refuse = [&](const client::Call& call) -> std::optional<schema::Status> {
    if (call.verb != client::Verb::create || refusals-- <= 0) return std::nullopt;
    return schema::forbidden("", "secrets", "a", "not yet");
  };
  int plans = 0;
  world.manager->add(std::make_unique<Copier>(plans));
  world.manager->start();
  world.api.put(resources::config_maps, config_map("a"));
  world.executor.run_for(20ms);
  EXPECT_LT(world.creates(), 5) << "5, 10, 20 ... ms, at least half of it";
  world.executor.run_for(2s);
  EXPECT_EQ(world.creates(), 7);
  EXPECT_NE(world.api.get(resources::secrets, "n", "a"), nullptr);
  EXPECT_EQ(world.executor.pending(), 0u);
}

// Creates ten secrets at once for the one config map.
class Burst final : public KeyedLoop {
 public:
  std::string_view name() const override { return "burst"; }
  std::vector<client::Resource> watches() const override { return {resources::config_maps}; }
  void keys_of(const client::Change& change, const client::View&,
               std::vector<Key>& keys) const override {
    if (change.object) keys.push_back({"n", change.object->name(), ""});
  }
  Plan plan(const client::View&, const Key&, base::WallTime, Seed) const override {
    Plan plan;
    plan.independent = true;
    for (int i = 0; i < 10; ++i) {
      plan.actions.push_back(
          {client::create_call(resources::secrets, "n", config_map("s" + std::to_string(i))),
           {"AlreadyExists"},
           ""});
    }
    return plan;
  }
};

TEST(KeyedRunner, IndependentActionsStartSlowlyAndStopAtAFailure) {
  World world;
  world.api.answer_delay = 10ms;
  world.api.refuse = [&](const client::Call& call) -> std::optional<schema::Status> {
    if (call.verb != client::Verb::create) return std::nullopt;
    return schema::forbidden("", "secrets", "s", "quota");
  };
  world.manager->add(std::make_unique<Burst>());
  world.manager->start();
  world.api.put(resources::config_maps, config_map("a"));
  world.executor.run_for(11ms);
  EXPECT_EQ(world.creates(), 1);
  world.api.refuse = {};
  world.executor.run_for(60ms);
  EXPECT_EQ(world.api.list(resources::secrets).size(), 10u);
}

// Binds every pod without a node, unless it assumes that it did.
class Binder final : public BatchLoop {
 public:
  std::string_view name() const override { return "binder"; }
  std::vector<client::Resource> watches() const override { return {resources::pods}; }
  bool wakes(const client::Change& change) const override { return change.object != nullptr; }
  Plan plan(const client::View& view, const Assumed& assumed, base::WallTime, Seed) const override {
    Plan plan;
    for (const client::ObjectPtr& pod : view.list(resources::pods)) {
      if (!pod->value().at("spec", "nodeName").as_string().empty()) continue;
      const bool done =
          std::any_of(assumed.actions.begin(), assumed.actions.end(), [&](const Action* action) {
            return std::get<client::Call>(action->what).name == pod->name();
          });
      if (done) continue;
      client::Call call;
      call.verb = client::Verb::create;
      call.resource = resources::pods;
      call.name_space = pod->name_space();
      call.name = pod->name();
      call.subresource = "binding";
      call.body = doc(R"({"target":{"name":"node"}})");
      plan.actions.push_back({std::move(call), {}, ""});
    }
    return plan;
  }
};

TEST(BatchRunner, AssumesUntilTheViewShowsIt) {
  World world;
  world.api.answer_delay = 5ms;
  world.api.watch_delay = 300ms;
  world.manager->add(std::make_unique<Binder>());
  world.manager->start();
  for (int i = 0; i < 5; ++i) {
    world.executor.run_for(100ms);
    world.api.put(resources::pods, config_map("p" + std::to_string(i)));
  }
  world.executor.run_for(20s);
  EXPECT_EQ(world.creates(), 5) << "one binding a pod";
  EXPECT_EQ(world.executor.pending(), 0u);
}

TEST(BatchRunner, AssumesHoweverLateTheViewIs) {
  World world;
  world.api.watch_delay = 60s;
  world.manager->add(std::make_unique<Binder>());
  world.manager->start();
  for (int i = 0; i < 5; ++i) {
    world.executor.run_for(20s);
    world.api.put(resources::pods, config_map("p" + std::to_string(i)));
  }
  world.executor.run_for(300s);
  EXPECT_EQ(world.creates(), 5) << "one binding a pod";
  EXPECT_EQ(world.executor.pending(), 0u);
}

TEST(BatchRunner, AFailedActionIsDroppedAndTriedAgain) {
  World world;
  int refusals = 2;
  world.api.refuse = [&](const client::Call& call) -> std::optional<schema::Status> {
    if (call.verb != client::Verb::create || refusals-- <= 0) return std::nullopt;
    return schema::too_many_requests("busy", 1);
  };
  world.manager->add(std::make_unique<Binder>());
  world.manager->start();
  world.api.put(resources::pods, config_map("p"));
  world.executor.run_for(5s);
  EXPECT_EQ(world.creates(), 3);
  EXPECT_EQ(world.api.get(resources::pods, "n", "p")->value().at("spec", "nodeName").as_string(),
            "node");
}

// A plan that is made while a lost call is asked after takes the call for done; it must not be
// the last one.
TEST(BatchRunner, ACallThatNeverArrivedIsMadeAgain) {
  World world;
  world.api.answer_delay = 50ms;
  int losses = 1, lost_reads = 2;
  world.api.refuse = [&](const client::Call& call) -> std::optional<schema::Status> {
    if (call.verb == client::Verb::get && lost_reads-- > 0) return schema::timeout("lost", 1);
    if (call.verb != client::Verb::create || losses-- <= 0) return std::nullopt;
    return schema::timeout("lost", 1);
  };
  world.manager->add(std::make_unique<Binder>());
  world.manager->start();
  world.api.put(resources::pods, config_map("p"));
  world.executor.run_for(60ms);
  world.api.put(resources::pods, config_map("q"));
  world.executor.run_for(5s);
  for (const char* name : {"p", "q"}) {
    EXPECT_EQ(world.api.get(resources::pods, "n", name)->value().at("spec", "nodeName"), "node")
        << name;
  }
  EXPECT_LE(lost_reads, 0);
}

TEST(Manager, WatchesMoreAtRunTime) {
  World world;
  int plans = 0;
  world.manager->add(std::make_unique<Copier>(plans));
  world.manager->start();
  world.executor.run_for(1s);
  value::Value claim = config_map("c");
  world.api.put(resources::node_claims, claim);
  world.manager->watch_more({resources::node_claims});
  world.executor.run_for(1s);
  EXPECT_NE(world.manager->view().get(resources::node_claims, "n", "c"), nullptr);
  EXPECT_EQ(plans, 1);
}

TEST(Manager, AnswersAfterItsEndAreDropped) {
  World world;
  world.api.answer_delay = 1s;
  int plans = 0;
  world.manager->add(std::make_unique<Copier>(plans));
  world.manager->start();
  world.api.put(resources::config_maps, config_map("a"));
  world.executor.run_for(100ms);
  ASSERT_EQ(world.creates(), 1);
  world.manager.reset();
  world.executor.run_for(10s);
  EXPECT_EQ(plans, 1);
}

TEST(Conditions, TransitionTimeMovesOnlyWithTheStatus) {
  value::Value conditions;
  const base::WallTime early{1'000'000}, late{9'000'000};
  EXPECT_TRUE(set_condition(conditions, {"Ready", "True", "Fine", "all is well"}, early));
  EXPECT_FALSE(set_condition(conditions, {"Ready", "True", "Fine", "all is well"}, late));
  EXPECT_TRUE(set_condition(conditions, {"Ready", "True", "Better", ""}, late));
  EXPECT_EQ(find_condition(conditions, "Ready")["lastTransitionTime"].as_string(),
            base::format_rfc3339(early));
  EXPECT_TRUE(set_condition(conditions, {"Ready", "False", "Bad", ""}, late));
  EXPECT_EQ(find_condition(conditions, "Ready")["lastTransitionTime"].as_string(),
            base::format_rfc3339(late));
  EXPECT_EQ(conditions.size(), 1u);
}

TEST(Events, EqualSeedsMakeEqualNamesAndDifferentTextsDiffer) {
  const value::Value pod = config_map("p");
  const auto body = [&](const std::string& message) {
    const Action action = event_action(resources::pods, pod, "test", {"Because", message, false},
                                       base::WallTime{}, 5);
    return std::get<client::Call>(action.what).body;
  };
  EXPECT_TRUE(body("a") == body("a"));
  EXPECT_FALSE(body("a").at("metadata", "name") == body("b").at("metadata", "name"));
  EXPECT_EQ(body(std::string(3000, 'x'))["message"].as_string().size(), 1024u);
}

}  // namespace
}  // namespace keelway::reconcile
