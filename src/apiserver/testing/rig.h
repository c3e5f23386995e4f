// A server over the memory store in the seeded world, and a client of HTTP without sockets.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "access/identity.h"
#include "apiserver/server.h"
#include "client/client.h"
#include "kinds/catalog.h"
#include "runtime/virtual/world.h"
#include "store/memory/memory.h"
#include "value/json.h"

namespace keelway::apiserver::testing {

// Records what the server answers.
class FakeExchange final : public http::Exchange {
 public:
  void respond(http::Response r) override {
    status = r.status;
    headers = std::move(r.headers);
    headers.insert(headers.end(), r.constant.begin(), r.constant.end());
    body = std::move(r.body);
    complete = true;
  }
  void start(int s, std::vector<http::Header> h) override {
    status = s;
    headers = std::move(h);
  }
  void write(std::string chunk) override {
    body += chunk;
    if (stuck) {
      pending += chunk.size();
    } else if (auto callback = std::exchange(drained, nullptr)) {
      callback();
      if (!drained && !complete) drained = std::move(callback);
    }
  }
  void finish() override { complete = true; }
  void abort() override { complete = true; }
  std::size_t pending_bytes() const override { return pending; }
  void on_drained(std::move_only_function<void()> callback) override {
    drained = std::move(callback);
  }
  void on_gone(std::move_only_function<void()> callback) override {
    if (left) return callback();
    gone = std::move(callback);
  }

  std::string header(std::string_view name) const {
    for (const auto& [key, text] : headers) {
      if (key == name) return text;
    }
    return "";
  }
  value::Value json() const { return value::parse_json(body).value_or(value::Value()); }
  // Watch events received so far, as "TYPE name@revision".
  std::vector<std::string> events() const;

  int status = 0;
  std::vector<http::Header> headers = {};
  std::string body;
  bool complete = false, stuck = false;
  bool left = false;  // the client has gone before the answer began
  std::size_t pending = 0;
  std::move_only_function<void()> drained, gone;
};
using ExchangePtr = std::shared_ptr<FakeExchange>;

// What a request of a test may say beside method and target.
struct Extra {
  std::string content_type = "application/json";
  std::string accept = {};
  // "admin", a member of system:masters, or "user|group,group"; empty: no credentials
  std::string user = "admin";
  std::vector<http::Header> headers = {};
  bool stuck = false;  // the client takes nothing until the test says so
};

class Rig {
 public:
  // `bare`: without the roles and other objects that a cluster is born with, and fast.
  enum class Start { whole, bare };
  explicit Rig(std::uint64_t seed = 1, Start start = Start::whole);
  ~Rig();

  // Runs until the answer is complete.
  ExchangePtr ask(std::string method, std::string target, std::string body = "",
                  const Extra& extra = {});
  // Begins and returns at once after a little time.
  ExchangePtr open(std::string method, std::string target, const Extra& extra = {});
  void run_for(base::Duration duration) { world->run_for(duration); }
  schema::Answer<client::Reply> call(client::Call call);

  std::unique_ptr<runtime::World> world;
  std::unique_ptr<runtime::Host> host;
  std::unique_ptr<runtime::Executor> executor, loop_executor;
  std::unique_ptr<store::Engine> engine;
  std::unique_ptr<Server> server;
  std::unique_ptr<client::Client> client;
  struct Audited {
    std::string user;
    int code = 0;
  };
  std::vector<Audited> audit;
};

}  // namespace keelway::apiserver::testing
