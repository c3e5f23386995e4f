#include "schema/object.h"

#include <gtest/gtest.h>

#include "value/json.h"

namespace keelway::schema {
namespace {

std::string spliced(const std::string& bytes) {
  return Object::parse(std::make_shared<const std::string>(bytes), 42)->json();
}

TEST(Object, TheRevisionIsSplicedWhereAnEncoderWouldPutIt) {
  for (const std::string bytes : {
           R"({"apiVersion":"v1","metadata":{"name":"a","uid":"u"},"spec":{"metadata":{}}})",
           R"({"metadata":{"name":"a"}})",
           R"({"metadata":{"uid":"u"}})",
           R"({"metadata":{}})",
           R"({"kind":"no metadata"})",
           R"({"metadata":{"annotations":{"k":"\"uid\":{"},"name":"a","uid":"u"}})",
           R"({"metadata":{"name":"a","resourceVersion":"7"}})",
       }) {
    const auto object = Object::parse(std::make_shared<const std::string>(bytes), 42);
    EXPECT_EQ(spliced(bytes), value::to_json(object->value())) << bytes;
  }
}

}  // namespace
}  // namespace keelway::schema
