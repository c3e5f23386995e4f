// Two and three Houses over one store, in one world: who leads, who takes over, and what a server
// that has lost its place can still do.
#include <gtest/gtest.h>

#include <deque>

#include "app/house.h"
#include "client/resources.h"
#include "fleet/ownership.h"
#include "runtime/virtual/world.h"
#include "store/memory/memory.h"

namespace keelway::app {
namespace {

using namespace std::chrono_literals;
namespace resources = client::resources;
using value::Value;

constexpr const char* account = "000000000000-us-east-1";
constexpr auto lease_interval = 1s;

// Calls that a stopped process was about to send: they leave when it wakes, whatever has become of
// the loops that made them.
class Held {
 public:
  std::function<bool(const client::Call&)> wanted;  // null: nothing is held

  void keep(std::shared_ptr<client::Client> inner, client::Call call, client::ReplyCallback done) {
    calls_.push_back({std::move(inner), std::move(call), std::move(done)});
  }
  std::size_t size() const { return calls_.size(); }
  // Sends what is held; counts what was written.
  void release(runtime::Executor& executor, int& written) {
    wanted = nullptr;
    executor.post([this, &written] {
      for (One& one : calls_) {
        one.inner->call(one.call, [&written](schema::Answer<client::Reply> answer) {
          if (answer) ++written;
        });
      }
    });
  }

 private:
  struct One {
    std::shared_ptr<client::Client> inner;
    client::Call call;
    client::ReplyCallback done;
  };
  std::deque<One> calls_;
};

class HoldingClient final : public client::Client {
 public:
  HoldingClient(std::unique_ptr<client::Client> inner, Held& held)
      : inner_(std::move(inner)), held_(held) {}
  void call(client::Call call, client::ReplyCallback done) override {
    if (held_.wanted && held_.wanted(call)) {
      held_.keep(inner_, std::move(call), std::move(done));
    } else {
      inner_->call(std::move(call), std::move(done));
    }
  }
  std::unique_ptr<client::Subscription> subscribe(
      std::vector<client::Resource> resources,
      std::move_only_function<void(const client::ChangeBatch&)> sink) override {
    return inner_->subscribe(std::move(resources), std::move(sink));
  }

 private:
  std::shared_ptr<client::Client> inner_;
  Held& held_;
};

struct Server {
  std::string name;
  std::unique_ptr<runtime::Host> host;
  std::unique_ptr<runtime::Executor> user;
  Held held;
  std::unique_ptr<Seams> seams;
  std::unique_ptr<House> house;
  std::optional<base::Result<HouseFacts>> facts;

  const Connections& connections() const { return house->connections(); }
};

class Town {
 public:
  explicit Town(std::uint64_t seed = 1)
      : world(runtime::make_world(seed)),
        store_host_(world->make_host("store")),
        engine_(store::make_memory(store_host_->runtime())) {}
  ~Town() {
    for (auto& [name, server] : servers_) {
      server->host->kill();
      server->house.reset();
      server->user.reset();
    }
    servers_.clear();
  }

  Server& start(const std::string& name, bool fenced = true) {
    auto& server = servers_[name];
    if (!server) {
      server = std::make_unique<Server>();
      server->name = name;
      server->host = world->make_host(name);
    }
    runtime::Runtime& runtime = server->host->runtime();
    server->user = runtime.make_executor("user");
    server->seams = std::make_unique<Seams>(
        Seams{.runtime = runtime,
              .engine = *engine_,
              .log = {},
              .decorate = [held = &server->held](std::unique_ptr<client::Client> inner,
                                                 auto&...) -> std::unique_ptr<client::Client> {
                return std::make_unique<HoldingClient>(std::move(inner), *held);
              }});
    Config config;
    config.listen_port = 0;
    config.shared_store = true;
    config.server_name = name;
    config.advertised_host = name;
    config.lease_interval = lease_interval;
    config.fenced = fenced;
    server->facts.reset();
    server->house = assemble(*server->seams, config);
    server->house->start(
        [one = server.get()](base::Result<HouseFacts> facts) { one->facts = std::move(facts); });
    return *server;
  }
  void until_started(Server& server) {
    EXPECT_TRUE(wait([&] { return server.facts.has_value(); }));
    EXPECT_TRUE(server.facts->has_value()) << server.facts->error().message;
  }
  void kill(Server& server) {
    server.host->kill();
    server.user.reset();
    server.house.reset();
    server.host->restart();
  }
  bool wait(const std::function<bool()>& done, base::Duration within = 5min) {
    return world->run_while_waiting(done, within);
  }

  schema::Answer<client::Reply> call(Server& server, std::string_view api, client::Call call) {
    std::optional<schema::Answer<client::Reply>> answer;
    std::unique_ptr<client::Client> client;
    server.user->post([&] {
      client = server.connections().connect(api, *server.user,
                                            access::component("user", {"system:masters"}));
      if (!client) {
        answer = std::unexpected(schema::service_unavailable("not served here"));
        return;
      }
      client->call(std::move(call),
                   [&](schema::Answer<client::Reply> reply) { answer = std::move(reply); });
    });
    EXPECT_TRUE(wait([&] { return answer.has_value(); }));
    return *answer;
  }

  static std::string id(const std::string& cluster) { return "c-" + cluster; }
  void create_cluster(Server& server, const std::string& name, const char* version = "1.33") {
    (void)call(
        server, hub_id,
        client::create_call(resources::namespaces, "",
                            Value::object({{"metadata", Value::object({{"name", account}})}})));
    const Value cluster = Value::object(
        {{"metadata", Value::object({{"name", id(name)}, {"namespace", account}})},
         {"spec", Value::object({{"name", name},
                                 {"arn", "arn:aws:eks:us-east-1:000000000000:cluster/" + name},
                                 {"accountId", "000000000000"},
                                 {"region", "us-east-1"},
                                 {"version", version},
                                 {"creatorArn", "arn:aws:iam::000000000000:root"}})}});
    const auto answer =
        call(server, hub_id, client::create_call(resources::clusters, account, cluster));
    EXPECT_TRUE(answer) << answer.error().message;
  }
  Value cluster(Server& server, const std::string& name) {
    auto answer = call(server, hub_id, client::get_call(resources::clusters, account, id(name)));
    return answer ? answer->object : Value();
  }
  std::vector<Value> list(Server& server, std::string_view api, const client::Resource& resource,
                          const std::string& name_space = "") {
    client::Call call;
    call.verb = client::Verb::list;
    call.resource = resource;
    call.name_space = name_space;
    const auto answer = this->call(server, api, std::move(call));
    EXPECT_TRUE(answer) << (answer ? "" : answer.error().message);
    std::vector<Value> items;
    if (answer) {
      for (const Value& item : answer->object["items"].items()) items.push_back(item);
    }
    return items;
  }
  // Who leads, by what the processes do, not by what the hub says.
  std::vector<std::string> leaders(const std::string& name) const {
    std::vector<std::string> leading;
    for (const auto& [server_name, server] : servers_) {
      if (server->house && server->connections().leads(id(name))) leading.push_back(server_name);
    }
    return leading;
  }
  bool serve_all(const std::vector<std::string>& names) const {
    for (const auto& [server_name, server] : servers_) {
      if (!server->house) continue;
      for (const std::string& name : names) {
        if (!server->connections().serves(id(name))) return false;
      }
    }
    for (const std::string& name : names) {
      if (leaders(name).size() != 1) return false;
    }
    return true;
  }

  std::unique_ptr<runtime::World> world;

 private:
  std::unique_ptr<runtime::Host> store_host_;
  std::unique_ptr<store::Engine> engine_;
  std::map<std::string, std::unique_ptr<Server>> servers_;
};

Value config_map(const std::string& name) {
  return Value::object({{"metadata", Value::object({{"name", name}, {"namespace", "default"}})},
                        {"data", Value::object({{"k", "v"}})}});
}

Value replica_set(const std::string& name, int replicas) {
  const Value labels = Value::object({{"app", name}});
  const Value container = Value::object({{"name", "main"}, {"image", "example.com/app:1"}});
  return Value::object(
      {{"metadata", Value::object({{"name", name}, {"namespace", "default"}})},
       {"spec", Value::object(
                    {{"replicas", replicas},
                     {"selector", Value::object({{"matchLabels", labels}})},
                     {"template",
                      Value::object({{"metadata", Value::object({{"labels", labels}})},
                                     {"spec", Value::object({{"containers",
                                                              Value::array({container})}})}})}})}});
}

TEST(SeveralServers, EachServesAllAndOneLeads) {
  Town town;
  Server& a = town.start("a");
  Server& b = town.start("b");
  town.until_started(a);
  town.until_started(b);
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
  ASSERT_TRUE(town.wait([&] { return town.serve_all(names); }));
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
  EXPECT_EQ(town.list(b, hub_id, fleet::servers).size(), 2u);
  // It comes back, serves all, and takes nothing away.
  town.until_started(town.start("a"));
  ASSERT_TRUE(town.wait([&] { return town.serve_all(names); }));
  EXPECT_EQ(town.list(b, hub_id, fleet::servers).size(), 3u);
}

// The leader is stopped while it creates pods; another takes the cluster and creates them; then the
// first wakes and its creations leave. Answers how many of them were written.
int late_writes(bool fenced) {
  Town town;
  Server& a = town.start("a", fenced);
  Server& b = town.start("b", fenced);
  town.until_started(a);
  town.until_started(b);
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

}  // namespace
}  // namespace keelway::app
