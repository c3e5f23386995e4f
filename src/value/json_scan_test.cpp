#include "value/json_scan.h"

#include <gtest/gtest.h>

namespace keelway::value {
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

// Containers are skipped 64 bytes at a time: whatever falls on a border must not matter.
TEST(JsonScan, SkipsContainersOfAnyLengthAndContent) {
  const std::string odd = R"({"a":["]\\","\"}","\\\"]",{"b":[[],{}]}],"}":"{[","z":[{"q":"\\"}]})";
  for (std::size_t padding = 0; padding < 140; ++padding) {
    const std::string long_text(padding, 'x');
    const std::string quotes(padding / 2, '"'), escaped = [&] {
      std::string text;
      for (std::size_t i = 0; i < quotes.size(); ++i) text += R"(\")";
      return text;
    }();
    const std::string json = R"({"a":{"n":")" + long_text + R"(","o":)" + odd + R"(,"p":")" +
                             escaped + R"("},"b":)" + odd + R"(,"c":"found"})";
    EXPECT_EQ(find_json_member(json, "c"), "\"found\"") << padding;
    EXPECT_EQ(find_json_member(json, "b"), odd) << padding;
    EXPECT_EQ(find_json_member(json, "a.o"), odd) << padding;
    EXPECT_EQ(find_json_member(json, "a.p"), '"' + escaped + '"') << padding;
    // Cut anywhere, it ends within the text.
    EXPECT_FALSE(
        find_json_member(std::string_view(json).substr(0, json.size() - 10 - padding % 7), "c.d"));
  }
}

TEST(JsonScan, FindsTheSortedPlaceOfAMember) {
  const std::string json = R"({"b":{"x":1},"d":"q"})";
  EXPECT_EQ(json_member_place(json, "a"), 1u);
  EXPECT_EQ(json_member_place(json, "c"), json.find("\"d\""));
  EXPECT_EQ(json_member_place(json, "e"), json.size() - 1);
  EXPECT_EQ(json_member_place("{}", "a"), 1u);
  EXPECT_FALSE(json_member_place(json, "b"));
  EXPECT_FALSE(json_member_place("[]", "a"));
}

}  // namespace
}  // namespace keelway::value
