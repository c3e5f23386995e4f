#include "kinds/bootstrap.h"

#include <gtest/gtest.h>

#include <set>

#include "kinds/catalog.h"
#include "value/json.h"

namespace keelway::kinds {
namespace {

using value::Value;

const Value* find(const std::vector<Value>& objects, std::string_view kind, std::string_view name) {
  for (const Value& object : objects) {
    if (object["kind"].as_string() == kind && object.at("metadata", "name").as_string() == name) {
      return &object;
    }
  }
  return nullptr;
}

TEST(Bootstrap, EveryObjectIsOfAServedKindAndUnique) {
  const auto kinds = catalog(33);
  std::set<std::string> seen;
  for (const Value& object : bootstrap_objects(33)) {
    const std::string& api_version = object["apiVersion"].as_string();
    const auto slash = api_version.find('/');
    const bool core = slash == std::string::npos;
    const schema::Kind* kind = kinds->by_kind(core ? "" : api_version.substr(0, slash),
                                              core ? api_version : api_version.substr(slash + 1),
                                              object["kind"].as_string());
    ASSERT_NE(kind, nullptr) << value::to_json(object);
    const Value& metadata = object["metadata"];
    EXPECT_EQ(kind->namespaced, metadata.contains("namespace")) << value::to_json(metadata);
    EXPECT_TRUE(seen.insert(std::string(kind->kind) + "/" + metadata["namespace"].as_string() +
                            "/" + metadata["name"].as_string())
                    .second)
        << value::to_json(metadata);
  }
  EXPECT_GT(seen.size(), 100u);
}

TEST(Bootstrap, AggregatedRolesHaveTheirRules) {
  const auto objects = bootstrap_objects(33);
  const Value* view = find(objects, "ClusterRole", "view");
  const Value* edit = find(objects, "ClusterRole", "edit");
  const Value* admin = find(objects, "ClusterRole", "admin");
  ASSERT_TRUE(view != nullptr && edit != nullptr && admin != nullptr);
  EXPECT_GT((*view)["rules"].size(), 5u);
  EXPECT_GT((*edit)["rules"].size(), (*view)["rules"].size());
  EXPECT_GT((*admin)["rules"].size(), (*edit)["rules"].size());
}

TEST(Bootstrap, NamespacesComeFirst) {
  const auto objects = bootstrap_objects(33);
  EXPECT_EQ(objects.front()["kind"].as_string(), "Namespace");
  EXPECT_NE(find(objects, "Namespace", "kube-system"), nullptr);
  EXPECT_NE(find(objects, "PriorityClass", "system-node-critical"), nullptr);
}

TEST(Bootstrap, CrdsAreCrds) {
  for (const Value& crd : bootstrap_crds()) {
    EXPECT_EQ(crd["kind"].as_string(), "CustomResourceDefinition");
    EXPECT_EQ(
        crd.at("metadata", "name").as_string(),
        crd.at("spec", "names", "plural").as_string() + "." + crd.at("spec", "group").as_string());
  }
}

}  // namespace
}  // namespace keelway::kinds
