// The Kubernetes door, attacked: each case of cases/*.yaml is a request that must be refused, with
// status and words, and its neighbour, the same with the one fault mended, which is let in.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "apiserver/testing/rig.h"
#include "value/yaml.h"

namespace keelway::apiserver::testing {
namespace {

namespace fs = std::filesystem;
using value::Value;

Value read_cases(const std::string& file) {
  std::ifstream in(fs::path(KEELWAY_DOORS) / file);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  auto parsed = value::parse_yaml(text);
  EXPECT_TRUE(parsed) << file << ": " << (parsed ? "" : parsed.error().message);
  return parsed ? *parsed : Value();
}

std::string content_type_of(std::string_view method, const Value& said) {
  if (said.is_string()) return said.as_string();
  return method == "PATCH" ? "application/merge-patch+json" : "application/json";
}

class Door {
 public:
  // "POST /path" with a body, as the operator.
  void make(const Value& step) {
    const auto answer = ask(step, "admin|system:masters");
    EXPECT_LT(answer->status, 300) << value::to_json(step) << answer->body;
  }

  // `step`: {as, ask, body, type, headers}; what it does not say is as in `base`.
  ExchangePtr ask(const Value& step, std::string_view who) {
    const std::string& line = step["ask"].as_string();
    const auto space = line.find(' ');
    Extra extra;
    extra.user = step["as"].is_string() ? step["as"].as_string() : std::string(who);
    const std::string method = line.substr(0, space);
    extra.content_type = content_type_of(method, step["type"]);
    const Value& headers = step["headers"];
    for (const auto& [name, text] : headers.members()) {
      for (const Value& one : text.items()) extra.headers.emplace_back(name, one.as_string());
      if (text.is_string()) extra.headers.emplace_back(name, text.as_string());
    }
    std::string body = step["body"].is_null() ? "" : value::to_json(step["body"]);
    return rig_.ask(method, line.substr(space + 1), with_uids(std::move(body)), extra);
  }

 private:
  // "<uid of /path>" becomes what it says.
  std::string with_uids(std::string text) {
    constexpr std::string_view mark = "\\u003cuid of ", end = "\\u003e";
    for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark)) {
      const auto close = text.find(end, at);
      const std::string path = text.substr(at + mark.size(), close - at - mark.size());
      const auto found = rig_.ask("GET", path, "", {.user = "admin|system:masters"});
      text.replace(at, close + end.size() - at, found->json().at("metadata", "uid").as_string());
    }
    return text;
  }

  Rig rig_;
};

// `right` says only what differs from the case.
Value neighbour(const Value& one) {
  Value step = one;
  for (const auto& [key, member] : one["right"].members()) step.set(key, member);
  return step;
}

void attack(const std::string& file) {
  const Value cases = read_cases(file);
  Door door;
  const Value& given = cases["given"];
  for (const Value& step : given.items()) door.make(step);
  const Value& list = cases["cases"];
  ASSERT_FALSE(list.empty());
  const std::string& who = cases["as"].as_string();
  for (const Value& one : list.items()) {
    SCOPED_TRACE(file + ": " + one["case"].as_string());
    const auto refused = door.ask(one, who);
    EXPECT_EQ(refused->status, one["expect"].as_int()) << refused->body;
    EXPECT_NE(refused->body.find(one["says"].as_string()), std::string::npos) << refused->body;
    const auto taken = door.ask(neighbour(one), who);
    EXPECT_LT(taken->status, 300) << "the right neighbour: " << taken->body;
  }
}

TEST(Doors, Nodes) {
  attack("node.yaml");
}
TEST(Doors, Roles) {
  attack("roles.yaml");
}
TEST(Doors, Impersonation) {
  attack("impersonation.yaml");
}
TEST(Doors, Names) {
  attack("names.yaml");
}

}  // namespace
}  // namespace keelway::apiserver::testing
