#include "apiserver/json_scan.h"

#include <gtest/gtest.h>

namespace keelway::apiserver {
namespace {

TEST(JsonScan, FindsMembersByPath) {
  const std::string json =
      R"({"a":"no","metadata":{"x":"spec","y":["{",{"spec":1}]},)"
      R"("spec":{"deep":{"nodeName":"wrong"},"n":-1.5,"nodeName":"right","t":true},"z":null})";
  EXPECT_EQ(find_json_member(json, "spec.nodeName"), "\"right\"");
  EXPECT_EQ(find_json_member(json, "spec.deep.nodeName"), "\"wrong\"");
  EXPECT_EQ(find_json_member(json, "spec.n"), "-1.5");
  EXPECT_EQ(find_json_member(json, "spec.t"), "true");
  EXPECT_EQ(find_json_member(json, "z"), "null");
  EXPECT_FALSE(find_json_member(json, "spec.missing"));
  EXPECT_FALSE(find_json_member(json, "a.b"));
  EXPECT_FALSE(find_json_member("", "a"));
  EXPECT_FALSE(find_json_member(R"({"a":{"b)", "a.c"));
}

TEST(JsonScan, TextsAreUnescapedAndNonScalarsEmpty) {
  const auto object = schema::Object::parse(
      std::make_shared<const std::string>(
          R"({"metadata":{"name":"p"},"s":{"a":"q\"\\\u00e9","b":[1],"c":7}})"),
      9);
  EXPECT_EQ(read_field(*object, "s.a"), "q\"\\\xc3\xa9");
  EXPECT_EQ(read_field(*object, "s.b"), "");
  EXPECT_EQ(read_field(*object, "s.c"), "7");
  EXPECT_EQ(transient_value(*object).at("metadata", "resourceVersion").as_string(), "9");
}

}  // namespace
}  // namespace keelway::apiserver
