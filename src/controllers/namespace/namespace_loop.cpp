#include "controllers/namespace/namespace_loop.h"

#include <algorithm>
#include <map>

#include "client/resources.h"
#include "controllers/known_resources.h"
#include "controllers/ownership.h"
#include "reconcile/conditions.h"

namespace keelway::controllers {
namespace {

namespace resources = client::resources;
using client::ObjectPtr;
using client::View;
using reconcile::Key;
using reconcile::Plan;

constexpr std::size_t kDeletesMax = 500;  // of one round
constexpr std::string_view kFinalizer = "kubernetes";
// When content that the view does not show yet is looked for again.
constexpr auto content_again = std::chrono::seconds(1);

// What is left, by "resource" or "resource.group" as people write it.
struct Content {
  std::map<std::string, int> instances;
  std::map<std::string, int> finalizers;
  std::vector<std::pair<client::Resource, ObjectPtr>> to_delete;
  bool pods_remain = false;
};

std::string people_name(const client::Resource& resource) {
  return resource.resource + "." + resource.group;
}

Content survey(const View& view, const std::vector<client::Resource>& known,
               const std::string& name_space) {
  Content content;
  content.pods_remain = !view.list(resources::pods, name_space).empty();
  for (const client::Resource& resource : known) {
    if (!resource.namespaced) continue;
    const bool is_pods = resource == resources::pods;
    for (const ObjectPtr& object : view.list(resource, name_space)) {
      ++content.instances[people_name(resource)];
      // Pods go first: what they still use must not go before them.
      if (!object->deleting() && (is_pods || !content.pods_remain)) {
        content.to_delete.emplace_back(resource, object);
      }
      if (!object->deleting()) continue;
      const value::Value document = object->value();
      for (const value::Value& finalizer : document.at("metadata", "finalizers").items()) {
        ++content.finalizers[finalizer.as_string()];
      }
    }
  }
  return content;
}

std::string list_texts(const std::map<std::string, int>& counts, std::string_view middle) {
  std::string text;
  for (const auto& [name, count] : counts) {
    if (!text.empty()) text += ", ";
    text += name + std::string(middle) + std::to_string(count) + " resource instances";
  }
  return text;
}

value::Value describe(const value::Value& status, const Content& content, base::WallTime now) {
  value::Value next = status;
  value::Value conditions = next["conditions"];
  const auto set = [&](std::string_view type, bool bad, std::string_view reason,
                       const std::string& message) {
    reconcile::set_condition(conditions, {type, bad ? "True" : "False", reason, message}, now);
  };
  set("NamespaceDeletionDiscoveryFailure", false, "ResourcesDiscovered",
      "All resources successfully discovered");
  set("NamespaceDeletionGroupVersionParsingFailure", false, "ParsedGroupVersions",
      "All legacy kube types successfully parsed");
  set("NamespaceDeletionContentFailure", false, "ContentDeleted",
      "All content successfully deleted, may be waiting on finalization");
  const bool remains = !content.instances.empty();
  set("NamespaceContentRemaining", remains, remains ? "SomeResourcesRemain" : "ContentRemoved",
      remains ? "Some resources are remaining: " + list_texts(content.instances, " has ")
              : "All content successfully removed");
  const bool held = !content.finalizers.empty();
  set("NamespaceFinalizersRemaining", held,
      held ? "SomeFinalizersRemain" : "ContentHasNoFinalizers",
      held ? "Some content in the namespace has finalizers remaining: " +
                 list_texts(content.finalizers, " in ")
           : "All content-preserving finalizers finished");
  next.set("conditions", std::move(conditions));
  next.set("phase", "Terminating");
  return next;
}

class NamespaceLoop final : public reconcile::KeyedLoop {
 public:
  explicit NamespaceLoop(std::vector<client::Resource> built_in) : known_(std::move(built_in)) {}

  std::string_view name() const override { return "namespace-controller"; }

  std::vector<client::Resource> watches() const override {
    std::vector<client::Resource> watched;
    for (const client::Resource& resource : known_.watched()) {
      if (resource.namespaced) watched.push_back(resource);
    }
    for (const client::Resource& own : {resources::namespaces, resources::pods, resources::crds}) {
      if (std::find(watched.begin(), watched.end(), own) == watched.end()) watched.push_back(own);
    }
    return watched;
  }

  std::vector<client::Resource> more_watches(const client::Change& change) const override {
    if (change.resource != resources::crds || !change.object) return {};
    const auto resource = resource_of_crd(change.object->value());
    if (!resource || !resource->namespaced) return {};
    return {*resource};
  }

  void keys_of(const client::Change& change, const View& view,
               std::vector<Key>& keys) const override {
    const ObjectPtr& named = change.object ? change.object : change.previous;
    if (change.resource == resources::namespaces) {
      if (change.object && change.object->deleting()) keys.push_back({"", named->name(), ""});
      return;
    }
    if (named->name_space().empty()) return;
    // Content of a living namespace is nobody's business here.
    const ObjectPtr home = view.get(resources::namespaces, "", named->name_space());
    if (home && home->deleting()) keys.push_back({"", home->name(), ""});
  }

  Plan plan(const View& view, const Key& key, base::WallTime now, reconcile::Seed) const override {
    const ObjectPtr home = view.get(resources::namespaces, "", key.name);
    if (!home || !home->deleting()) return {};
    const value::Value document = home->value();
    const value::Array& finalizers = document.at("spec", "finalizers").items();
    const auto is_ours = [](const value::Value& f) { return f.as_string() == kFinalizer; };
    if (std::none_of(finalizers.begin(), finalizers.end(), is_ours)) return {};

    const Content content = survey(view, known_.all(view), key.name);
    Plan plan;
    const value::Value status = describe(document["status"], content, now);
    if (!(status == document["status"])) {
      plan.actions.push_back(
          {client::merge_patch_call(resources::namespaces, "", key.name,
                                    value::Value::object({{"status", status}}), "status"),
           {"NotFound"},
           ""});
    }
    for (const auto& [resource, object] : content.to_delete) {
      if (plan.actions.size() > kDeletesMax) break;
      plan.actions.push_back(remove_exactly(resource, *object, "Background"));
    }
    plan.independent = true;
    if (content.instances.empty() && plan.actions.empty()) {
      plan.independent = false;
      // Resources of CRDs are watched only after their CRD is known: a view that has just been
      // opened shows none of them, and what is not seen must not be left behind in the store.
      for (const client::Resource& resource : custom_resources(view)) {
        plan.actions.push_back({client::list_one_call(resource, key.name), {"NotFound"}, "*"});
      }
      finalize(plan, document);
      plan.next = reconcile::After{content_again};
    }
    return plan;
  }

 private:
  static std::vector<client::Resource> custom_resources(const View& view) {
    std::vector<client::Resource> found;
    for (const ObjectPtr& crd : view.list(resources::crds)) {
      const auto resource = resource_of_crd(crd->value());
      if (resource && resource->namespaced) found.push_back(*resource);
    }
    return found;
  }

  static void finalize(Plan& plan, const value::Value& document) {
    const std::string& name = document.at("metadata", "name").as_string();
    // Events are not watched; nothing new can come into a namespace that goes away.
    client::Call events;
    events.verb = client::Verb::remove_collection;
    events.resource = resources::events;
    events.name_space = name;
    plan.actions.push_back({std::move(events), {"NotFound", "MethodNotAllowed"}, ""});
    value::Array kept;
    for (const value::Value& finalizer : document.at("spec", "finalizers").items()) {
      if (finalizer.as_string() != kFinalizer) kept.push_back(finalizer);
    }
    value::Value changed = document;
    changed.mutate("spec").set("finalizers", std::move(kept));
    plan.actions.push_back(
        {client::update_call(resources::namespaces, std::move(changed), "finalize"),
         {"NotFound"},
         ""});
  }

  const KnownResources known_;
};

}  // namespace

std::unique_ptr<reconcile::KeyedLoop> make_namespace_loop(std::vector<client::Resource> built_in) {
  return std::make_unique<NamespaceLoop>(std::move(built_in));
}

}  // namespace keelway::controllers
