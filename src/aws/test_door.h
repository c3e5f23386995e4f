// The AWS door before a hub of its own, asked as a client asks it.
#pragma once

#include <gtest/gtest.h>

#include "aws/botocore_vectors.h"
#include "aws/door.h"
#include "aws/test_hub.h"
#include "runtime/virtual/world.h"
#include "wire/sigv4.h"

namespace keelway::aws {

using value::Value;
namespace resources = client::resources;

inline constexpr const char* other_account = "999999999999";

struct Reply {
  int status = 0;
  std::string error_type, content_type, text;
  Value body;
  std::string message() const { return body["message"].as_string(); }
};

class DoorTest : public ::testing::Test {
 protected:
  DoorTest()
      : world_(runtime::make_world(7, {.epoch = vectors::signed_at})),
        host_(world_->make_host("server")),
        executor_(host_->runtime().make_executor("door")),
        hub_(*executor_),
        door_(make_door({host_->runtime(), *executor_, hub_, hub_.view(), {}},
                        {.metrics = metrics_})) {
    add_key(vectors::key());
    add_key(other_key());
  }
  static AccessKey other_key() {
    return {"AKIAOTHER", "other-secret", other_account, "eve", false};
  }

  void add_key(const AccessKey& key) {
    std::string name = key.access_key_id;
    for (char& c : name) c = static_cast<char>(std::tolower(c));
    hub_.write(resources::access_keys,
               Value::object({{"metadata", Value::object({{"name", name}})},
                              {"spec", Value::object({{"accountId", key.account_id},
                                                      {"accessKeyId", key.access_key_id},
                                                      {"secretAccessKey", key.secret_access_key},
                                                      {"userName", key.user_name},
                                                      {"root", key.root}})}}));
  }

  Reply send(const http::Request& request) {
    auto exchange = std::make_shared<TestExchange>();
    executor_->post([this, request = vectors::copy_of(request), exchange]() mutable {
      door_->handle(std::move(request), exchange);
    });
    world_->run_while_waiting([&] { return exchange->answer.has_value(); });
    Reply reply;
    if (!exchange->answer) return reply;
    reply.status = exchange->answer->status;
    reply.text = exchange->answer->body;
    for (const auto& [name, text] : exchange->answer->headers) {
      if (name == "x-amzn-errortype") reply.error_type = text;
      if (name == "content-type") reply.content_type = text;
    }
    if (auto body = value::parse_json(reply.text)) reply.body = std::move(*body);
    return reply;
  }

  http::Request request(std::string method, std::string target, std::string body,
                        const AccessKey& key = vectors::key(), std::string service = "eks",
                        std::string region = "eu-west-1") {
    http::Request made;
    made.method = std::move(method);
    made.target = std::move(target);
    made.headers = {{"host", "127.0.0.1:4566"}};
    made.body = std::move(body);
    wire::sigv4::sign_headers(made.method, made.target, made.headers, made.body,
                              {key.access_key_id, key.secret_access_key, ""}, {region, service},
                              vectors::signed_at);
    return made;
  }
  Reply eks(std::string method, std::string target, std::string body = "") {
    return send(request(std::move(method), std::move(target), std::move(body)));
  }
  static std::string create_body(std::string name, std::string more = "") {
    return R"({"name":")" + name +
           R"(","roleArn":"arn:aws:iam::123456789012:role/eks","resourcesVpcConfig":)"
           R"({"subnetIds":["subnet-1","subnet-2"]})" +
           more + "}";
  }
  void make(const std::string& name, const std::string& more = "") {
    ASSERT_EQ(eks("POST", "/clusters", create_body(name, more)).status, 200);
    set_status(name, "ACTIVE");
  }
  client::ObjectPtr object_of(const std::string& name) {
    for (const auto& one : hub_.view().list(resources::clusters)) {
      if (one->value().at("spec", "name").as_string() == name) return one;
    }
    return nullptr;
  }
  void set_status(const std::string& name, const char* status) {
    const auto object = object_of(name);
    hub_.set_status(object->name_space(), object->name(),
                    Value::object({{"status", status},
                                   {"endpoint", "https://127.0.0.1:7001"},
                                   {"oidcIssuer", "https://oidc/id/1"},
                                   {"certificateAuthority", Value::object({{"data", "Q0E="}})}}));
  }
  static void expect_refused(const Reply& reply, int status, std::string_view type,
                             std::string_view part) {
    EXPECT_EQ(reply.status, status) << reply.text;
    EXPECT_EQ(reply.error_type, type) << reply.text;
    EXPECT_NE(reply.text.find(part), std::string::npos) << reply.text;
  }

  std::unique_ptr<runtime::World> world_;
  std::unique_ptr<runtime::Host> host_;
  std::unique_ptr<runtime::Executor> executor_;
  TestHub hub_;
  const std::shared_ptr<telemetry::Metrics> metrics_ = std::make_shared<telemetry::Metrics>();
  std::unique_ptr<Door> door_;
};

}  // namespace keelway::aws
