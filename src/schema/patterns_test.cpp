#include "schema/patterns.h"

#include <gtest/gtest.h>

#include "schema/json_schema.h"

namespace keelway::schema {
namespace {

using value::Value;

TEST(Patterns, AreCompiledOnce) {
  Patterns patterns;
  for (int i = 0; i < 1'000; ++i) {
    EXPECT_EQ(patterns.match("^a+$", "aaa"), true);
    EXPECT_EQ(patterns.match("^b", "aaa"), false);
    EXPECT_EQ(patterns.match("(", "aaa"), std::nullopt);
  }
  EXPECT_EQ(patterns.compiled(), 3u);
}

TEST(Patterns, ATooLongListIsNotRead) {
  const Value text = Value::object({{"type", "string"}, {"pattern", "^a$"}});
  const Value schema = Value::object({{"type", "array"}, {"maxItems", 2}, {"items", text}});
  Patterns patterns;
  FieldErrors errors;
  check_json_schema(schema, Value::array({"b", "b", "b"}), nullptr, patterns, errors);
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors[0].type, FieldError::Type::too_many);
  EXPECT_EQ(patterns.compiled(), 0u);
  errors.clear();
  check_json_schema(schema, Value::array({"b", "b"}), nullptr, patterns, errors);
  EXPECT_EQ(errors.size(), 2u);
  EXPECT_EQ(patterns.compiled(), 1u);
}

}  // namespace
}  // namespace keelway::schema
