#include "placement/requirements.h"

#include <gtest/gtest.h>

#include "value/json.h"

namespace keelway::placement {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

Requirements read(std::string_view text) {
  return Requirements::read(value::parse_json(text).value_or(value::Value()));
}

TEST(Requirements, SetsIntersect) {
  Requirements pool = read(R"([{"key":"zone","operator":"In","values":["a","b"],"minValues":2},
                               {"key":"cpu","operator":"Gt","values":["3"]}])");
  pool.add(read(R"([{"key":"zone","operator":"NotIn","values":["a"]},
                    {"key":"cpu","operator":"Lt","values":["9"]}])"));
  EXPECT_EQ(pool.get("zone").values(), std::vector<std::string>{"b"});
  EXPECT_EQ(pool.get("zone").min_values, 2);
  EXPECT_TRUE(pool.get("cpu").has("8"));
  EXPECT_FALSE(pool.get("cpu").has("9"));
  EXPECT_FALSE(pool.get("cpu").has("3"));
  EXPECT_FALSE(pool.is_contradiction());
  pool.add(read(R"([{"key":"cpu","operator":"In","values":["2","16"]}])"));
  EXPECT_TRUE(pool.is_contradiction());
}

TEST(Requirements, RangesThatMissEachOtherAreEmpty) {
  const ValueSet high = read(R"([{"key":"k","operator":"Gt","values":["5"]}])").get("k");
  const ValueSet low = read(R"([{"key":"k","operator":"Lt","values":["6"]}])").get("k");
  EXPECT_FALSE(high.intersects(low));
  ValueSet both = high;
  both.intersect(low);
  EXPECT_TRUE(both.is_empty());
  EXPECT_EQ(high.any_value(), "6");
}

TEST(Requirements, CompatibilityAsksForKnownCustomLabels) {
  const std::set<std::string, std::less<>> well_known{"zone"};
  const Requirements pool = read(R"([{"key":"team","operator":"In","values":["x"]}])");
  EXPECT_TRUE(
      pool.compatible(read(R"([{"key":"zone","operator":"In","values":["a"]}])"), well_known));
  EXPECT_EQ(pool.incompatibility(read(R"([{"key":"rack","operator":"Exists"}])"), well_known),
            "label \"rack\" does not have known values");
  EXPECT_TRUE(pool.compatible(read(R"([{"key":"rack","operator":"DoesNotExist"}])"), well_known));
  EXPECT_FALSE(pool.compatible(read(R"([{"key":"team","operator":"DoesNotExist"}])"), well_known));
  EXPECT_FALSE(
      pool.compatible(read(R"([{"key":"team","operator":"NotIn","values":["x"]}])"), well_known));
}

TEST(Requirements, LabelsSatisfyOrNot) {
  const Requirements pool = read(R"([{"key":"zone","operator":"In","values":["a","b"]},
                                     {"key":"gpu","operator":"DoesNotExist"}])");
  EXPECT_TRUE(pool.allows(Labels(Pairs{{"zone", "a"}})));
  EXPECT_FALSE(pool.allows(Labels(Pairs{{"zone", "c"}})));
  EXPECT_FALSE(pool.allows(Labels(Pairs{{"zone", "a"}, {"gpu", "1"}})));
  EXPECT_FALSE(pool.allows(Labels()));
}

TEST(Requirements, RoundTripsThroughItsDocument) {
  const Requirements pool = read(R"([{"key":"a","operator":"NotIn","values":["x"]},
    {"key":"b","operator":"Gt","values":["1"]},{"key":"c","operator":"Exists"},
    {"key":"d","operator":"In","values":["p","q"],"minValues":2}])");
  EXPECT_TRUE(Requirements::read(pool.to_value()).to_value() == pool.to_value());
  EXPECT_EQ(pool.to_value().size(), 4u);
}

}  // namespace
}  // namespace keelway::placement
