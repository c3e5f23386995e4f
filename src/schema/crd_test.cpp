#include "schema/crd.h"

#include <gtest/gtest.h>

#include "schema/decode.h"
#include "schema/defaults.h"
#include "schema/validate.h"
#include "value/json.h"

namespace keelway::schema {
namespace {

using value::Value;

Value json(std::string_view text) {
  auto parsed = value::parse_json(text);
  EXPECT_TRUE(parsed.has_value()) << text;
  return parsed ? *parsed : Value();
}

constexpr const char* kCrd = R"({"metadata":{"name":"widgets.ex.dev"},
 "status":{"storedVersions":["v1"]},
 "spec":{"group":"ex.dev","scope":"Namespaced","names":{"kind":"Widget","plural":"widgets"},
 "versions":[{"name":"v1","served":true,"storage":true,
  "subresources":{"status":{},"scale":{"specReplicasPath":".spec.replicas",
    "statusReplicasPath":".status.replicas"}},
  "schema":{"openAPIV3Schema":{"type":"object","required":["spec"],"properties":{
   "spec":{"type":"object","required":["size"],"properties":{
    "size":{"type":"integer","minimum":1,"maximum":9},
    "mode":{"type":"string","default":"fast","enum":["fast","slow"]},
    "replicas":{"type":"integer"},
    "port":{"x-kubernetes-int-or-string":true},
    "note":{"type":"string","nullable":true},
    "free":{"type":"object","x-kubernetes-preserve-unknown-fields":true},
    "parts":{"type":"array","x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["name"],
     "items":{"type":"object","required":["name"],"properties":{
      "name":{"type":"string","pattern":"^[a-z]+$"},"on":{"type":"boolean","default":true}}}},
    "choice":{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}},
     "oneOf":[{"required":["a"]},{"required":["b"]}]}}},
   "status":{"type":"object","properties":{"replicas":{"type":"integer"}}}}}}},
  {"name":"v1beta1","served":false,"storage":false}]}})";

class CustomKindTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Value crd = json(kCrd);
    default_crd(crd);
    auto made = build_custom_kinds(crd);
    ASSERT_TRUE(made.has_value());
    ASSERT_EQ(made->size(), 1u);
    custom_ = std::move((*made)[0]);
  }
  const Kind& kind() const { return custom_->kind(); }
  Value widget(std::string_view spec) {
    return json(std::string(R"({"apiVersion":"ex.dev/v1","kind":"Widget",
      "metadata":{"name":"w","namespace":"n"},"spec":)") +
                std::string(spec) + "}");
  }
  std::string wrong(std::string_view spec, const Value* old = nullptr) {
    std::string text;
    for (const FieldError& error : validate(kind(), widget(spec), old)) {
      text += error.message() + "\n";
    }
    return text;
  }
  std::unique_ptr<CustomKind> custom_;
};

TEST_F(CustomKindTest, HasItsNamesAndSubresources) {
  EXPECT_EQ(kind().list_kind, "WidgetList");
  EXPECT_EQ(kind().singular, "widget");
  EXPECT_TRUE(kind().has_status);
  ASSERT_TRUE(kind().scale.has_value());
  EXPECT_EQ(kind().scale->spec_replicas_path, ".spec.replicas");
  EXPECT_EQ(kind().columns.back().name, "Age");
  const Field* parts = kind().root->find("spec")->shape.object->find("parts");
  ASSERT_NE(parts, nullptr);
  EXPECT_EQ(parts->shape.list_type, ListType::map);
  EXPECT_EQ(parts->shape.list_keys[0], "name");
}

TEST_F(CustomKindTest, PrunesAndDefaults) {
  std::vector<std::string> warnings;
  auto decoded =
      decode_value(kind(), widget(R"({"size":1,"zz":2,"mode":null,"note":null,"free":{"any":1},
                        "parts":[{"name":"a","yy":1}]})"),
                   FieldValidation::warn, warnings);
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(warnings, (std::vector<std::string>{"unknown field \"spec.parts[0].yy\"",
                                                "unknown field \"spec.zz\""}));
  apply_defaults(kind(), *decoded);
  EXPECT_EQ((*decoded)["spec"], json(R"({"size":1,"mode":"fast","note":null,"free":{"any":1},
                     "parts":[{"name":"a","on":true}]})"));
}

TEST_F(CustomKindTest, WordsErrorsAsUpstream) {
  EXPECT_EQ(wrong(R"({"size":1})"), "");
  EXPECT_EQ(wrong(R"({"size":10})"),
            "spec.size: Invalid value: 10: spec.size in body should be less than or equal to 9\n");
  EXPECT_EQ(wrong(R"({"size":"a"})"),
            "spec.size: Invalid value: \"string\": spec.size in body must be of type integer: "
            "\"string\"\n");
  EXPECT_EQ(wrong("{}"), "spec.size: Required value\n");
  EXPECT_EQ(wrong(R"({"size":1,"mode":"x"})"),
            "spec.mode: Unsupported value: \"x\": supported values: \"fast\", \"slow\"\n");
  EXPECT_EQ(wrong(R"({"size":1,"port":true})"),
            "spec.port: Invalid value: \"boolean\": spec.port in body must be of type "
            "integer,string: \"boolean\"\n");
  EXPECT_EQ(wrong(R"({"size":1,"parts":[{"name":"a"},{"name":"a"}]})"),
            "spec.parts[1]: Duplicate value: map[string]interface {}{\"name\":\"a\"}\n");
  EXPECT_EQ(wrong(R"({"size":1,"replicas":-1})"),
            ".spec.replicas: Invalid value: -1: should be a non-negative integer\n");
  EXPECT_NE(wrong(R"({"size":1,"choice":{"a":"x","b":"y"}})").find("Found 2 valid alternatives"),
            std::string::npos);
}

TEST_F(CustomKindTest, ToleratesWhatWasThereBefore) {
  const Value old = widget(R"({"size":10})");
  EXPECT_EQ(wrong(R"({"size":10,"mode":"slow"})", &old), "");
  EXPECT_NE(wrong(R"({"size":11})", &old), "");
}

TEST_F(CustomKindTest, AnotherKindIsInvalid) {
  Value other = widget(R"({"size":1})");
  other.set("kind", "Gadget");
  std::vector<std::string> warnings;
  const auto decoded = decode_value(kind(), other, FieldValidation::warn, warnings);
  ASSERT_FALSE(decoded.has_value());
  EXPECT_EQ(decoded.error().code, 422);
  EXPECT_EQ(decoded.error().message,
            "Gadget.ex.dev \"w\" is invalid: kind: Invalid value: \"Gadget\": must be Widget");
}

TEST(CustomDefinition, WarnsOfRulesThatAreNotEvaluated) {
  Value crd = json(kCrd);
  EXPECT_TRUE(crd_warnings(crd).empty());
  crd.mutate("spec", "versions")
      .mutable_items()[0]
      .mutate("schema", "openAPIV3Schema")
      .set("x-kubernetes-validations", json(R"([{"rule":"true"}])"));
  EXPECT_EQ(crd_warnings(crd).size(), 1u);
}

TEST(CustomDefinition, ValidatesItself) {
  Value crd = json(kCrd);
  default_crd(crd);
  FieldErrors errors;
  validate_crd(crd, nullptr, errors);
  ASSERT_EQ(errors.size(), 1u);  // the second version has no schema
  EXPECT_EQ(errors[0].message(),
            "spec.versions[1].schema.openAPIV3Schema: Required value: schemas are required");
}

// Groups under which this server keeps records, and those of Kubernetes itself.
TEST(CustomDefinition, LeavesTheGroupsOfOthers) {
  const auto complaints = [](const std::string& group, const char* approval) {
    Value crd = json(kCrd);
    crd.mutate("spec").set("group", group);
    crd.mutate("metadata").set("name", "widgets." + group);
    if (approval != nullptr) {
      crd.mutate("metadata")
          .set("annotations", Value::object({{"api-approved.kubernetes.io", approval}}));
    }
    default_crd(crd);
    FieldErrors errors;
    validate_crd(crd, nullptr, errors);
    return errors.size() - 1;  // the second version has no schema
  };
  EXPECT_EQ(complaints("fences.keelway.dev", nullptr), 1u);
  EXPECT_EQ(complaints("keelway.dev", nullptr), 1u);
  EXPECT_EQ(complaints("my-keelway.dev", nullptr), 0u);
  EXPECT_EQ(complaints("metrics.k8s.io", nullptr), 1u);
  EXPECT_EQ(complaints("metrics.k8s.io", "https://github.com/kubernetes/kubernetes/pull/1"), 0u);
  EXPECT_EQ(complaints("ex.x-k8s.io", nullptr), 0u);
}

TEST(CustomDefinition, OrdersVersionsAsDiscoveryDoes) {
  const std::vector<std::string_view> order{"v10",      "v2",       "v1",   "v11beta2",
                                            "v10beta3", "v3alpha1", "foo1", "foo10"};
  for (std::size_t i = 0; i + 1 < order.size(); ++i) {
    EXPECT_TRUE(version_comes_first(order[i], order[i + 1])) << order[i];
    EXPECT_FALSE(version_comes_first(order[i + 1], order[i])) << order[i];
  }
}

}  // namespace
}  // namespace keelway::schema
