#include <gtest/gtest.h>

#include "value/json.h"
#include "value/json_patch.h"
#include "value/merge_patch.h"
#include "value/pointer.h"

namespace keelway::value {
namespace {

Value j(std::string_view text) {
  return parse_json(text).value();
}

std::string patched(std::string_view document, std::string_view patch) {
  const auto v = apply_json_patch(j(document), j(patch));
  return v ? to_json(*v) : v.error().message;
}

TEST(Pointer, walks_and_escapes) {
  const Value v = j(R"({"a/b":{"~":[1,{"c":2}]}})");
  ASSERT_NE(find_pointer(v, "/a~1b/~0/1/c"), nullptr);
  EXPECT_EQ(find_pointer(v, "/a~1b/~0/1/c")->as_int(), 2);
  EXPECT_EQ(find_pointer(v, "/a~1b/~0/01"), nullptr);
  EXPECT_EQ(find_pointer(v, "x"), nullptr);
  EXPECT_EQ(find_pointer(v, ""), &v);
  EXPECT_EQ(to_pointer({"a/b", "~"}), "/a~1b/~0");
}

TEST(JsonPatch, applies_every_operation) {
  EXPECT_EQ(patched(R"({"a":1})", R"([{"op":"add","path":"/b","value":[1]},
      {"op":"add","path":"/b/-","value":2},{"op":"add","path":"/b/0","value":0},
      {"op":"replace","path":"/a","value":"x"},{"op":"copy","from":"/b","path":"/c"},
      {"op":"remove","path":"/b/1"},{"op":"move","from":"/a","path":"/d"},
      {"op":"test","path":"/c/2","value":2}])"),
            R"({"b":[0,2],"c":[0,1,2],"d":"x"})");
}

TEST(JsonPatch, leaves_the_document_alone_when_it_fails) {
  const Value document = j(R"({"a":{"b":[1]}})");
  const auto result = apply_json_patch(
      document, j(R"([{"op":"remove","path":"/a/b/0"},{"op":"test","path":"/a","value":1}])"));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, base::ErrorCode::conflict);
  EXPECT_EQ(result.error().message, "testing value /a failed: test failed");
  EXPECT_EQ(to_json(document), R"({"a":{"b":[1]}})");
}

TEST(JsonPatch, says_why_it_does_not_fit) {
  EXPECT_EQ(patched("{}", R"([{"op":"replace","path":"/x/y","value":1}])"),
            R"(replace operation does not apply: doc is missing path: "/x/y": missing value)");
  EXPECT_EQ(patched("{}", R"([{"op":"frob","path":"/x"}])"), "Unexpected kind: frob");
  EXPECT_EQ(patched(R"({"l":[]})", R"([{"op":"add","path":"/l/5","value":1}])"),
            "add operation does not apply: unable to access invalid index: 5: invalid index "
            "referenced");
  EXPECT_EQ(apply_json_patch(j("{}"), j("{}")).error().code, base::ErrorCode::invalid);
}

TEST(JsonPatch, has_limits) {
  JsonPatchLimits limits;
  limits.operations_max = 1;
  const Value two = j(R"([{"op":"test","path":"/a"},{"op":"test","path":"/a"}])");
  const auto many = apply_json_patch(j("{}"), two, limits);
  ASSERT_FALSE(many);
  EXPECT_EQ(many.error().code, base::ErrorCode::exhausted);
  EXPECT_EQ(many.error().message, "The allowed maximum operations in a JSON patch is 1, got 2");
  limits = {};
  limits.copied_bytes_max = 3;
  const auto big = apply_json_patch(j(R"({"a":"long"})"),
                                    j(R"([{"op":"copy","from":"/a","path":"/b"}])"), limits);
  ASSERT_FALSE(big);
  EXPECT_EQ(big.error().code, base::ErrorCode::exhausted);
}

// The text of a patch has a bound in depth; what it builds must have one as well.
TEST(JsonPatch, nests_no_deeper_than_a_body_may) {
  std::string operations = R"([{"op":"add","path":"/x","value":{"a":{}}})";
  std::string inside = "/x/a";
  for (int i = 0; i < 16; ++i) {
    operations += R"(,{"op":"copy","from":"/x","path":")" + inside + R"("})";
    inside += inside.substr(2);
  }
  const auto copied = apply_json_patch(j("{}"), j(operations + "]"));
  ASSERT_FALSE(copied);
  EXPECT_EQ(copied.error().code, base::ErrorCode::exhausted);

  JsonPatchLimits limits;
  limits.depth_max = 3;
  const auto depth = [&](std::string_view document, std::string_view operation) {
    return apply_json_patch(j(document), j(operation), limits).has_value();
  };
  EXPECT_TRUE(depth(R"({"a":{}})", R"([{"op":"add","path":"/a/b","value":{}}])"));
  EXPECT_FALSE(depth(R"({"a":{}})", R"([{"op":"add","path":"/a/b","value":{"c":[]}}])"));
  EXPECT_FALSE(depth(R"({"a":{"b":1}})", R"([{"op":"replace","path":"/a/b","value":{"c":[]}}])"));
  EXPECT_FALSE(depth(R"({"a":{"b":{}},"c":{}})", R"([{"op":"move","from":"/c","path":"/a/b/c"}])"));
  EXPECT_TRUE(depth(R"({"a":{"b":{}},"c":1})", R"([{"op":"move","from":"/c","path":"/a/b/c"}])"));
}

TEST(MergePatch, merges_and_deletes) {
  EXPECT_EQ(to_json(apply_merge_patch(j(R"({"a":{"b":1,"c":2},"d":[1]})"),
                                      j(R"({"a":{"b":null,"e":{"f":null}},"d":[2]})"))),
            R"({"a":{"c":2,"e":{}},"d":[2]})");
  EXPECT_EQ(to_json(apply_merge_patch(j("1"), j(R"({"a":1})"))), R"({"a":1})");
}

TEST(MergePatch, diff_is_the_way_from_one_to_the_other) {
  const Value from = j(R"({"a":{"b":1,"c":2},"d":1,"e":[1]})");
  const Value to = j(R"({"a":{"b":1,"x":3},"e":[2]})");
  EXPECT_EQ(to_json(diff_merge_patch(from, to)), R"({"a":{"c":null,"x":3},"d":null,"e":[2]})");
  EXPECT_EQ(apply_merge_patch(from, diff_merge_patch(from, to)), to);
}

}  // namespace
}  // namespace keelway::value
