#include <gtest/gtest.h>

#include "apiserver/testing/rig.h"
#include "client/resources.h"
#include "client/view.h"

namespace keelway::apiserver {
namespace {

using testing::Rig;
namespace r = client::resources;

value::Value config_map(const std::string& name) {
  return value::Value::object(
      {{"metadata", value::Value::object({{"name", name}, {"namespace", "default"}})},
       {"data", value::Value::object({{"k", "v"}})}});
}

TEST(InProcessClient, WritesAndReads) {
  Rig rig;
  const auto made = rig.call(client::create_call(r::config_maps, "default", config_map("a")));
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_GT(made->revision, 0);
  const auto read = rig.call(client::get_call(r::config_maps, "default", "a"));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->object, made->object);
  const auto gone = rig.call(client::get_call(r::config_maps, "default", "b"));
  ASSERT_FALSE(gone);
  EXPECT_TRUE(gone.error().is("NotFound"));
}

TEST(InProcessClient, ABriefAnswerNamesTheRevision) {
  Rig rig;
  auto call = client::create_call(r::config_maps, "default", config_map("a"));
  call.brief = true;
  const auto made = rig.call(std::move(call));
  ASSERT_TRUE(made);
  const auto read = rig.call(client::get_call(r::config_maps, "default", "a"));
  ASSERT_TRUE(read);
  for (const char* field : {"resourceVersion", "uid"}) {
    EXPECT_EQ(made->object.at("metadata", field), read->object.at("metadata", field));
  }
  EXPECT_FALSE(made->object.contains("data"));
}

TEST(InProcessClient, IsHeldToItsPermissions) {
  Rig rig;
  bool made = false;
  rig.executor->post([&] {
    auto weak = rig.server->make_client(*rig.loop_executor, access::component("nobody"));
    rig.loop_executor->post(
        [&rig, weak = std::move(weak)]() mutable { rig.client = std::move(weak); });
    made = true;
  });
  rig.world->run_while_waiting([&] { return made; });
  rig.run_for(std::chrono::milliseconds(10));
  const auto refused = rig.call(client::get_call(r::config_maps, "default", "a"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, 403);
}

TEST(InProcessClient, SubscribersSeeTheStateThenEveryChange) {
  Rig rig;
  ASSERT_TRUE(rig.call(client::create_call(r::config_maps, "default", config_map("a"))));
  client::LocalView view;
  std::unique_ptr<client::Subscription> subscription;
  rig.loop_executor->post([&] {
    subscription =
        rig.client->subscribe({r::config_maps, r::namespaces},
                              [&](const client::ChangeBatch& batch) { view.apply(batch); });
  });
  ASSERT_TRUE(rig.world->run_while_waiting([&] { return view.synced(); }));
  EXPECT_TRUE(view.get(r::config_maps, "default", "a"));
  EXPECT_TRUE(view.get(r::namespaces, "", "kube-system"));
  const auto made = rig.call(client::create_call(r::config_maps, "default", config_map("b")));
  rig.world->run_while_waiting([&] { return view.revision() >= made->revision; });
  EXPECT_TRUE(view.get(r::config_maps, "default", "b"));
  ASSERT_TRUE(rig.call(client::remove_call(r::config_maps, "default", "a")));
  rig.run_for(std::chrono::milliseconds(10));
  EXPECT_FALSE(view.get(r::config_maps, "default", "a"));
  bool ended = false;
  rig.loop_executor->post([&] {
    subscription.reset();
    ended = true;
  });
  rig.world->run_while_waiting([&] { return ended; });
}

TEST(InProcessClient, OutlivesItsServer) {
  Rig rig;
  bool stopped = false;
  rig.executor->post([&] {
    rig.server.reset();
    stopped = true;
  });
  rig.world->run_while_waiting([&] { return stopped; });
  const auto answer = rig.call(client::get_call(r::config_maps, "default", "a"));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, 503);
}

}  // namespace
}  // namespace keelway::apiserver
