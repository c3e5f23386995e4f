#include "value/selector.h"

#include <gtest/gtest.h>

#include "value/json.h"
#include "value/path.h"

namespace keelway::value {
namespace {

Value j(std::string_view text) {
  return parse_json(text).value();
}

bool matches(std::string_view selector, const Labels& labels) {
  return LabelSelector::parse(selector).value().matches(labels);
}

std::string error(std::string_view selector) {
  const auto parsed = LabelSelector::parse(selector);
  return parsed ? "" : parsed.error().message;
}

TEST(LabelSelector, matches_the_text_form) {
  const Labels labels{{"a", "b"}, {"c", "x"}, {"n", "5"}};
  EXPECT_TRUE(matches("", labels));
  EXPECT_TRUE(matches("a=b,c in (x,y),!d,n", labels));
  EXPECT_TRUE(matches("a==b, c notin (z), n>4, n<6", labels));
  EXPECT_TRUE(matches("a!=c,zz!=1", labels));
  EXPECT_FALSE(matches("a=", labels));
  EXPECT_FALSE(matches("zz", labels));
  EXPECT_FALSE(matches("a in (x)", labels));
  EXPECT_TRUE(matches("in in (in)", {{"in", "in"}}));
  EXPECT_TRUE(matches("a in (b,)", labels));
}

TEST(LabelSelector, errors_read_as_upstream) {
  EXPECT_EQ(error("==b"), "found '==', expected: !, identifier, or 'end of string'");
  EXPECT_EQ(error("a in"), "unable to parse requirement: found '' expected: '('");
  EXPECT_EQ(error("a,"), "found '', expected: identifier after ','");
  EXPECT_EQ(error("a=b c"), "found 'c', expected: ',' or 'end of string'");
  EXPECT_EQ(error("a b"),
            "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt");
  EXPECT_EQ(error("a=-x"),
            "unable to parse requirement: values[0][a]: Invalid value: \"-x\": a valid label must "
            "be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
            "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or "
            "'12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')");
  EXPECT_TRUE(error("_a").starts_with(
      "unable to parse requirement: <nil>: Invalid value: \"_a\": name part must consist of"));
}

TEST(LabelSelector, reads_the_object_form) {
  const auto selector =
      LabelSelector::from_value(j(
                                    R"({"matchLabels":{"a":"b"},"matchExpressions":[
      {"key":"c","operator":"In","values":["y","x"]},
      {"key":"d","operator":"DoesNotExist"}]})"))
          .value();
  EXPECT_TRUE(selector.matches(j(R"({"a":"b","c":"x"})")));
  EXPECT_FALSE(selector.matches(j(R"({"a":"b","c":"x","d":""})")));
  EXPECT_EQ(selector.to_string(), "a=b,c in (x,y),!d");
  EXPECT_FALSE(LabelSelector::from_value(Value()).value().matches(Labels{}));
  EXPECT_TRUE(LabelSelector::from_value(Value::object()).value().matches(Labels{}));
  EXPECT_EQ(LabelSelector::from_value(j(R"({"matchExpressions":[{"key":"a","operator":"Is"}]})"))
                .error()
                .message,
            "\"Is\" is not a valid label selector operator");
}

TEST(FieldSelector, parses_and_matches) {
  const auto selector =
      FieldSelector::parse("metadata.name=a,status.phase!=Running,spec.x==y\\,z").value();
  EXPECT_TRUE(selector.matches(
      j(R"({"metadata":{"name":"a"},"status":{"phase":"Pending"},"spec":{"x":"y,z"}})")));
  EXPECT_FALSE(selector.matches(
      j(R"({"metadata":{"name":"a"},"status":{"phase":"Running"},"spec":{"x":"y,z"}})")));
  EXPECT_EQ(selector.exact("metadata.name"), "a");
  EXPECT_EQ(selector.exact("status.phase"), std::nullopt);
  EXPECT_EQ(selector.to_string(), "metadata.name=a,status.phase!=Running,spec.x=y\\,z");
  EXPECT_EQ(FieldSelector::parse("a").error().message,
            "invalid selector: 'a'; can't understand 'a'");
  EXPECT_EQ(field_text(j(R"({"spec":{"unschedulable":true}})"), "spec.unschedulable"), "true");
}

TEST(Path, finds) {
  const Value v = j(R"({"spec":{"replicas":3},"metadata":{"labels":{"a/b":"x","c.d/e":"y"}},
      "status":{"conditions":[{"type":"Ready","status":"True"},{"type":"Other","status":"No"}]}})");
  EXPECT_EQ(find_path(v, ".spec.replicas")->as_int(), 3);
  EXPECT_EQ(find_path(v, "{.spec.replicas}")->as_int(), 3);
  EXPECT_EQ(find_path(v, ".metadata.labels['a/b']")->as_string(), "x");
  EXPECT_EQ(find_path(v, ".metadata.labels.c\\.d/e")->as_string(), "y");
  EXPECT_EQ(find_path(v, ".status.conditions[?(@.type==\"Ready\")].status")->as_string(), "True");
  EXPECT_EQ(find_path(v, ".status.conditions[?(@.type!='Ready')].status")->as_string(), "No");
  EXPECT_EQ(find_path(v, ".status.conditions[-1].type")->as_string(), "Other");
  EXPECT_EQ(Path::parse(".status.conditions[*].type").value().find_all(v).size(), 2u);
  EXPECT_EQ(find_path(v, ".spec.none.deeper"), nullptr);
  EXPECT_FALSE(Path::parse("spec"));
  EXPECT_FALSE(Path::parse(".a[?(@.b=1)]"));
  EXPECT_FALSE(Path::parse(".a['b"));
}

TEST(Path, sets_plain_paths) {
  Value v = Value::object();
  EXPECT_TRUE(Path::parse(".spec.replicas").value().set(v, 3));
  EXPECT_EQ(to_json(v), R"({"spec":{"replicas":3}})");
  EXPECT_FALSE(Path::parse(".a[0]").value().set(v, 1));
}

}  // namespace
}  // namespace keelway::value
