#include "kinds/catalog.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace keelway::kinds {
namespace {

TEST(Catalog, RefusesUnknownMinors) {
  EXPECT_EQ(catalog(31), nullptr);
  EXPECT_EQ(catalog(34), nullptr);
}

TEST(Catalog, FindsPods) {
  const auto kinds = catalog(33);
  const schema::Kind* pod = kinds->by_resource("", "v1", "pods");
  ASSERT_NE(pod, nullptr);
  EXPECT_EQ(pod, kinds->by_kind("", "v1", "Pod"));
  EXPECT_TRUE(pod->has_status);
  EXPECT_TRUE(pod->namespaced);
  EXPECT_EQ(pod->proto_message, "k8s.io.api.core.v1.Pod");
  EXPECT_NE(std::ranges::find(pod->subresources, "eviction"), pod->subresources.end());
  const schema::Field* spec = pod->root->find("spec");
  ASSERT_NE(spec, nullptr);
  const schema::Field* containers = spec->shape.object->find("containers");
  ASSERT_NE(containers, nullptr);
  EXPECT_TRUE(containers->required);
  EXPECT_EQ(containers->shape.list_type, schema::ListType::map);
  EXPECT_EQ(containers->shape.list_keys[0], "name");
  EXPECT_EQ(containers->patch.merge_key, "name");
  EXPECT_EQ(containers->shape.element->object->name, "io.k8s.api.core.v1.Container");
}

TEST(Catalog, FieldsAreSorted) {
  const auto kinds = catalog(33);
  for (const schema::Kind* kind : kinds->all()) {
    EXPECT_TRUE(std::ranges::is_sorted(kind->root->fields, {}, &schema::Field::name)) << kind->kind;
    EXPECT_EQ(kind->columns.empty(), std::ranges::find(kind->verbs, "get") == kind->verbs.end())
        << kind->kind;
  }
}

TEST(Catalog, OlderMinorLacksNewFields) {
  const auto status_of = [](const schema::KindSetPtr& kinds) {
    return kinds->by_kind("apps", "v1", "Deployment")->root->find("status")->shape.object;
  };
  const auto newer = catalog(33), older = catalog(32);
  EXPECT_NE(status_of(newer)->find("terminatingReplicas"), nullptr);
  EXPECT_EQ(status_of(older)->find("terminatingReplicas"), nullptr);
  EXPECT_NE(status_of(older)->find("replicas"), nullptr);
}

TEST(Catalog, RecursiveStructsStayRecursiveWhenFiltered) {
  const auto kinds = catalog(32);
  const schema::Struct* schema =
      kinds->by_kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition")
          ->root->find("spec")
          ->shape.object->find("versions")
          ->shape.element->object->find("schema")
          ->shape.object->find("openAPIV3Schema")
          ->shape.object;
  EXPECT_EQ(schema->find("not")->shape.object, schema);
}

TEST(Catalog, OptionsAreFoundInEveryGroup) {
  const auto kinds = catalog(33);
  EXPECT_NE(kinds->by_kind("apps", "v1", "DeleteOptions"), nullptr);
  EXPECT_NE(kinds->by_kind("", "v1", "Status"), nullptr);
  EXPECT_EQ(kinds->by_kind("apps", "v1", "Pod"), nullptr);
}

TEST(Catalog, CoreComesFirstAndHubKindsOnlyInTheHub) {
  const auto kinds = catalog(33);
  EXPECT_EQ(kinds->all().front()->group, "");
  EXPECT_EQ(kinds->by_kind("hub.keelway.dev", "v1", "Cluster"), nullptr);
  const auto hub = hub_catalog();
  EXPECT_NE(hub->by_resource("hub.keelway.dev", "v1", "clusters"), nullptr);
  EXPECT_NE(hub->by_resource("", "v1", "namespaces"), nullptr);
  EXPECT_EQ(hub->by_resource("", "v1", "pods"), nullptr);
  EXPECT_EQ(hub->by_resource("", "v1", "podtemplates"), nullptr);
}

TEST(Catalog, DeprecationBeginsAtAMinor) {
  EXPECT_FALSE(catalog(32)->by_resource("", "v1", "endpoints")->deprecated);
  EXPECT_TRUE(catalog(33)->by_resource("", "v1", "endpoints")->deprecated);
}

TEST(Catalog, EventsLiveInTheCoreGroup) {
  const auto kinds = catalog(33);
  EXPECT_EQ(kinds->by_resource("events.k8s.io", "v1", "events")->storage_group, "");
  EXPECT_EQ(kinds->by_resource("apps", "v1", "deployments")->storage_group, "apps");
}

}  // namespace
}  // namespace keelway::kinds
