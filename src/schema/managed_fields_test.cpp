#include "schema/managed_fields.h"

#include <gtest/gtest.h>

#include "schema/ownership.h"
#include "schema/testing_kinds.h"
#include "value/json.h"

namespace keelway::schema {
namespace {

using value::Value;

Value j(std::string_view text) {
  return value::parse_json(text).value();
}

ManagerContext by(std::string manager, std::int64_t second = 0, std::string subresource = "") {
  return {std::move(manager), std::move(subresource), {second * 1'000'000}};
}

// {"manager/Operation": fieldsV1}
Value owners(const Value& object) {
  Value result = Value::object();
  for (const Value& entry : object.at("metadata", "managedFields").items()) {
    std::string name = entry["manager"].as_string() + "/" + entry["operation"].as_string();
    if (entry.contains("subresource")) name += "/" + entry["subresource"].as_string();
    result.set(name, entry["fieldsV1"]);
  }
  return result;
}

const Value kConfigMap = j(R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"cm"}})");

Value config_map(std::string_view data) {
  Value v = kConfigMap;
  v.set("data", j(data));
  return v;
}

Value applied(const Value* live, const Value& config, const ManagerContext& context,
              bool force = false) {
  const auto v = apply(testing::config_map(), live, config, context, force);
  EXPECT_TRUE(v) << (v ? "" : v.error().message);
  return v ? *v : Value();
}

TEST(FieldSet, reads_and_writes_fields_v1) {
  const Value v =
      j(R"({"f:a":{".":{},"f:b":{}},"f:l":{"k:{\"name\":\"x\"}":{".":{}},"v:\"y\"":{}}})");
  const FieldSet set = FieldSet::from_fields_v1(v);
  EXPECT_EQ(set.paths(), (std::vector<std::string>{".a", ".a.b", ".l[name=\"x\"]", ".l[=\"y\"]"}));
  EXPECT_EQ(value::to_json(set.to_fields_v1()),
            R"({"f:a":{".":{},"f:b":{}},"f:l":{"k:{\"name\":\"x\"}":{},"v:\"y\"":{}}})");
}

TEST(FieldSet, does_arithmetic_on_paths) {
  FieldSet a = FieldSet::from_fields_v1(j(R"({"f:x":{".":{},"f:y":{}},"f:z":{}})"));
  const FieldSet b = FieldSet::from_fields_v1(j(R"({"f:x":{}})"));
  EXPECT_TRUE(a.contains(b));
  EXPECT_EQ(a.intersect(b).paths(), std::vector<std::string>{".x"});
  a.subtract(b);
  EXPECT_EQ(a.paths(), (std::vector<std::string>{".x.y", ".z"}));
  a.erase_tree({"f:x"});
  EXPECT_EQ(a.paths(), std::vector<std::string>{".z"});
}

TEST(TrackUpdate, create_owns_what_was_set) {
  const Value v =
      track_update(testing::config_map(), nullptr, config_map(R"({"a":"b"})"), by("corpus"));
  EXPECT_EQ(owners(v), j(R"({"corpus/Update":{"f:data":{".":{},"f:a":{}}}})"));
  EXPECT_EQ(v.at("metadata", "managedFields")[0]["time"].as_string(), "1970-01-01T00:00:00Z");
}

TEST(TrackUpdate, structs_that_go_always_writes_have_no_owner) {
  const Value v = track_update(testing::deployment(), nullptr, j(R"({"apiVersion":"apps/v1",
      "kind":"Deployment","metadata":{"name":"d","labels":{"a":"b"},"finalizers":["f"]},"spec":{
      "replicas":1,"selector":{"matchLabels":{"a":"b"}},"strategy":{"type":"R",
      "rollingUpdate":{"x":1}},
      "template":{"metadata":{"creationTimestamp":null},"spec":{"containers":[{"name":"c",
      "ports":[{"containerPort":80}],"resources":{}}]}}},"status":{"replicas":3}})"),
                               by("m"));
  EXPECT_EQ(value::to_json(owners(v)["m/Update"]), value::to_json(j(R"({"f:metadata":{
      "f:finalizers":{".":{},"v:\"f\"":{}},"f:labels":{".":{},"f:a":{}}},"f:spec":{
      "f:replicas":{},"f:selector":{},"f:strategy":{
      "f:rollingUpdate":{".":{},"f:x":{}},"f:type":{}},
      "f:template":{"f:metadata":{"f:creationTimestamp":{}},"f:spec":{
      "f:containers":{"k:{\"name\":\"c\"}":{
      ".":{},"f:name":{},"f:ports":{".":{},"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{".":{},
      "f:containerPort":{}}},"f:resources":{}}}}}}})")));
}

TEST(TrackUpdate, custom_resources_own_their_structs) {
  const Value v = track_update(testing::widget(), nullptr, j(R"({"apiVersion":"example.com/v1",
      "kind":"Widget","metadata":{"name":"w"},"spec":{"size":1,"list":["a"]}})"),
                               by("m"));
  EXPECT_EQ(owners(v)["m/Update"], j(R"({"f:spec":{".":{},"f:list":{},"f:size":{}}})"));
}

TEST(TrackUpdate, ownership_moves_with_the_change) {
  const Kind kind = testing::config_map();
  const Value first = track_update(kind, nullptr, config_map(R"({"a":"1","b":"1"})"), by("one"));
  Value change = first;
  change.set("data", j(R"({"a":"2","c":"1"})"));
  const Value second = track_update(kind, &first, change, by("two", 5));
  EXPECT_EQ(owners(second), j(R"({"one/Update":{"f:data":{}},
      "two/Update":{"f:data":{"f:a":{},"f:c":{}}}})"));
}

TEST(TrackUpdate, nothing_changes_on_a_no_op) {
  const Kind kind = testing::config_map();
  const Value first = track_update(kind, nullptr, config_map(R"({"a":"1"})"), by("one"));
  EXPECT_EQ(track_update(kind, &first, first, by("two", 5)), first);
}

TEST(TrackUpdate, status_writes_stand_apart) {
  const Kind kind = testing::deployment();
  const Value first = track_update(kind, nullptr, j(R"({"spec":{"replicas":1}})"), by("one"));
  Value change = first;
  change.mutate("status").set("replicas", 1);
  change.mutate("spec").set("replicas", 9);
  const Value second = track_update(kind, &first, change, by("two", 5, "status"));
  EXPECT_EQ(owners(second), j(R"({"one/Update":{"f:spec":{"f:replicas":{}}},
      "two/Update/status":{"f:status":{"f:replicas":{}}}})"));
}

TEST(TrackUpdate, an_empty_list_resets_and_stays_untracked) {
  const Kind kind = testing::config_map();
  const Value first = track_update(kind, nullptr, config_map(R"({"a":"1"})"), by("one"));
  for (const std::string_view reset : {"[]", "[{}]"}) {
    Value change = first;
    change.mutate("metadata").set("managedFields", j(reset));
    change.mutate("data").set("b", "1");
    const Value second = track_update(kind, &first, change, by("two"));
    EXPECT_FALSE(second["metadata"].contains("managedFields"));
    Value third = second;
    third.mutate("data").set("c", "1");
    EXPECT_FALSE(
        track_update(kind, &second, third, by("two"))["metadata"].contains("managedFields"));
  }
}

// Entries that a change does not touch are not read; what comes out must be the same.
TEST(TrackUpdate, says_the_same_whether_it_reads_all_entries_or_not) {
  Value live = track_update(testing::config_map(), nullptr,
                            config_map(R"({"a":"1","b":"2","c":"3"})"), by("first"));
  live = track_update(testing::config_map(), &live, config_map(R"({"a":"1","b":"9","c":"3"})"),
                      by("second", 10));
  live = applied(&live, config_map(R"({"d":"4"})"), by("applier", 20));
  const char* changes[] = {R"({"a":"1","b":"9","c":"3","d":"4"})", R"({"a":"0","d":"4"})",
                           R"({"b":"0","c":"3","d":"5","e":"6"})", "{}"};
  for (const char* data : changes) {
    for (const char* manager : {"first", "second", "third"}) {
      Value next = live;
      next.set("data", j(data));
      Value rewritten = next;  // the same owners in another text
      for (Value& entry : rewritten.mutate("metadata").mutate("managedFields").mutable_items()) {
        entry.erase("fieldsType");
      }
      const Value quick = track_update(testing::config_map(), &live, next, by(manager, 30));
      const Value slow = track_update(testing::config_map(), &live, rewritten, by(manager, 30));
      EXPECT_EQ(value::to_json(quick), value::to_json(slow)) << manager << ' ' << data;
    }
  }
}

TEST(TrackUpdate, takes_the_list_that_a_client_rewrote) {
  const Kind kind = testing::config_map();
  const Value first = track_update(kind, nullptr, config_map(R"({"a":"1"})"), by("one"));
  Value change = first;
  change.mutate("metadata", "managedFields").mutable_items()[0].set("operation", "Apply");
  EXPECT_EQ(owners(track_update(kind, &first, change, by("two"))),
            j(R"({"one/Apply":{"f:data":{".":{},"f:a":{}}}})"));
}

TEST(TrackUpdate, keeps_at_most_ten_updaters) {
  const Kind kind = testing::config_map();
  Value live = track_update(kind, nullptr, config_map(R"({"k":"0"})"), by("m0"));
  for (int i = 1; i <= 14; ++i) {
    Value change = live;
    change.mutate("data").set("k" + std::to_string(i), "1");
    live = track_update(kind, &live, change, by("m" + std::to_string(i), i));
  }
  const auto& entries = live.at("metadata", "managedFields").items();
  ASSERT_EQ(entries.size(), 10u);
  EXPECT_EQ(entries[0]["manager"].as_string(), "ancient-changes");
  EXPECT_EQ(entries[0]["fieldsV1"]["f:data"].size(), 7u);  // "." and k, k1 ... k5
  EXPECT_EQ(entries[9]["manager"].as_string(), "m14");
}

TEST(Apply, creates) {
  const Value v = applied(nullptr, config_map(R"({"a":"b"})"), by("me"));
  EXPECT_EQ(owners(v), j(R"({"me/Apply":{"f:data":{"f:a":{}}}})"));
  EXPECT_EQ(v.at("metadata", "managedFields")[0]["apiVersion"].as_string(), "v1");
}

TEST(Apply, removes_what_it_no_longer_lists) {
  const Value first = applied(nullptr, config_map(R"({"a":"1","b":"1"})"), by("me"));
  Value others = first;
  others.mutate("data").set("x", "1");
  const Value live = track_update(testing::config_map(), &first, others, by("other"));
  const Value second = applied(&live, config_map(R"({"a":"1"})"), by("me", 9));
  EXPECT_EQ(value::to_json(second["data"]), R"({"a":"1","x":"1"})");
  const Value third = applied(&second, kConfigMap, by("me", 10));
  EXPECT_EQ(value::to_json(third["data"]), R"({"x":"1"})");
  EXPECT_EQ(third.at("metadata", "name").as_string(), "cm");
  EXPECT_EQ(owners(third), j(R"({"other/Update":{"f:data":{"f:x":{}}}})"));
}

TEST(Apply, keeps_what_is_shared_until_the_last_owner_lets_go) {
  const Value one = applied(nullptr, config_map(R"({"a":"1"})"), by("one"));
  const Value two = applied(&one, config_map(R"({"a":"1"})"), by("two"));
  const Value gone = applied(&two, kConfigMap, by("one"));
  EXPECT_EQ(gone.at("data", "a").as_string(), "1");
  const Value empty = applied(&gone, kConfigMap, by("two"));
  EXPECT_FALSE(empty.contains("data"));
}

TEST(Apply, conflicts_name_the_owners) {
  const Value live = track_update(testing::config_map(), nullptr,
                                  config_map(R"({"a":"1","b":"1"})"), by("corpus"));
  const auto single =
      apply(testing::config_map(), &live, config_map(R"({"a":"mine"})"), by("me"), false);
  ASSERT_FALSE(single);
  EXPECT_EQ(single.error().code, 409);
  EXPECT_EQ(single.error().message,
            "Apply failed with 1 conflict: conflict with \"corpus\" using v1: .data.a");
  ASSERT_EQ(single.error().causes.size(), 1u);
  EXPECT_EQ(single.error().causes[0].reason, "FieldManagerConflict");
  EXPECT_EQ(single.error().causes[0].message, "conflict with \"corpus\" using v1");
  EXPECT_EQ(single.error().causes[0].field, ".data.a");
  const auto two =
      apply(testing::config_map(), &live, config_map(R"({"a":"x","b":"x"})"), by("me"), false);
  ASSERT_FALSE(two);
  EXPECT_EQ(two.error().message,
            "Apply failed with 2 conflicts: conflicts with \"corpus\" using v1:\n- .data.a\n- "
            ".data.b");
}

TEST(Apply, force_takes_the_field) {
  const Value live = track_update(testing::config_map(), nullptr,
                                  config_map(R"({"a":"1","b":"1"})"), by("corpus"));
  const Value v = applied(&live, config_map(R"({"a":"mine"})"), by("me"), true);
  EXPECT_EQ(owners(v), j(R"({"corpus/Update":{"f:data":{".":{},"f:b":{}}},
      "me/Apply":{"f:data":{"f:a":{}}}})"));
}

TEST(Apply, no_op_keeps_the_time) {
  const Value first = applied(nullptr, config_map(R"({"a":"1"})"), by("me", 1));
  EXPECT_EQ(applied(&first, config_map(R"({"a":"1"})"), by("me", 60)), first);
  const Value shared = applied(&first, config_map(R"({"a":"1"})"), by("you", 60));
  EXPECT_EQ(shared.at("metadata", "managedFields").size(), 2u);
}

TEST(Apply, untracked_objects_belong_to_who_came_before) {
  const Value live = config_map(R"({"a":"1","b":"1"})");
  const Value v = applied(&live, config_map(R"({"a":"1"})"), by("me"));
  EXPECT_EQ(owners(v), j(R"({"me/Apply":{"f:data":{"f:a":{}}},
      "before-first-apply/Update":{"f:data":{".":{},"f:a":{},"f:b":{}}}})"));
}

TEST(Apply, keyed_lists_merge_in_the_order_of_the_config) {
  const auto spec = [](std::string_view containers) {
    return j(
        R"({"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"d"},"spec":{"template":{
        "spec":{"containers":)" +
        std::string(containers) + "}}}}");
  };
  const Kind kind = testing::deployment();
  const Value live =
      apply(kind, nullptr, spec(R"([{"name":"a"},{"name":"s"},{"name":"b"}])"), by("other"), false)
          .value();
  const Value v =
      apply(kind, &live, spec(R"([{"name":"b","image":"i"},{"name":"n"}])"), by("me"), false)
          .value();
  std::string names;
  for (const Value& item : v.at("spec", "template", "spec", "containers").items()) {
    names += item["name"].as_string();
  }
  EXPECT_EQ(names, "asbn");
  const Value without = apply(kind, &v, spec(R"([{"name":"n"}])"), by("me"), false).value();
  const Value& b = without.at("spec", "template", "spec", "containers")[2];
  EXPECT_EQ(value::to_json(b), R"({"name":"b"})");
}

TEST(Apply, going_over_from_client_side_apply_does_not_conflict) {
  Value live = config_map(R"({"a":"1"})");
  live.mutate("metadata", "annotations")
      .set("kubectl.kubernetes.io/last-applied-configuration",
           R"({"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"cm"},"data":{"a":"1"}})");
  live = track_update(testing::config_map(), nullptr, live, by("kubectl-client-side-apply"));
  const Value v = applied(&live, config_map(R"({"a":"2"})"), by("kubectl"));
  EXPECT_EQ(v.at("data", "a").as_string(), "2");
  EXPECT_NE(v.at("metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration")
                .as_string()
                .find(R"("a":"2")"),
            std::string::npos);
}

TEST(Apply, refuses_what_cannot_be_typed) {
  const auto error = [](const Kind& kind, std::string_view config) {
    const auto v = apply(kind, nullptr, j(config), by("me"), false);
    return v ? "" : std::to_string(v.error().code) + " " + v.error().message;
  };
  EXPECT_EQ(error(testing::config_map(), R"({"metadata":{"name":"cm"},"data":["x"]})"),
            "500 failed to create typed patch object (/cm; /v1, Kind=ConfigMap): .data: expected "
            "map, got &{[x]}");
  EXPECT_EQ(error(testing::widget(), R"({"metadata":{"name":"r"},"spec":{"zzz":1}})"),
            "500 failed to create typed patch object (/r; example.com/v1, Kind=Widget): .spec.zzz: "
            "field not declared in schema");
  EXPECT_EQ(error(testing::deployment(), R"({"metadata":{"name":"d"},"spec":{"template":{"spec":{
      "containers":[{"name":"c"},{"name":"c"}]}}}})"),
            "500 failed to create typed patch object (/d; apps/v1, Kind=Deployment): "
            ".spec.template.spec.containers: duplicate entries for key [name=\"c\"]");
  EXPECT_EQ(error(testing::config_map(), R"({"metadata":{"managedFields":[{"manager":"x"}]}})"),
            "400 metadata.managedFields must be nil");
}

TEST(KeepTimes, a_write_without_effect_is_no_write) {
  const Value first = applied(nullptr, config_map(R"({"a":"1"})"), by("me", 1));
  Value again = first;
  again.mutate("metadata", "managedFields").mutable_items()[0].set("time", "2030-01-01T00:00:00Z");
  EXPECT_EQ(keep_times_if_unchanged(first, again), first);
  again.mutate("data").set("a", "2");
  EXPECT_EQ(keep_times_if_unchanged(first, again), again);
}

}  // namespace
}  // namespace keelway::schema
