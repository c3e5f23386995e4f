#include "schema/decode.h"

#include <gtest/gtest.h>

#include <array>

#include "schema/object_meta.h"
#include "schema/validate.h"
#include "value/json.h"

namespace keelway::schema {
namespace {

using value::Value;

Field field(std::string_view name, FieldType type, bool pointer = false) {
  Field out;
  out.name = name;
  out.shape.type = type;
  out.proto.number = 1;
  out.proto.pointer = pointer;
  return out;
}

// A small kind with one field of every interesting type.
class DecodeTest : public ::testing::Test {
 protected:
  DecodeTest() {
    spec_fields_ = {field("amount", FieldType::quantity),  field("at", FieldType::time),
                    field("blob", FieldType::bytes),       field("count", FieldType::integer, true),
                    field("exact", FieldType::micro_time), field("name", FieldType::string),
                    field("on", FieldType::boolean),       field("port", FieldType::int_or_string)};
    spec_fields_[3].shape.format_int32 = true;
    spec_.name = "dev.keelway.v1.ThingSpec";
    spec_.fields = spec_fields_;
    root_fields_ = {field("apiVersion", FieldType::string), field("kind", FieldType::string),
                    field("metadata", FieldType::object), field("spec", FieldType::object)};
    root_fields_[2].shape.object = &object_meta_struct();
    root_fields_[3].shape.object = &spec_;
    root_.name = "dev.keelway.v1.Thing";
    root_.fields = root_fields_;
    kind_.version = "v1";
    kind_.kind = "Thing";
    kind_.root = &root_;
  }
  Answer<Decoded> decode_text(std::string_view text, FieldValidation mode = FieldValidation::warn) {
    return decode(kind_, kinds_, text, BodyFormat::json, mode);
  }
  std::string error_of(std::string_view spec) {
    const auto decoded = decode_text(std::string(R"({"spec":)") + std::string(spec) + "}");
    if (decoded) return "";
    EXPECT_EQ(decoded.error().code, 400);
    return decoded.error().message.substr(std::string("Thing in version \"v1\" cannot be handled "
                                                      "as a Thing: ")
                                              .size());
  }
  class NoKinds : public KindSet {
   public:
    int minor() const override { return 33; }
    const Kind* by_resource(std::string_view, std::string_view, std::string_view) const override {
      return nullptr;
    }
    const Kind* by_kind(std::string_view, std::string_view, std::string_view) const override {
      return nullptr;
    }
    std::vector<const Kind*> all() const override { return {}; }
  };
  std::vector<Field> spec_fields_, root_fields_;
  Struct spec_, root_;
  Kind kind_;
  NoKinds kinds_;
};

// What a patch leaves alone is neither looked at nor copied.
TEST_F(DecodeTest, TakesWhatItSharesWithAKnownDocument) {
  const Value known = decode_text(R"({"metadata":{"name":"a"},"spec":{"name":"x"}})")->object;
  Value patched = known;
  patched.mutate("metadata").set("nonsense", 1);
  std::vector<std::string> warnings;
  const auto decoded = decode_value(kind_, patched, FieldValidation::warn, warnings, &known);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(warnings, std::vector<std::string>{"unknown field \"metadata.nonsense\""});
  EXPECT_EQ(*decoded, known);
  EXPECT_EQ(&(*decoded)["spec"].members(), &known["spec"].members());
}

TEST_F(DecodeTest, WritesLeavesAsGoWould) {
  const auto decoded = decode_text(
      R"({"spec":{"amount":"1024Mi","at":"2020-01-01T01:00:00+01:00","count":0,"name":"",
          "on":false,"port":"a"}})");
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(value::to_json(decoded->object),
            R"({"apiVersion":"v1","kind":"Thing","spec":{"amount":"1Gi",)"
            R"("at":"2020-01-01T00:00:00Z","count":0,"port":"a"}})");
}

TEST_F(DecodeTest, NamesTheFieldAndTypeOfAMistake) {
  EXPECT_EQ(
      error_of(R"({"count":"1"})"),
      "json: cannot unmarshal string into Go struct field ThingSpec.spec.count of type int32");
  EXPECT_EQ(error_of(R"({"count":5.0})"),
            "json: cannot unmarshal number 5.0 into Go struct field ThingSpec.spec.count of type "
            "int32");
  EXPECT_EQ(error_of(R"({"count":3000000000})"),
            "json: cannot unmarshal number 3000000000 into Go struct field ThingSpec.spec.count of "
            "type int32");
  EXPECT_EQ(
      error_of(R"({"name":1})"),
      "json: cannot unmarshal number into Go struct field ThingSpec.spec.name of type string");
  EXPECT_EQ(error_of("[]"),
            "json: cannot unmarshal array into Go struct field Thing.spec of type v1.ThingSpec");
  EXPECT_EQ(error_of(R"({"blob":"!!"})"), "illegal base64 data at input byte 0");
  EXPECT_EQ(error_of(R"({"at":"yesterday"})"),
            "parsing time \"yesterday\" as \"2006-01-02T15:04:05Z07:00\": cannot parse "
            "\"yesterday\" as \"2006\"");
  EXPECT_EQ(error_of(R"({"exact":"2020-01-01T00:00:00Z"})"),
            "parsing time \"2020-01-01T00:00:00Z\" as \"2006-01-02T15:04:05.000000Z07:00\": cannot "
            "parse \"Z\" as \".000000\"");
}

TEST_F(DecodeTest, JudgesUnknownAndDuplicateFields) {
  constexpr const char* text = R"({"zz":1,"spec":{"name":"a","name":"b","yy":2}})";
  const auto warned = decode_text(text);
  ASSERT_TRUE(warned.has_value());
  EXPECT_EQ(warned->warnings,
            (std::vector<std::string>{"duplicate field \"spec.name\"", "unknown field \"spec.yy\"",
                                      "unknown field \"zz\""}));
  EXPECT_FALSE(warned->object.contains("zz"));
  const auto strict = decode_text(text, FieldValidation::strict);
  ASSERT_FALSE(strict.has_value());
  EXPECT_EQ(
      strict.error().message,
      "Thing in version \"v1\" cannot be handled as a Thing: strict decoding error: duplicate "
      "field \"spec.name\", unknown field \"spec.yy\", unknown field \"zz\"");
  const auto ignored = decode_text(text, FieldValidation::ignore);
  ASSERT_TRUE(ignored.has_value());
  EXPECT_TRUE(ignored->warnings.empty());
}

TEST_F(DecodeTest, RefusesWhatIsNoDocumentOfTheKind) {
  const auto empty = decode_text("");
  ASSERT_FALSE(empty.has_value());
  EXPECT_EQ(empty.error().message,
            "the object provided is unrecognized (must be of type Thing): couldn't get "
            "version/kind; json parse error: unexpected end of JSON input (<empty>)");
  EXPECT_FALSE(decode_text(R"({"kind":"Other"})").has_value());
  EXPECT_FALSE(decode_text("[1]").has_value());
  EXPECT_TRUE(decode_text("null").has_value());
}

TEST_F(DecodeTest, ABodyIsShownAsTextEvenIfItIsNone) {
  const auto shown = [&](const std::string& body) {
    const std::string message = decode_text(body).error().message;
    return message.substr(message.rfind('('));
  };
  EXPECT_EQ(shown("{\"a\":\"v\xe1\x06"), "({\"a\":\"v\xef\xbf\xbd\x06)");
  EXPECT_EQ(shown("{\xed\xa0\x80\xc3"), "({\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd)");
  EXPECT_EQ(shown("{\xc3\xa9\xf0\x9f\x98\x80"), "({\xc3\xa9\xf0\x9f\x98\x80)");
  // The cut goes through a character.
  EXPECT_EQ(shown("{" + std::string(28, ' ') + "\xc3\xa9 "),
            "({" + std::string(28, ' ') + "\xef\xbf\xbd ...)");
}

TEST_F(DecodeTest, MetadataRules) {
  const auto messages = [&](std::string_view metadata, const Value* old = nullptr) {
    std::string text;
    auto parsed = value::parse_json(metadata);
    FieldErrors errors;
    validate_metadata(kind_, *parsed, old, errors);
    for (const FieldError& error : errors) text += error.message() + "\n";
    return text;
  };
  EXPECT_EQ(messages(R"({"name":"a","labels":{"a/b":"c"}})"), "");
  EXPECT_EQ(messages("{}"), "metadata.name: Required value: name or generateName is required\n");
  EXPECT_EQ(messages(R"({"name":"a","labels":{"/b":"c"}})"),
            "metadata.labels: Invalid value: \"/b\": prefix part must be non-empty\n");
  EXPECT_EQ(messages(R"({"name":"a","namespace":"n"})"),
            "metadata.namespace: Forbidden: not allowed on this type\n");
  const Value old = Value::object({{"name", "a"}, {"uid", "u"}, {"deletionTimestamp", "t"}});
  EXPECT_EQ(messages(R"({"name":"a","uid":"v"})", &old),
            "metadata.uid: Invalid value: \"v\": field is immutable\n");
  EXPECT_EQ(messages(R"({"name":"a","finalizers":["x/y"]})", &old),
            "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being "
            "deleted, found new finalizers []string{\"x/y\"}\n");
}

}  // namespace
}  // namespace keelway::schema
