#include "schema/strategic_merge.h"

#include <gtest/gtest.h>

#include "schema/testing_kinds.h"
#include "value/json.h"

namespace keelway::schema {
namespace {

value::Value j(std::string_view text) {
  return value::parse_json(text).value();
}

// Patches the pod spec of a Deployment.
std::string pod(std::string_view spec, std::string_view patch) {
  const auto wrap = [](std::string_view inner) {
    return j(R"({"spec":{"template":{"spec":)" + std::string(inner) + "}}}");
  };
  const auto v = strategic_merge(testing::deployment(), wrap(spec), wrap(patch));
  if (!v) return std::to_string(v.error().code) + " " + v.error().message;
  return value::to_json(v->at("spec", "template", "spec"));
}

std::string whole(std::string_view document, std::string_view patch) {
  const auto v = strategic_merge(testing::deployment(), j(document), j(patch));
  return v ? value::to_json(*v) : std::to_string(v.error().code) + " " + v.error().message;
}

TEST(StrategicMerge, merges_lists_by_key_and_replaces_others) {
  EXPECT_EQ(pod(R"({"containers":[{"name":"a","image":"1","args":["x"]},{"name":"b"}]})",
                R"({"containers":[{"name":"a","image":"2","args":["y"]}]})"),
            R"({"containers":[{"args":["y"],"image":"2","name":"a"},{"name":"b"}]})");
  EXPECT_EQ(pod(R"({"containers":[{"name":"a"}]})", R"({"containers":[{"name":"n"}]})"),
            R"({"containers":[{"name":"n"},{"name":"a"}]})");
}

TEST(StrategicMerge, deletes) {
  EXPECT_EQ(pod(R"({"containers":[{"name":"a"},{"name":"b"}]})",
                R"({"containers":[{"name":"a","$patch":"delete"}]})"),
            R"({"containers":[{"name":"b"}]})");
  EXPECT_EQ(whole(R"({"spec":{"paused":true,"replicas":1}})", R"({"spec":{"paused":null}})"),
            R"({"spec":{"replicas":1}})");
  EXPECT_EQ(whole(R"({"metadata":{"finalizers":["a","b"]}})",
                  R"({"metadata":{"$deleteFromPrimitiveList/finalizers":["a"]}})"),
            R"({"metadata":{"finalizers":["b"]}})");
  EXPECT_EQ(whole(R"({"metadata":{"labels":{"a":"b"}}})",
                  R"({"metadata":{"labels":{"$patch":"delete"}}})"),
            R"({"metadata":{"labels":{}}})");
}

TEST(StrategicMerge, replaces_on_demand) {
  EXPECT_EQ(whole(R"({"metadata":{"labels":{"a":"b"}}})",
                  R"({"metadata":{"labels":{"$patch":"replace","c":"d"}}})"),
            R"({"metadata":{"labels":{"c":"d"}}})");
  EXPECT_EQ(pod(R"({"containers":[{"name":"a"},{"name":"b"}]})",
                R"({"containers":[{"$patch":"replace"},{"name":"c"}]})"),
            R"({"containers":[{"name":"c"}]})");
}

TEST(StrategicMerge, retains_keys) {
  EXPECT_EQ(
      whole(R"({"spec":{"strategy":{"type":"RollingUpdate","rollingUpdate":{"maxSurge":1}}}})",
            R"({"spec":{"strategy":{"$retainKeys":["type"],"type":"Recreate"}}})"),
      R"({"spec":{"strategy":{"type":"Recreate"}}})");
  EXPECT_EQ(whole(R"({"spec":{}})", R"({"spec":{"strategy":{"$retainKeys":["x"],"type":"R"}}})"),
            R"({"spec":{"strategy":{"type":"R"}}})");
  EXPECT_EQ(whole(R"({"spec":{"strategy":{"type":"a"}}})",
                  R"({"spec":{"strategy":{"$retainKeys":["x"],"type":"R"}}})"),
            "400 invalid patch format of retainKeys");
}

TEST(StrategicMerge, orders_elements) {
  EXPECT_EQ(pod(R"({"containers":[{"name":"a"},{"name":"s"},{"name":"b"}]})",
                R"({"$setElementOrder/containers":[{"name":"b"},{"name":"n"},{"name":"a"}],)"
                R"("containers":[{"name":"n"}]})"),
            R"({"containers":[{"name":"s"},{"name":"b"},{"name":"n"},{"name":"a"}]})");
  EXPECT_EQ(pod(R"({"containers":[{"name":"c","image":"i"}]})",
                R"({"$setElementOrder/containers":[{"name":"b"},{"name":"c"}],)"
                R"("containers":[{"name":"b","image":"x"}]})"),
            R"({"containers":[{"image":"x","name":"b"},{"image":"i","name":"c"}]})");
  EXPECT_EQ(whole(R"({"metadata":{"finalizers":["a","b"]}})",
                  R"({"metadata":{"$setElementOrder/finalizers":["b","c"],"finalizers":["c"]}})"),
            R"({"metadata":{"finalizers":["a","b","c"]}})");
}

TEST(StrategicMerge, drops_directives_and_nulls_of_what_is_new) {
  EXPECT_EQ(whole(R"({})", R"({"spec":{"template":{"spec":{"containers":[{"name":"a","image":null},
      {"name":"b","$patch":"delete"}],"$setElementOrder/containers":[{"name":"a"}]}}}})"),
            R"({"spec":{"template":{"spec":{"containers":[{"name":"a"}]}}}})");
}

TEST(StrategicMerge, refuses_with_upstream_wording) {
  EXPECT_EQ(pod(R"({"containers":[{"name":"a"}]})", R"({"containers":[{"image":"z"}]})"),
            "500 map: map[image:z] does not contain declared merge key: name");
  EXPECT_EQ(whole("{}", "[]"), "400 invalid JSON document");
  EXPECT_EQ(whole(R"({"metadata":{"labels":{}}})", R"({"metadata":{"labels":{"$patch":"what"}}})"),
            "500 unknown patch type: what in map: map[$patch:what]");
}

// What took the square of its length would hold everybody up for hours.
TEST(StrategicMerge, long_lists_take_no_longer_than_their_length) {
  value::Array names, containers;
  for (int i = 0; i < 100'000; ++i) {
    names.push_back(value::Value("f" + std::to_string(i)));
    containers.push_back(value::Value::object({{"name", "c" + std::to_string(i)}}));
  }
  const auto document = [](const value::Array& finalizers, const value::Array& items) {
    using value::Value;
    const Value spec = Value::object({{"containers", Value(items)}});
    return Value::object(
        {{"metadata", Value::object({{"finalizers", Value(finalizers)}})},
         {"spec", Value::object({{"template", Value::object({{"spec", spec}})}})}});
  };
  const auto live = document({value::Value("live")}, {value::Value::object({{"name", "c0"}})});
  const auto merged = strategic_merge(testing::deployment(), live, document(names, containers));
  ASSERT_TRUE(merged.has_value());
  EXPECT_EQ(merged->at("metadata", "finalizers").size(), 100'001u);
  EXPECT_EQ(merged->at("spec", "template", "spec", "containers").size(), 100'000u);
}

}  // namespace
}  // namespace keelway::schema
