#include "schema/protobuf.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "kinds/catalog.h"
#include "value/json.h"

namespace keelway::kinds {
namespace {

using value::Value;

std::string content(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Upstream's golden objects: outside the repository, so the test that needs them may skip.
std::filesystem::path golden_folder() {
  const std::filesystem::path beside = "../shared/reference/kubernetes-api-testdata";
  return std::filesystem::exists(beside) ? beside : ".." / beside;
}

// "core.v1.Pod.pb": the group may have dots.
const schema::Kind* kind_of(const schema::KindSet& kinds, std::string name) {
  name.resize(name.size() - 3);
  const std::size_t last = name.rfind('.');
  const std::size_t middle = name.rfind('.', last - 1);
  const std::string group = name.substr(0, middle);
  return kinds.by_kind(group == "core" ? "" : group, name.substr(middle + 1, last - middle - 1),
                       name.substr(last + 1));
}

TEST(Protobuf, GoldenObjectsDecodeToTheirJsonAndEncodeToTheirBytes) {
  if (!std::filesystem::exists(golden_folder())) {
    GTEST_SKIP() << "no " << golden_folder();
  }
  const auto kinds = catalog(33);
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(golden_folder())) {
    if (entry.path().extension() != ".pb") continue;
    const schema::Kind* kind = kind_of(*kinds, entry.path().filename());
    if (kind == nullptr || kind->proto_message.empty()) continue;
    SCOPED_TRACE(entry.path().filename());
    const std::string bytes = content(entry.path());
    auto json_path = entry.path();
    const auto expected = value::parse_json(content(json_path.replace_extension(".json")));
    ASSERT_TRUE(expected);
    const auto decoded = schema::from_protobuf(*kinds, bytes);
    ASSERT_TRUE(decoded) << decoded.error().message;
    EXPECT_EQ(value::to_pretty_json(*decoded), value::to_pretty_json(*expected));
    EXPECT_TRUE(schema::to_protobuf(*kind, *expected) == bytes);
    ++count;
  }
  EXPECT_GE(count, 30);
  std::printf("%d golden objects\n", count);
}

TEST(Protobuf, ZeroScalarsAreWrittenAndReadBackAsAbsent) {
  const auto kinds = catalog(33);
  const schema::Kind* map = kinds->by_kind("", "v1", "ConfigMap");
  const Value object = Value::object({{"apiVersion", "v1"}, {"kind", "ConfigMap"}});
  const std::string bytes = schema::to_protobuf(*map, object);
  // The bytes that kubectl sends for an empty ObjectMeta.
  const std::string metadata(
      "\x0a\x10\x0a\x00\x12\x00\x1a\x00\x22\x00\x2a\x00\x32\x00\x38\x00"
      "\x42\x00",
      18);
  EXPECT_NE(bytes.find(metadata), std::string::npos);
  const auto back = schema::from_protobuf(*kinds, bytes);
  ASSERT_TRUE(back);
  Value expected = object;
  expected.set("metadata", Value::object());
  EXPECT_EQ(*back, expected);
}

TEST(Protobuf, UnionsInSchemasShowTheMemberThatIsSet) {
  const auto kinds = catalog(33);
  const schema::Kind* kind =
      kinds->by_kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
  const auto crd = *value::parse_json(
      R"({"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition",)"
      R"("metadata":{"name":"things.example.org"},"spec":{"group":"example.org",)"
      R"("names":{"kind":"Thing","plural":"things"},"scope":"Cluster","versions":[{"name":"v1",)"
      R"("schema":{"openAPIV3Schema":{"properties":{"a":{"items":{"type":"string"},)"
      R"("type":"array"},"b":{"additionalProperties":{"type":"integer"},"type":"object"},)"
      R"("c":{"additionalProperties":false,"default":{"x":[1,null]},"type":"object"},)"
      R"("d":{"dependencies":{"p":["q","r"],"s":{"type":"string"}},"enum":["u",2,true],)"
      R"("items":[{"type":"string"},{"type":"number"}],"minimum":1.5},)"
      R"("e":{"additionalProperties":true}},"type":"object"}},"served":true,"storage":true}]},)"
      R"("status":{"acceptedNames":{"kind":"Thing","plural":"things"}}})");
  const auto back = schema::from_protobuf(*kinds, schema::to_protobuf(*kind, crd));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(value::to_json(*back), value::to_json(crd));
}

TEST(Protobuf, OlderMinorsLeaveOutWhatTheyDoNotHave) {
  const auto deployment = *value::parse_json(
      R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d"},)"
      R"("status":{"availableReplicas":1,"terminatingReplicas":2,"updatedReplicas":3}})");
  for (const int minor : {32, 33}) {
    const auto kinds = catalog(minor);
    const schema::Kind* kind = kinds->by_kind("apps", "v1", "Deployment");
    const auto back = schema::from_protobuf(*kinds, schema::to_protobuf(*kind, deployment));
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(back->at("status", "updatedReplicas").as_int(), 3);
    EXPECT_EQ(back->at("status", "terminatingReplicas").as_int(), minor == 33 ? 2 : 0);
  }
}

TEST(Protobuf, ListsGoThereAndBack) {
  const auto kinds = catalog(33);
  const schema::Kind* map = kinds->by_kind("", "v1", "ConfigMap");
  const auto list = *value::parse_json(
      R"({"apiVersion":"v1","items":[{"data":{"a":"b"},"metadata":{"name":"x"}},)"
      R"({"metadata":{"name":"y"}}],"kind":"ConfigMapList",)"
      R"("metadata":{"continue":"c","remainingItemCount":7,"resourceVersion":"12"}})");
  const auto back = schema::from_protobuf(*kinds, schema::to_protobuf(*map, list));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(value::to_json(*back), value::to_json(list));
}

TEST(Protobuf, EveryPrefixOfAnObjectIsAnAnswerOrARefusal) {
  const auto kinds = catalog(33);
  const schema::Kind* kind = kinds->by_kind("", "v1", "Service");
  const auto service = *value::parse_json(
      R"({"apiVersion":"v1","kind":"Service","metadata":{"name":"s","labels":{"a":"b"}},)"
      R"("spec":{"ports":[{"port":80,"targetPort":"http"}],"selector":{"x":"y"}}})");
  const std::string bytes = schema::to_protobuf(*kind, service);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const auto answer = schema::from_protobuf(*kinds, bytes.substr(0, length));
    if (length < 4) {
      EXPECT_FALSE(answer);
    }
    if (!answer) {
      EXPECT_EQ(answer.error().code, 400);
    }
  }
}

TEST(Protobuf, RefusesNestingWithoutEnd) {
  const auto kinds = catalog(33);
  const schema::Kind* kind = kinds->by_kind("apps", "v1", "ControllerRevision");
  std::string bytes = schema::to_protobuf(*kind, Value::object());
  // data: RawExtension {raw: an enveloped ControllerRevision, and so on}
  for (int i = 0; i < 500; ++i) {
    const auto varint = [](std::size_t n) {
      std::string out;
      for (; n >= 0x80; n >>= 7) out.push_back(static_cast<char>(n | 0x80));
      return out + static_cast<char>(n);
    };
    const auto field = [&](char tag, const std::string& inner) {
      return std::string(1, tag) + varint(inner.size()) + inner;
    };
    const std::string type = field('\x0a', "apps/v1") + field('\x12', "ControllerRevision");
    bytes = std::string("k8s\0", 4) + field('\x0a', type) +
            field('\x12', field('\x12', field('\x0a', bytes)));
  }
  EXPECT_FALSE(schema::from_protobuf(*kinds, bytes));
}

TEST(Protobuf, WatchFrameHasItsLengthInFront) {
  const std::string frame = schema::protobuf_watch_frame("ADDED", "body");
  EXPECT_EQ(frame.substr(0, 4), std::string("\0\0\0\x0f", 4));
  EXPECT_EQ(frame.substr(4), std::string("\x0a\x05"
                                         "ADDED\x12\x06\x0a\x04"
                                         "body"));
}

}  // namespace
}  // namespace keelway::kinds
