#include "apiserver/testing/rig.h"

#include <algorithm>
#include <sstream>

#include "kinds/bootstrap.h"

namespace keelway::apiserver::testing {

std::vector<std::string> FakeExchange::events() const {
  std::vector<std::string> lines;
  std::istringstream in(body);
  for (std::string line; std::getline(in, line);) {
    const auto event = value::parse_json(line).value_or(value::Value());
    lines.push_back(event["type"].as_string() + " " +
                    event.at("object", "metadata", "name").as_string());
  }
  return lines;
}

namespace {

// "user|group,group"
access::Identity who_is(std::string_view token) {
  const std::size_t bar = token.find('|');
  std::vector<std::string> groups;
  std::string_view rest = bar == std::string_view::npos ? "" : token.substr(bar + 1);
  while (!rest.empty()) {
    const std::string_view group = rest.substr(0, rest.find(','));
    groups.emplace_back(group);
    rest.remove_prefix(std::min(rest.size(), group.size() + 1));
  }
  return access::component(std::string(token.substr(0, bar)), std::move(groups));
}

}  // namespace

Rig::Rig(std::uint64_t seed, Start start) : world(runtime::make_world(seed)) {
  host = world->make_host("host");
  executor = host->runtime().make_executor("server");
  loop_executor = host->runtime().make_executor("loop");
  engine = store::make_memory(host->runtime());
  executor->post([this, start] {
    Config config;
    config.cluster_name = "test";
    static const schema::KindSetPtr catalog = kinds::catalog(33);
    config.kinds = catalog;
    config.runtime = &host->runtime();
    config.executor = executor.get();
    config.keyspace = engine->open("test", *executor);
    if (start == Start::whole) config.foundation.bootstrap = kinds::bootstrap_objects(33);
    config.admission.service_accounts = false;
    config.aws_tokens = [](std::string_view token,
                           base::WallTime) -> schema::Answer<access::IdentityPtr> {
      token.remove_prefix(access::aws_token_prefix.size());
      return std::make_shared<const access::Identity>(
          token == "admin" ? access::component("admin", {"system:masters"}) : who_is(token));
    };
    config.audit = [this](const AuditRecord& record) {
      audit.push_back({std::string(record.user), record.code});
    };
    server = make_server(std::move(config));
    server->start([](base::Result<void>) {});
  });
  world->run_while_waiting([this] { return server && server->ready(); });
  executor->post([this] {
    client =
        server->make_client(*loop_executor, access::component("system:admin", {"system:masters"}));
  });
  world->run_while_waiting([this] { return client != nullptr; });
}

Rig::~Rig() {
  bool done = false;
  loop_executor->post([this] { client.reset(); });
  executor->post([this, &done] {
    server.reset();
    done = true;
  });
  world->run_while_waiting([&] { return done; });
}

namespace {

http::Request make_request(std::string method, std::string target, std::string body,
                           const Extra& extra) {
  http::Request request;
  request.method = std::move(method);
  request.target = std::move(target);
  request.body = std::move(body);
  request.headers.emplace_back("content-type", extra.content_type);
  if (!extra.accept.empty()) request.headers.emplace_back("accept", extra.accept);
  if (!extra.user.empty()) {
    request.headers.emplace_back("authorization", "Bearer k8s-aws-v1." + extra.user);
  }
  for (const http::Header& header : extra.headers) request.headers.push_back(header);
  return request;
}

}  // namespace

ExchangePtr Rig::open(std::string method, std::string target, const Extra& extra) {
  auto exchange = std::make_shared<FakeExchange>();
  exchange->stuck = extra.stuck;
  executor->post(
      [this, exchange,
       request = make_request(std::move(method), std::move(target), "", extra)]() mutable {
        server->handle(std::move(request), exchange);
      });
  world->run_for(std::chrono::milliseconds(50));
  return exchange;
}

ExchangePtr Rig::ask(std::string method, std::string target, std::string body, const Extra& extra) {
  auto exchange = std::make_shared<FakeExchange>();
  executor->post(
      [this, exchange,
       request = make_request(std::move(method), std::move(target), std::move(body),
                              extra)]() mutable { server->handle(std::move(request), exchange); });
  world->run_while_waiting([&] { return exchange->complete; });
  return exchange;
}

schema::Answer<client::Reply> Rig::call(client::Call call) {
  std::optional<schema::Answer<client::Reply>> reply;
  loop_executor->post([&] {
    client->call(std::move(call),
                 [&](schema::Answer<client::Reply> answer) { reply = std::move(answer); });
  });
  world->run_while_waiting([&] { return reply.has_value(); });
  return reply ? std::move(*reply) : std::unexpected(schema::internal_error("no answer came"));
}

}  // namespace keelway::apiserver::testing
