#include "value/json.h"

#include <gtest/gtest.h>

namespace keelway::value {
namespace {

std::string again(std::string_view text) {
  const auto parsed = parse_json(text);
  return parsed ? to_json(*parsed) : parsed.error().message;
}

TEST(Json, IntegersOfMoreThan64BitsAreDoubles) {
  EXPECT_EQ(again("18446744073709551615"), "18446744073709552000");
  EXPECT_EQ(again("18446744073709551616"), "18446744073709552000");
  EXPECT_EQ(again("[1,-9223372036854775809,9223372036854775807]"),
            "[1,-9223372036854776000,9223372036854775807]");
  EXPECT_EQ(
      again(R"({"a":"100000000000000000000\"100000000000000000000","b":100000000000000000000})"),
      R"({"a":"100000000000000000000\"100000000000000000000","b":100000000000000000000})");
  EXPECT_EQ(again("[0.100000000000000000001,1e5,100000000000000000000.5,1e100]"),
            "[0.1,100000,100000000000000000000,1e+100]");
  EXPECT_FALSE(parse_json("0100000000000000000000"));
  EXPECT_FALSE(parse_json("-100000000000000000000x"));
  EXPECT_FALSE(parse_json("1e400"));
}

TEST(Json, LargeDoublesPrintTheirShortestDigits) {
  EXPECT_EQ(again("[12345678901234567.0,-1.5e20,9007199254740993.0,1e20,1e16]"),
            "[12345678901234568,-150000000000000000000,9007199254740992,100000000000000000000,"
            "10000000000000000]");
}

TEST(Json, ReportsDuplicateMembersOfSmallAndLargeObjects) {
  for (const int members : {3, 1000}) {
    std::string text = "{";
    for (int i = members; i > 0; --i) text += "\"k" + std::to_string(i) + "\":0,";
    text += "\"k2\":1}";
    std::vector<std::string> duplicates;
    EXPECT_TRUE(parse_json(text, {}, &duplicates));
    EXPECT_EQ(duplicates, std::vector<std::string>{"k2"}) << members;
  }
}

TEST(Json, NothingIsNoDocumentWhereverItLies) {
  for (const std::string_view text : {std::string_view(), std::string_view("")}) {
    const auto read = parse_json(text);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, base::ErrorCode::invalid);
  }
}

TEST(Json, ZeroHasOneText) {
  EXPECT_EQ(again("[-0.0,-0,0.0,0]"), "[0,0,0,0]");
}

}  // namespace
}  // namespace keelway::value
