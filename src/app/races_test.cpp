// Two Houses that write the same thing at the same time: no invariant rests on being the only
// writer.
#include <set>

#include "app/testing/several_servers.h"

namespace keelway::app::testing {
namespace {

class Races : public ::testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    town = std::make_unique<Town>(static_cast<std::uint64_t>(GetParam()));
    const auto two = town->start_two();
    a = &two.first;
    b = &two.second;
  }
  void make_cluster() {
    town->create_cluster(*a, "k");
    ASSERT_TRUE(town->wait([&] { return town->serve_all({"k"}); }));
  }
  // The same call through both, at once; their answers.
  std::pair<schema::Answer<client::Reply>, schema::Answer<client::Reply>> both(
      const client::Call& call) {
    const auto one = town->begin(*a, Town::id("k"), call);
    const auto two = town->begin(*b, Town::id("k"), call);
    auto first = town->end(one);
    return {std::move(first), town->end(two)};
  }

  std::unique_ptr<Town> town;
  Server *a = nullptr, *b = nullptr;
};

Value service(const std::string& name, int node_port = 0) {
  Value port = Value::object({{"port", 80}});
  if (node_port != 0) port.set("nodePort", node_port);
  return Value::object(
      {{"metadata", Value::object({{"name", name}, {"namespace", "default"}})},
       {"spec", Value::object({{"type", "NodePort"}, {"ports", Value::array({port})}})}});
}

TEST_P(Races, KeysAndAuthorityAreOne) {
  ASSERT_TRUE(a->facts->has_value());
  EXPECT_EQ((*a->facts)->root.access_key_id, (*b->facts)->root.access_key_id);
  EXPECT_EQ((*a->facts)->root.secret_access_key, (*b->facts)->root.secret_access_key);
  EXPECT_EQ((*a->facts)->authority_pem, (*b->facts)->authority_pem);
  EXPECT_EQ(town->list(*a, hub_id, resources::access_keys).size(), 1u);
}

TEST_P(Races, ANameIsGivenOnce) {
  make_cluster();
  for (int i = 0; i < 10; ++i) {
    const auto [one, two] = both(client::create_call(resources::config_maps, "default",
                                                     config_map("m" + std::to_string(i))));
    EXPECT_NE(one.has_value(), two.has_value());
    const auto& lost = one ? two : one;
    EXPECT_TRUE(lost.error().is("AlreadyExists")) << lost.error().message;
  }
}

TEST_P(Races, AddressesAndPortsAreGivenOnce) {
  make_cluster();
  std::vector<Town::OpenPtr> open;
  for (int i = 0; i < 20; ++i) {
    const std::string name = "s" + std::to_string(i);
    for (Server* server : {a, b}) {
      open.push_back(town->begin(
          *server, Town::id("k"),
          client::create_call(resources::services, "default", service(name + server->name))));
    }
  }
  std::set<std::string> addresses;
  std::set<std::int64_t> ports;
  for (const auto& one : open) {
    const auto answer = town->end(one);
    ASSERT_TRUE(answer) << answer.error().message;
    const Value& spec = answer->object["spec"];
    EXPECT_TRUE(addresses.insert(spec["clusterIP"].as_string()).second);
    EXPECT_TRUE(ports.insert(spec["ports"][0]["nodePort"].as_int()).second);
  }
  for (int i = 0, port = 31000; i < 5; ++i, ++port) {
    while (ports.contains(port)) ++port;  // drawn above
    const auto begin = [&](Server& server) {
      return town->begin(
          server, Town::id("k"),
          client::create_call(resources::services, "default",
                              service("p" + std::to_string(port) + server.name, port)));
    };
    int given = 0;
    for (const auto& each : {begin(*a), begin(*b)}) given += town->end(each) ? 1 : 0;
    EXPECT_EQ(given, 1) << "port " << port;
  }
}

TEST_P(Races, NothingIsBornIntoANamespaceThatGoes) {
  make_cluster();
  for (int i = 0; i < 6; ++i) {
    const std::string name = "n" + std::to_string(i);
    ASSERT_TRUE(town->call(
        *a, Town::id("k"),
        client::create_call(resources::namespaces, "",
                            Value::object({{"metadata", Value::object({{"name", name}})}}))));
    const auto gone =
        town->begin(*a, Town::id("k"), client::remove_call(resources::namespaces, "", name));
    Value map = config_map("m");
    map.mutate("metadata").set("namespace", name);
    const auto made =
        town->begin(*b, Town::id("k"), client::create_call(resources::config_maps, name, map));
    EXPECT_TRUE(town->end(gone));
    const auto answer = town->end(made);
    if (!answer) {
      EXPECT_TRUE(answer.error().code == 403 || answer.error().code == 404)
          << answer.error().message;
    }
    ASSERT_TRUE(town->wait([&] {
      return !town->call(*b, Town::id("k"), client::get_call(resources::namespaces, "", name));
    }));
    EXPECT_TRUE(town->list(*b, Town::id("k"), resources::config_maps, name).empty());
  }
}

TEST_P(Races, AClusterIsMadeOnceWhoeverBegins) {
  for (int i = 0; i < 4; ++i) {
    const std::string name = "k" + std::to_string(i);
    town->create_cluster(i % 2 == 0 ? *a : *b, name);
    ASSERT_TRUE(town->wait([&] { return town->serve_all({name}); }));
    // One authority, one set of first objects, whoever came first.
    EXPECT_EQ(town->list(*a, Town::id(name), resources::node_pools).size(), 1u);
    EXPECT_EQ(town->list(*a, Town::id(name), resources::services).size(), 1u);
    const auto crds = town->list(*a, Town::id(name), resources::crds);
    EXPECT_EQ(crds.size(), town->list(*b, Town::id(name), resources::crds).size());
    EXPECT_GE(crds.size(), 4u);
  }
  // What is given once is not given again by a server that comes later.
  ASSERT_TRUE(town->call(*b, Town::id("k0"),
                         client::remove_call(resources::node_pools, "", "general-purpose")));
  Server& c = town->start("c");
  ASSERT_TRUE(town->wait([&] { return c.house && town->serve_all({"k0"}); }));
  town->world->run_for(3s);
  EXPECT_TRUE(town->list(c, Town::id("k0"), resources::node_pools).empty());
}

// Whoever loses the race to change reads what won, also when it was written elsewhere.
TEST_P(Races, NoChangeIsLost) {
  make_cluster();
  ASSERT_TRUE(town->call(*a, Town::id("k"),
                         client::create_call(resources::config_maps, "default", config_map("m"))));
  std::vector<Town::OpenPtr> open;
  for (int i = 0; i < 10; ++i) {
    for (Server* server : {a, b}) {
      const std::string key = server->name + std::to_string(i);
      open.push_back(town->begin(
          *server, Town::id("k"),
          client::merge_patch_call(resources::config_maps, "default", "m",
                                   Value::object({{"data", Value::object({{key, "1"}})}}))));
    }
  }
  std::size_t written = 0;
  for (const auto& one : open) written += town->end(one) ? 1 : 0;
  const auto answer =
      town->call(*b, Town::id("k"), client::get_call(resources::config_maps, "default", "m"));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->object["data"].size(), written + 1);
  EXPECT_GE(written, 10u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Races, ::testing::Range(1, 4));

}  // namespace
}  // namespace keelway::app::testing
