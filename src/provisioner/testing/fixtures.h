// For tests only: objects from JSON, a view that is filled by hand, pods and pools by few words.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "client/resources.h"
#include "client/view.h"
#include "cloud/simulated/catalogue.h"
#include "placement/node_state.h"
#include "provisioner/node_pool.h"
#include "reconcile/loop.h"
#include "value/json.h"

namespace keelway::provisioner::testing {

inline value::Value doc(std::string_view text) {
  auto parsed = value::parse_json(text);
  EXPECT_TRUE(parsed) << text;
  return parsed ? *parsed : value::Value();
}

inline client::ObjectPtr object_of(const value::Value& document, client::Revision revision = 1) {
  return schema::Object::parse(std::make_shared<std::string>(value::to_json(document)), revision);
}

inline const cloud::CataloguePtr& catalogue() {
  static const cloud::CataloguePtr shared = cloud::make_catalogue("us-east-1");
  return shared;
}

// {"metadata": {"name", "uid", "namespace": "default"}, "spec": {"containers": [requests]}},
// merged with `spec`, a JSON object of further members of the spec.
inline value::Value pod_document(const std::string& name, std::string_view cpu,
                                 std::string_view memory, std::string_view spec = "{}",
                                 std::string_view labels = "{}") {
  value::Value pod = doc(R"({"metadata":{"namespace":"default"},"spec":{}})");
  pod.mutate("metadata").set("name", name).set("uid", "uid-" + name).set("labels", doc(labels));
  pod.set("spec", doc(spec));
  value::Value container = pod.at("spec", "containers")[0];
  container.set("name", "c");
  container.mutate("resources", "requests").set("cpu", cpu).set("memory", memory);
  pod.mutate("spec").set("containers", value::Value::array({container}));
  return pod;
}

inline placement::PodInfoPtr pod(const std::string& name, std::string_view cpu,
                                 std::string_view memory, std::string_view spec = "{}",
                                 std::string_view labels = "{}") {
  return std::make_shared<placement::PodInfo>(
      placement::read_pod(pod_document(name, cpu, memory, spec, labels)));
}

// A NodePool whose spec.template.spec.requirements are `requirements`; `more` is merged into spec.
inline value::Value pool_document(const std::string& name, std::string_view requirements = "[]",
                                  std::string_view more = "{}") {
  value::Value pool = doc(
      R"({"metadata":{},"spec":{},"status":{"conditions":[{"type":"Ready","status":"True"}]}})");
  pool.mutate("metadata").set("name", name).set("uid", "uid-" + name);
  pool.set("spec", doc(more));
  value::Value& node = pool.mutate("spec", "template", "spec");
  node.set("requirements", doc(requirements));
  node.set("nodeClassRef",
           doc(R"({"group":"karpenter.k8s.aws","kind":"EC2NodeClass","name":"default"})"));
  return pool;
}

inline NodePool pool(const std::string& name, std::string_view requirements = "[]",
                     std::string_view more = "{}") {
  return read_node_pool(*object_of(pool_document(name, requirements, more)));
}

// A LocalView that plans are made over, and that takes what they write.
class HandView {
 public:
  const client::View& view() const { return view_; }
  client::ObjectPtr put(const client::Resource& resource, value::Value document) {
    document.set("apiVersion", resource.api_version()).set("kind", resource.kind);
    document.mutate("metadata").erase("resourceVersion");
    const client::ObjectPtr object = object_of(document, ++revision_);
    const auto before = view_.get(resource, object->name_space(), object->name());
    view_.apply({{{resource, object, before}}, revision_, true});
    return object;
  }
  void drop(const client::Resource& resource, const std::string& name_space,
            const std::string& name) {
    const auto before = view_.get(resource, name_space, name);
    ASSERT_NE(before, nullptr) << name;
    view_.apply({{{resource, nullptr, before}}, ++revision_, true});
  }
  value::Value get(const client::Resource& resource, const std::string& name,
                   const std::string& name_space = "") const {
    const auto object = view_.get(resource, name_space, name);
    return object ? object->value() : value::Value();
  }

 private:
  client::LocalView view_;
  client::Revision revision_ = 1;
};

inline const client::Call& call_of(const reconcile::Action& action) {
  return std::get<client::Call>(action.what);
}
inline const reconcile::Effect& effect_of(const reconcile::Action& action) {
  return std::get<reconcile::Effect>(action.what);
}
inline bool is_done(const reconcile::Plan& plan) {
  return plan.actions.empty() && std::holds_alternative<reconcile::Done>(plan.next);
}

}  // namespace keelway::provisioner::testing
