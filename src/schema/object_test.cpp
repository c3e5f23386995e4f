#include "schema/object.h"

#include <gtest/gtest.h>

#include <thread>

#include "schema/parsed_pool.h"
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

TEST(Object, TheHeaderIsReadFromTheBytes) {
  const auto object = Object::parse(
      std::make_shared<const std::string>(
          R"({"data":{"metadata":"no"},"metadata":{"deletionTimestamp":"2026-01-01T00:00:00Z",)"
          R"("labels":{"app":"web","tier":""},"name":"a","namespace":"n","ownerReferences":)"
          R"([{"apiVersion":"v1","kind":"K","name":"x","uid":"1"},{"apiVersion":"g/v1",)"
          R"("blockOwnerDeletion":true,"controller":true,"kind":"L","name":"y","uid":"2"}],)"
          R"("uid":"u"},"spec":{"count":3,"nodeName":"n-1","none":null,"tree":{}}})"),
      7);
  EXPECT_EQ(object->name(), "a");
  EXPECT_EQ(object->name_space(), "n");
  EXPECT_EQ(object->uid(), "u");
  EXPECT_TRUE(object->deleting());
  EXPECT_EQ(object->labels(), (LabelViews{{"app", "web"}, {"tier", ""}}));
  EXPECT_EQ(object->label("app"), "web");
  EXPECT_EQ(object->label("none"), "");
  ASSERT_EQ(object->owners().size(), 2u);
  EXPECT_EQ(object->owners()[0].uid, "1");
  ASSERT_NE(object->controller(), nullptr);
  EXPECT_EQ(object->controller()->name, "y");
  EXPECT_TRUE(object->controller()->block_owner_deletion);
  EXPECT_EQ(object->field("spec.nodeName"), "n-1");
  EXPECT_EQ(object->field("spec.count"), "3");
  EXPECT_EQ(object->field("spec.none"), "");
  EXPECT_EQ(object->field("spec.tree"), "");
  EXPECT_EQ(object->field("spec.absent.deeper"), "");
}

TEST(Object, EscapedNamesAreRead) {
  const auto object = Object::parse(
      std::make_shared<const std::string>(R"({"metadata":{"name":"a\"b\\c","uid":"u"}})"), 1);
  EXPECT_EQ(object->name(), R"(a"b\c)");
  EXPECT_EQ(object->uid(), "u");
}

TEST(Object, OfAnythingElseNothingIsRead) {
  for (const std::string bytes : {"", "[]", "7", R"({"metadata":7})", R"({"metadata":)", "{"}) {
    const auto object = Object::parse(std::make_shared<const std::string>(bytes), 1);
    EXPECT_EQ(object->name(), "") << bytes;
    EXPECT_TRUE(object->labels().empty()) << bytes;
    EXPECT_TRUE(object->owners().empty()) << bytes;
  }
}

TEST(Text, ReadsAsAString) {
  const auto object =
      Object::parse(std::make_shared<const std::string>(R"({"metadata":{"name":"a"}})"), 1);
  const std::string name = object->name();
  EXPECT_EQ(name + "-" + object->name() + "/" + object->name(), "a-a/a");
  EXPECT_EQ("x" + object->name() + 'y', "xay");
}

TEST(ParsedPool, ABurstParsesOnceAndTheIdleKeepNothing) {
  int woken = 0;
  const auto pool = std::make_shared<ParsedPool>(1000, [&] { ++woken; });
  const auto object = Object::parse(
      std::make_shared<const std::string>(R"({"metadata":{"labels":{},"name":"a"}})"), 5, pool);
  const value::Value first = object->value();
  EXPECT_EQ(first.at("metadata", "resourceVersion").as_string(), "5");
  // The same tree, not an equal one.
  EXPECT_EQ(&first["metadata"], &object->value()["metadata"]);
  EXPECT_EQ(woken, 1);
  EXPECT_TRUE(pool->sweep());
  EXPECT_EQ(&first["metadata"], &object->value()["metadata"]);  // young again
  EXPECT_TRUE(pool->sweep());
  EXPECT_FALSE(pool->sweep());
  EXPECT_NE(&first["metadata"], &object->value()["metadata"]);
  EXPECT_EQ(woken, 2);
}

TEST(ParsedPool, IsBounded) {
  const auto pool = std::make_shared<ParsedPool>(400, [] {});
  std::vector<ObjectPtr> objects;
  for (int i = 0; i < 100; ++i) {
    const std::string json = R"({"metadata":{"name":"a)" + std::to_string(i) + R"("}})";
    objects.push_back(Object::parse(std::make_shared<const std::string>(json), 1, pool));
  }
  const value::Value oldest = objects.front()->value();
  for (const ObjectPtr& object : objects) (void)object->value();
  EXPECT_NE(&oldest["metadata"], &objects.front()->value()["metadata"]);
}

TEST(ParsedPool, OneOfTwoRevisionsOfTheSameBytesIsNotTakenForTheOther) {
  const auto pool = std::make_shared<ParsedPool>(1000, [] {});
  const auto bytes = std::make_shared<const std::string>(R"({"metadata":{"name":"a"}})");
  const auto before = Object::parse(bytes, 5, pool), after = Object::parse(bytes, 6, pool);
  EXPECT_EQ(before->value().at("metadata", "resourceVersion").as_string(), "5");
  EXPECT_EQ(after->value().at("metadata", "resourceVersion").as_string(), "6");
}

TEST(ParsedPool, WhatIsExpectedNeedNotBeParsed) {
  const auto pool = std::make_shared<ParsedPool>(1000, [] {});
  const auto bytes =
      std::make_shared<const std::string>(R"({"metadata":{"name":"a"},"spec":{"x":1}})");
  const value::Value document = value::parse_json(*bytes).value();
  pool->expect(bytes, document);
  const auto object = Object::parse(bytes, 7, pool);
  const value::Value seen = object->value();
  EXPECT_EQ(seen.at("metadata", "resourceVersion").as_string(), "7");
  EXPECT_EQ(&seen["spec"].members(), &document["spec"].members());
  EXPECT_FALSE(document["metadata"].contains("resourceVersion"));
  EXPECT_EQ(&seen["spec"], &object->value()["spec"]);
}

TEST(ParsedPool, OtherThreadsDropTheirOwnOrLoseItLater) {
  const auto pool = std::make_shared<ParsedPool>(1000, [] {});
  const auto object =
      Object::parse(std::make_shared<const std::string>(R"({"metadata":{"name":"a"}})"), 5, pool);
  std::thread([&] { (void)object->value(); }).join();
  EXPECT_TRUE(pool->sweep());
  int sweeps = 1;
  while (pool->sweep()) ASSERT_LT(++sweeps, 10);
}

TEST(ParsedPool, AClosedOneKeepsNothing) {
  int woken = 0;
  const auto pool = std::make_shared<ParsedPool>(1000, [&] { ++woken; });
  pool->close();
  const auto object =
      Object::parse(std::make_shared<const std::string>(R"({"metadata":{}})"), 5, pool);
  EXPECT_EQ(object->value().at("metadata", "resourceVersion").as_string(), "5");
  EXPECT_EQ(woken, 0);
}

}  // namespace
}  // namespace keelway::schema
