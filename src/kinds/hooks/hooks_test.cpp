#include "kinds/hooks/hooks.h"

#include <gtest/gtest.h>

#include "kinds/catalog.h"
#include "schema/decode.h"
#include "schema/defaults.h"
#include "schema/validate.h"
#include "value/json.h"

namespace keelway::kinds {
namespace {

using value::Value;

Value json(std::string_view text) {
  auto parsed = value::parse_json(text);
  EXPECT_TRUE(parsed.has_value()) << text;
  return parsed ? *parsed : Value();
}

class HooksTest : public ::testing::Test {
 protected:
  const schema::Kind& kind(std::string_view group, std::string_view name) {
    const schema::Kind* found = kinds_->by_kind(group, "v1", name);
    EXPECT_NE(found, nullptr);
    return *found;
  }
  Value created(const schema::Kind& kind, std::string_view text) {
    std::vector<std::string> warnings;
    auto decoded =
        schema::decode_value(kind, json(text), schema::FieldValidation::strict, warnings);
    EXPECT_TRUE(decoded.has_value()) << (decoded ? "" : decoded.error().message);
    Value object = decoded ? *decoded : Value();
    schema::apply_defaults(kind, object);
    if (kind.hooks != nullptr && kind.hooks->prepare != nullptr) {
      kind.hooks->prepare(kind, object, nullptr);
    }
    return object;
  }
  static std::string messages(const schema::FieldErrors& errors) {
    std::string text;
    for (const schema::FieldError& error : errors) text += error.message() + "\n";
    return text;
  }
  schema::KindSetPtr kinds_ = catalog(33);
};

constexpr const char* kPod = R"({"metadata":{"name":"p","namespace":"n"},"spec":{"containers":[
  {"name":"c","image":"registry:5000/a","resources":{"limits":{"cpu":"1000m"}}}]}})";

TEST_F(HooksTest, PodDefaultsDependOnOtherFields) {
  const Value pod = created(kind("", "Pod"), kPod);
  const Value& container = pod["spec"]["containers"][0];
  EXPECT_EQ(container["imagePullPolicy"].as_string(), "Always");
  EXPECT_EQ(container.at("resources", "requests", "cpu").as_string(), "1");
  EXPECT_EQ(pod["status"]["phase"].as_string(), "Pending");
  EXPECT_EQ(pod["status"]["qosClass"].as_string(), "Burstable");
  Value again = pod;
  schema::apply_defaults(kind("", "Pod"), again);
  EXPECT_EQ(again, pod);
}

TEST_F(HooksTest, ImageWithDigestOrTagIsPulledOnce) {
  for (const char* image : {"a:1", "a@sha256:00", "r:5000/a:1"}) {
    Value pod = json(kPod);
    pod.mutate("spec", "containers").mutable_items()[0].set("image", image);
    schema::apply_defaults(kind("", "Pod"), pod);
    EXPECT_EQ(pod["spec"]["containers"][0]["imagePullPolicy"].as_string(), "IfNotPresent") << image;
  }
}

TEST_F(HooksTest, PodUpdateMayChangeTheImageAndLittleElse) {
  const schema::Kind& pod_kind = kind("", "Pod");
  const Value old = created(pod_kind, kPod);
  Value now = old;
  now.mutate("spec", "containers").mutable_items()[0].set("image", "b");
  EXPECT_EQ(messages(schema::validate(pod_kind, now, &old)), "");
  now.mutate("spec").set("nodeName", "x");
  EXPECT_NE(messages(schema::validate(pod_kind, now, &old)).find("pod updates may not change"),
            std::string::npos);
}

TEST_F(HooksTest, PodTemplateIsDefaultedAndCheckedAsAnyTemplate) {
  const schema::Kind& pod_template = kind("", "PodTemplate");
  const Value made = created(pod_template, R"({"metadata":{"name":"t","namespace":"n"},"template":{
    "metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i:1"}]}}})");
  const Value& spec = made["template"]["spec"];
  EXPECT_EQ(spec["restartPolicy"].as_string(), "Always");
  EXPECT_EQ(spec["terminationGracePeriodSeconds"].as_int(), 30);
  EXPECT_EQ(spec["containers"][0]["imagePullPolicy"].as_string(), "IfNotPresent");
  EXPECT_EQ(messages(schema::validate(pod_template, made, nullptr)), "");
  Value bad = made;
  bad.mutate("template", "spec").erase("containers");
  EXPECT_EQ(messages(schema::validate(pod_template, bad, &made)),
            "template.spec.containers: Required value\n");
}

TEST_F(HooksTest, SecretTextsBecomeData) {
  const Value secret = created(kind("", "Secret"), R"({"metadata":{"name":"s","namespace":"n"},
    "stringData":{"a":"b"},"data":{"a":"eA==","c":"eQ=="}})");
  EXPECT_EQ(secret["data"], json(R"({"a":"Yg==","c":"eQ=="})"));
  EXPECT_FALSE(secret.contains("stringData"));
  EXPECT_EQ(secret["type"].as_string(), "Opaque");
}

TEST_F(HooksTest, NamespaceGetsItsLabelAndFinalizer) {
  const Value made = created(kind("", "Namespace"), R"({"metadata":{"name":"n"}})");
  EXPECT_EQ(made.at("metadata", "labels", "kubernetes.io/metadata.name").as_string(), "n");
  EXPECT_EQ(made["spec"]["finalizers"], json(R"(["kubernetes"])"));
  EXPECT_EQ(made["status"]["phase"].as_string(), "Active");
}

TEST_F(HooksTest, ServiceKeepsItsAddressOnUpdate) {
  const schema::Kind& service = kind("", "Service");
  Value old = created(service, R"({"metadata":{"name":"s","namespace":"n"},
    "spec":{"ports":[{"port":80}]}})");
  EXPECT_EQ(old["spec"]["ports"][0]["targetPort"].as_int(), 80);
  old.mutate("spec").set("clusterIP", "10.0.0.1").set("clusterIPs", json(R"(["10.0.0.1"])"));
  Value now = old;
  now.mutate("spec").erase("clusterIP");
  now.mutate("spec").erase("clusterIPs");
  service.hooks->prepare(service, now, &old);
  EXPECT_EQ(now["spec"], old["spec"]);
  now.mutate("spec").set("clusterIP", "10.0.0.2");
  service.hooks->prepare(service, now, &old);
  EXPECT_NE(messages(schema::validate(service, now, &old)).find("may not change once set"),
            std::string::npos);
}

TEST_F(HooksTest, FrozenConfigMapStays) {
  const schema::Kind& config = kind("", "ConfigMap");
  const Value old = created(config, R"({"metadata":{"name":"c","namespace":"n"},
    "immutable":true,"data":{"a":"b"}})");
  Value now = old;
  now.mutate("data").set("a", "c");
  EXPECT_EQ(messages(schema::validate(config, now, &old)),
            "data: Forbidden: field is immutable when `immutable` is set\n");
}

TEST_F(HooksTest, DeploymentSelectorMustMatchAndStay) {
  const schema::Kind& deployment = kind("apps", "Deployment");
  const Value old = created(deployment, R"({"metadata":{"name":"d","namespace":"n"},"spec":{
    "selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},
    "spec":{"containers":[{"name":"c","image":"i"}]}}}})");
  EXPECT_EQ(messages(schema::validate(deployment, old, nullptr)), "");
  EXPECT_EQ(old.at("spec", "strategy", "rollingUpdate", "maxSurge").as_string(), "25%");
  Value now = old;
  now.mutate("spec", "selector", "matchLabels").set("a", "c");
  const std::string text = messages(schema::validate(deployment, now, &old));
  EXPECT_NE(text.find("`selector` does not match template `labels`"), std::string::npos);
  EXPECT_NE(text.find("field is immutable"), std::string::npos);
}

}  // namespace
}  // namespace keelway::kinds
