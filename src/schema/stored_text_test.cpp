#include "schema/stored_text.h"

#include <gtest/gtest.h>

#include "schema/object.h"
#include "schema/parsed_pool.h"
#include "value/json.h"

namespace keelway::schema {
namespace {

using Bytes = std::shared_ptr<const std::string>;

std::string long_set(const std::string& member) {
  return R"({"f:)" + member + R"(":{"k:{\"name\":\")" + member +
         std::string(FieldSets::kLong, 'x') + R"(\"}":{".":{},"f:image":{}}}})";
}

std::string entry(const std::string& set, const std::string& time) {
  return R"({"apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":)" + set +
         R"(,"manager":"m","operation":"Update","time":")" + time + R"("})";
}

Bytes document(const std::string& name, const std::string& entries) {
  return std::make_shared<const std::string>(
      R"({"kind":"Pod","metadata":{"labels":{"a":"b"},"managedFields":[)" + entries +
      R"(],"name":")" + name + R"(","namespace":"n","ownerReferences":[{"kind":"K","uid":"o"}],)" +
      R"("uid":"u-)" + name + R"("},"spec":{"nodeName":"here"}})");
}

// Has it shared from then on: a set is kept once it is seen for the second time.
void show(FieldSets& sets, const Bytes& text) {
  for (int i = 0; i < 2; ++i) static_cast<void>(Object::parse(text, 1, nullptr, &sets));
}

TEST(StoredText, AlikeObjectsShareTheirLongFieldSetsAndReadAsStored) {
  FieldSets sets;
  const std::string ours = long_set("spec"), theirs = long_set("status");
  show(sets, document("first", entry(ours, "1") + "," + entry(theirs, "1")));
  EXPECT_EQ(sets.size(), 2u);
  for (const std::string& entries :
       {entry(ours, "2"), entry(ours, "2") + "," + entry(theirs, "3"),
        entry(R"({"f:short":{}})", "1") + "," + entry(theirs, "3") + "," + entry(ours, "4"),
        entry(ours, "1") + "," + entry(long_set("own"), "1") + "," + entry(ours, "2")}) {
    const Bytes text = document("second", entries);
    const auto object = Object::parse(text, 42, nullptr, &sets);
    const auto plain = Object::parse(text, 42);
    EXPECT_LT(object->outline().size(), text->size()) << entries;
    EXPECT_EQ(object->text().whole(), *text);
    EXPECT_EQ(object->text().size(), text->size());
    EXPECT_EQ(object->json(), plain->json());
    EXPECT_EQ(object->value(), plain->value());
    EXPECT_TRUE(value::parse_json(object->outline()).has_value()) << object->outline();
    EXPECT_EQ(object->name(), "second");
    EXPECT_EQ(object->uid(), "u-second");
    EXPECT_EQ(object->label("a"), "b");
    EXPECT_EQ(object->owners(), plain->owners());
    EXPECT_EQ(object->field("spec.nodeName"), "here");
    const auto later = object->at_revision(43);
    EXPECT_EQ(later->outline().data(), object->outline().data());
    EXPECT_EQ(later->json(), Object::parse(text, 43)->json());
  }
}

TEST(StoredText, WhatNoOtherObjectHasIsNotCutOut) {
  FieldSets sets;
  for (int i = 0; i < 100; ++i) {
    const Bytes text = document("a", entry(long_set(std::to_string(i)), "1"));
    EXPECT_EQ(Object::parse(text, 1, nullptr, &sets)->outline().data(), text->data());
  }
  EXPECT_EQ(sets.size(), 0u);
  const Bytes brief = document("a", entry(R"({"f:spec":{}})", "1"));
  show(sets, brief);
  EXPECT_EQ(Object::parse(brief, 1, nullptr, &sets)->outline(), *brief);
}

TEST(StoredText, OfASetThatIsAnObjectsOwnLongMembersAreShared) {
  FieldSets sets;
  const auto own = [](const std::string& key) {
    return document(
        key, entry(R"({"f:metadata":{"f:annotations":{"f:)" + key + R"(":{}}},"f:spec":)" +
                       long_set("spec") + R"(,"f:status":{"f:conditions":)" + long_set("status") +
                       R"(,"f:podIPs":{"f:)" + key + R"(":{}}}})",
                   "1"));
  };
  show(sets, own("a"));
  const Bytes text = own("b");
  const auto object = Object::parse(text, 1, nullptr, &sets);
  EXPECT_LT(object->outline().size() + 2 * FieldSets::kLong, text->size());
  EXPECT_NE(
      object->outline().find(R"("f:spec":{},"f:status":{"f:conditions":{},"f:podIPs":{"f:b":{}}})"),
      std::string_view::npos)
      << object->outline();
  EXPECT_EQ(object->text().whole(), *text);
  EXPECT_EQ(object->json(), Object::parse(text, 1)->json());
}

TEST(StoredText, OfTextsOfAnotherFormNothingIsCutOut) {
  FieldSets sets;
  const std::string blank(FieldSets::kLong, ' ');
  for (const std::string& json :
       {std::string(), blank,
        R"({"metadata":{"managedFields":{"fieldsV1":)" + long_set("a") + "}}}",
        R"({"metadata":{"managedFields":[7,")" + blank + R"(",{"fieldsV1":")" + blank + R"("}]}})",
        R"({"metadata":{"managedFields":[{"fieldsV1":{")" + blank}) {
    const auto text = std::make_shared<const std::string>(json);
    show(sets, text);
    EXPECT_EQ(Object::parse(text, 1, nullptr, &sets)->text().whole(), json);
  }
}

TEST(FieldSets, ThoseThatNobodyHasAnyMoreGo) {
  FieldSets sets;
  const std::string used = long_set("used");
  static_cast<void>(sets.share(used));
  const FieldSets::Shared held = sets.share(used);
  ASSERT_TRUE(held);
  for (int i = 0; i < 1000; ++i) {
    for (int twice = 0; twice < 2; ++twice) {
      static_cast<void>(sets.share(long_set(std::to_string(i))));
    }
  }
  EXPECT_LE(sets.size(), 64u);
  EXPECT_EQ(sets.share(used), held);
}

TEST(ParsedPool, WhatIsExpectedNeedNotBeParsedWhereItsTextIsShared) {
  FieldSets sets;
  const std::string set = long_set("spec");
  show(sets, document("first", entry(set, "1")));
  const auto pool = std::make_shared<ParsedPool>(100'000, [] {});
  const Bytes text = document("second", entry(set, "2"));
  const value::Value expected = value::parse_json(*text).value();
  pool->expect(text, expected);
  const auto object = Object::parse(text, 7, pool, &sets);
  ASSERT_NE(object->outline().data(), text->data());
  const value::Value seen = object->value();
  EXPECT_EQ(seen.at("metadata", "resourceVersion").as_string(), "7");
  EXPECT_EQ(&seen["spec"].members(), &expected["spec"].members());
  EXPECT_EQ(text.use_count(), 1);  // the pool does not hold what nobody asks for
}

}  // namespace
}  // namespace keelway::schema
