// Two and three Houses over one store, in one world: who leads, who takes over, and what a server
// that has lost its place can still do.
#include "app/testing/several_servers.h"

namespace keelway::app::testing {
namespace {

TEST(SeveralServers, EachServesAllAndOneLeads) {
  Town town;
  auto [a, b] = town.start_two();
  std::vector<std::string> names;
  for (int i = 0; i < 8; ++i) {
    names.push_back("k" + std::to_string(i));
    town.create_cluster(i % 2 == 0 ? a : b, names.back());
  }
  ASSERT_TRUE(town.wait([&] { return town.serve_all(names); }));
  std::map<std::string, int> led;
  for (const std::string& name : names) {
    const Value cluster = town.cluster(b, name);
    ++led[town.leaders(name)[0]];
    EXPECT_EQ(cluster.at("status", "server", "name").as_string(), town.leaders(name)[0]);
    EXPECT_EQ(cluster.at("status", "status").as_string(), "ACTIVE");
  }
  EXPECT_GT(led["a"], 0);
  EXPECT_GT(led["b"], 0);
  // What one has acknowledged the other shows, and a write needs no second try elsewhere.
  ASSERT_TRUE(town.call(a, Town::id("k0"),
                        client::create_call(resources::config_maps, "default", config_map("m"))));
  EXPECT_TRUE(
      town.call(b, Town::id("k0"), client::get_call(resources::config_maps, "default", "m")));
  ASSERT_TRUE(town.call(b, Town::id("k0"),
                        client::create_call(resources::config_maps, "default", config_map("n"))));
  EXPECT_TRUE(town.call(a, Town::id("k0"),
                        client::merge_patch_call(resources::config_maps, "default", "n",
                                                 Value::object({{"data", Value()}}))));
}

TEST(SeveralServers, TheClustersOfADeadServerAreTakenOver) {
  Town town;
  Server& a = town.start("a");
  Server& b = town.start("b");
  Server& c = town.start("c");
  for (Server* server : {&a, &b, &c}) town.until_started(*server);
  const std::vector<std::string> names = {"k0", "k1", "k2", "k3", "k4", "k5"};
  for (const std::string& name : names) town.create_cluster(a, name);
  ASSERT_TRUE(town.wait([&] { return town.serve_all(names); }));
  std::map<std::string, Value> before;
  for (const std::string& name : names) before[name] = town.cluster(b, name);
  town.kill(a);
  const base::Instant killed = town.world->now();
  // It may have led none of them.
  ASSERT_TRUE(town.wait(
      [&] { return town.serve_all(names) && town.list(b, hub_id, fleet::servers).size() == 2u; }));
  // Five intervals until it is missed, and one more until somebody looks.
  EXPECT_LE(town.world->now() - killed, 7 * lease_interval);
  for (const std::string& name : names) {
    const Value now = town.cluster(b, name);
    EXPECT_EQ(now.at("status", "port"), before[name].at("status", "port"));
    EXPECT_EQ(now.at("status", "certificateAuthority"),
              before[name].at("status", "certificateAuthority"));
    const std::string was = before[name].at("status", "server", "name").as_string();
    if (was != "a") {
      EXPECT_EQ(now.at("status", "server"), before[name].at("status", "server"));
    }
  }
  // It comes back, serves all, and takes nothing away.
  town.until_started(town.start("a"));
  ASSERT_TRUE(town.wait([&] { return town.serve_all(names); }));
  EXPECT_EQ(town.list(b, hub_id, fleet::servers).size(), 3u);
}

// The leader is stopped while it creates pods; another takes the cluster and creates them; then the
// first wakes and its creations leave. Answers how many of them were written.
int late_writes(bool fenced) {
  Town town;
  auto [a, b] = town.start_two(fenced);
  town.create_cluster(a, "k");
  EXPECT_TRUE(town.wait([&] { return town.serve_all({"k"}); }));
  Server& leader = town.leaders("k")[0] == "a" ? a : b;
  Server& other = &leader == &a ? b : a;
  leader.held.wanted = [](const client::Call& call) {
    const bool write = call.verb != client::Verb::get && call.verb != client::Verb::list;
    return write && (call.resource == resources::pods || call.resource == fleet::servers);
  };
  EXPECT_TRUE(
      town.call(other, Town::id("k"),
                client::create_call(resources::replica_sets, "default", replica_set("web", 3))));
  EXPECT_TRUE(town.wait([&] { return town.leaders("k") == std::vector{other.name}; }));
  const auto pods = [&] {
    return town.list(other, Town::id("k"), resources::pods, "default").size();
  };
  town.world->run_for(10s);
  EXPECT_EQ(pods(), 3u) << "the new leader does the work";
  EXPECT_GE(leader.held.size(), 1u);
  int written = 0;
  leader.held.wanted = nullptr;
  leader.held.release(*leader.user, written);
  town.world->run_for(1s);
  return written;
}

TEST(SeveralServers, AServerThatWakesLateWritesNothing) {
  EXPECT_EQ(late_writes(true), 0);
}

TEST(SeveralServers, WithoutFencesAServerThatWakesLateWouldWrite) {
  EXPECT_GT(late_writes(false), 0);
}

// The whole process stands still, nodes and all, for longer than its lease; then it wakes with
// everything due at once. Answers what it wrote to the cluster from then on.
std::vector<std::string> writes_after_waking(std::uint64_t seed) {
  Town town(seed);
  auto [a, b] = town.start_two();
  town.create_cluster(a, "k");
  EXPECT_TRUE(town.wait([&] { return town.serve_all({"k"}); }));
  Server& leader = town.leaders("k")[0] == "a" ? a : b;
  Server& other = &leader == &a ? b : a;
  EXPECT_TRUE(
      town.call(other, Town::id("k"),
                client::create_call(resources::replica_sets, "default", replica_set("web", 5))));
  const auto running = [&] {
    std::size_t count = 0;
    for (const Value& pod : town.list(other, Town::id("k"), resources::pods, "default")) {
      count += pod.at("status", "phase").as_string() == "Running" ? 1 : 0;
    }
    return count;
  };
  for (int i = 0; i < 60 && running() < 5; ++i) town.world->run_for(1s);
  EXPECT_EQ(running(), 5u);
  const auto stands_still = 25 * lease_interval;
  leader.host->pause(stands_still);
  town.world->run_for(stands_still - 1s);
  EXPECT_TRUE(other.connections().leads(Town::id("k")));
  EXPECT_EQ(running(), 5u) << "the heir plays the nodes";
  leader.held.written.clear();
  town.world->run_for(20s);
  EXPECT_EQ(town.leaders("k"), std::vector{other.name});
  std::vector<std::string> written;
  for (const client::Resource& resource : leader.held.written) {
    // It registers anew, and tells which clusters it serves.
    const bool own = resource == fleet::servers || resource == resources::clusters;
    if (!own) written.push_back(resource.resource);
  }
  return written;
}

TEST(SeveralServers, AServerThatStoodStillChangesNothing) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    EXPECT_EQ(writes_after_waking(seed), std::vector<std::string>{}) << "seed " << seed;
  }
}

TEST(SeveralServers, AServerThatStopsHandsOverAtOnce) {
  Town town;
  auto [a, b] = town.start_two();
  const std::vector<std::string> names = {"k0", "k1", "k2", "k3"};
  for (const std::string& name : names) town.create_cluster(a, name);
  ASSERT_TRUE(town.wait([&] { return town.serve_all(names); }));
  const base::Instant told = town.world->now();
  town.stop(a);
  ASSERT_TRUE(town.wait([&] { return town.serve_all(names); }));
  EXPECT_LE(town.world->now() - told, 2 * lease_interval);
  EXPECT_EQ(town.list(b, hub_id, fleet::servers).size(), 1u);
}

TEST(SeveralServers, ADeletedClusterGoesEverywhereAndItsNameIsFree) {
  Town town;
  auto [a, b] = town.start_two();
  town.create_cluster(a, "k");
  ASSERT_TRUE(town.wait([&] { return town.serve_all({"k"}); }));
  ASSERT_TRUE(town.call(b, Town::id("k"),
                        client::create_call(resources::config_maps, "default", config_map("m"))));
  const Value first = town.cluster(a, "k");
  ASSERT_TRUE(
      town.call(b, hub_id, client::remove_call(resources::clusters, account, Town::id("k"))));
  ASSERT_TRUE(town.wait([&] {
    return !a.connections().serves(Town::id("k")) && !b.connections().serves(Town::id("k"));
  }));
  ASSERT_TRUE(town.wait([&] { return town.cluster(a, "k").is_null(); }));
  town.create_cluster(b, "k");
  ASSERT_TRUE(town.wait([&] { return town.serve_all({"k"}); }));
  const Value second = town.cluster(a, "k");
  EXPECT_NE(first.at("status", "keyspace"), second.at("status", "keyspace"));
  for (Server* server : {&a, &b}) {
    const auto answer =
        town.call(*server, Town::id("k"), client::get_call(resources::config_maps, "default", "m"));
    ASSERT_FALSE(answer);
    EXPECT_TRUE(answer.error().is("NotFound"));
  }
}

TEST(SeveralServers, AVersionGoesUpOnEachWhoeverDies) {
  for (const bool leader_dies : {false, true}) {
    Town town;
    auto [a, b] = town.start_two();
    town.create_cluster(a, "k", "1.32");
    ASSERT_TRUE(town.wait([&] { return town.serve_all({"k"}); }));
    Server& leader = town.leaders("k")[0] == "a" ? a : b;
    Server& other = &leader == &a ? b : a;
    // As the door writes it; the Update itself is left to the fleet.
    const Value update = Value::object(
        {{"metadata",
          Value::object({{"name", "u"},
                         {"labels", Value::object({{"hub.keelway.dev/cluster", Town::id("k")}})}})},
         {"spec", Value::object({{"id", "u"}, {"type", "VersionUpdate"}})}});
    const Value patch = Value::object(
        {{"spec",
          Value::object({{"version", "1.33"}, {"versionUpdate", Value::array({update})}})}});
    ASSERT_TRUE(
        town.call(other, hub_id,
                  client::merge_patch_call(resources::clusters, account, Town::id("k"), patch)));
    if (leader_dies) town.kill(leader);
    ASSERT_TRUE(town.wait([&] {
      const auto found =
          town.call(other, hub_id, client::get_call(resources::updates, account, "u"));
      return found && found->object.at("status", "status").as_string() == "Successful";
    }));
    const Value cluster = town.cluster(other, "k");
    EXPECT_EQ(cluster.at("status", "version").as_string(), "1.33");
    EXPECT_EQ(cluster.at("status", "status").as_string(), "ACTIVE");
    EXPECT_EQ(cluster.at("status", "servedBy", other.name).as_string(), "1.33");
    if (!leader_dies) {
      EXPECT_EQ(cluster.at("status", "servedBy", leader.name).as_string(), "1.33");
    }
  }
}

}  // namespace
}  // namespace keelway::app::testing
