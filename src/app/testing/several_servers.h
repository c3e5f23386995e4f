// For tests only: several Houses over one memory store in one seeded world.
#pragma once

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/house.h"
#include "client/resources.h"
#include "fleet/ownership.h"
#include "runtime/virtual/world.h"
#include "store/memory/memory.h"

namespace keelway::app::testing {

using namespace std::chrono_literals;
namespace resources = client::resources;
using value::Value;

inline constexpr const char* account = "000000000000-us-east-1";
inline constexpr auto lease_interval = 1s;

// Calls that a stopped process was about to send: they leave when it wakes, whatever has become of
// the loops that made them.
class Held {
 public:
  std::function<bool(const client::Call&)> wanted;  // null: nothing is held
  // Resources that loops and nodes of this server have written, in order.
  std::vector<client::Resource> written;

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
      return;
    }
    const bool write = call.verb != client::Verb::get && call.verb != client::Verb::list;
    client::Resource resource = call.resource;
    inner_->call(std::move(call),
                 [write, resource = std::move(resource), &written = held_.written,
                  done = std::move(done)](schema::Answer<client::Reply> answer) mutable {
                   if (write && answer) written.push_back(resource);
                   done(std::move(answer));
                 });
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
              .log = story(name),
              .decorate = [held = &server->held](std::unique_ptr<client::Client> inner,
                                                 auto&...) -> std::unique_ptr<client::Client> {
                return std::make_unique<HoldingClient>(std::move(inner), *held);
              },
              .fenced = fenced});
    Config config;
    config.listen_port = 0;
    config.shared_store = true;
    config.server_name = name;
    config.advertised_host = name;
    config.lease_interval = lease_interval;
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
  // Servers a and b, both started.
  std::pair<Server&, Server&> start_two(bool fenced = true) {
    Server& a = start("a", fenced);
    Server& b = start("b", fenced);
    until_started(a);
    until_started(b);
    return {a, b};
  }
  void stop(Server& server) {
    bool stopped = false;
    server.house->stop([&] { stopped = true; });
    EXPECT_TRUE(wait([&] { return stopped; }));
    server.user.reset();
    server.house.reset();
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

  // A call under way.
  struct Open {
    std::unique_ptr<client::Client> client;
    std::optional<schema::Answer<client::Reply>> answer;
  };
  using OpenPtr = std::shared_ptr<Open>;
  OpenPtr begin(Server& server, std::string_view api, client::Call call) {
    auto open = std::make_shared<Open>();
    server.user->post([&server, open, api = std::string(api), call = std::move(call)]() mutable {
      open->client = server.connections().connect(api, *server.user,
                                                  access::component("user", {"system:masters"}));
      if (!open->client) {
        open->answer = std::unexpected(schema::service_unavailable("not served here"));
        return;
      }
      open->client->call(std::move(call), [open](schema::Answer<client::Reply> reply) {
        open->answer = std::move(reply);
      });
    });
    return open;
  }
  schema::Answer<client::Reply> end(const OpenPtr& open) {
    EXPECT_TRUE(wait([&] { return open->answer.has_value(); }));
    schema::Answer<client::Reply> answer = std::move(*open->answer);
    open->client.reset();
    return answer;
  }
  schema::Answer<client::Reply> call(Server& server, std::string_view api, client::Call call) {
    return end(begin(server, api, std::move(call)));
  }

  // What a server logs, in the time of the world; KEELWAY_STORY=1 shows it.
  telemetry::Log story(const std::string& name) const {
    if (std::getenv("KEELWAY_STORY") == nullptr) return {};
    return {"", [this, name](telemetry::Level, std::string_view component, std::string_view message,
                             std::initializer_list<telemetry::Pair> pairs) {
              std::string text = base::format_duration(world->now() - base::Instant{}) + " " +
                                 name + " " + std::string(component) + ": " + std::string(message);
              for (const auto& [key, word] : pairs) {
                text += " " + std::string(key) + "=" + std::string(word);
              }
              std::puts(text.c_str());
            }};
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

inline Value config_map(const std::string& name) {
  return Value::object({{"metadata", Value::object({{"name", name}, {"namespace", "default"}})},
                        {"data", Value::object({{"k", "v"}})}});
}

inline Value replica_set(const std::string& name, int replicas) {
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

}  // namespace keelway::app::testing
