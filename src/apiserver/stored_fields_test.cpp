#include "apiserver/stored_fields.h"

#include <gtest/gtest.h>

namespace keelway::apiserver {
namespace {

TEST(StoredFields, TextsAreUnescapedAndNonScalarsEmpty) {
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
