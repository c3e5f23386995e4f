#include "controllers/crd/crd_loop.h"

#include <algorithm>
#include <set>

#include "client/resources.h"
#include "controllers/known_resources.h"
#include "controllers/ownership.h"
#include "reconcile/conditions.h"
#include "reconcile/finalizers.h"

namespace keelway::controllers {
namespace {

namespace resources = client::resources;
using client::ObjectPtr;
using client::View;
using reconcile::Key;
using reconcile::Plan;

constexpr std::string_view kFinalizer = "customresourcecleanup.apiextensions.k8s.io";
constexpr std::size_t kDeletesMax = 500;

// Names that other CRDs of the group hold.
struct Taken {
  std::set<std::string, std::less<>> resources, kinds;
};

Taken names_of_others(const View& view, const client::Object& crd, const std::string& group) {
  Taken taken;
  for (const ObjectPtr& other : view.list(resources::crds)) {
    if (other->uid() == crd.uid()) continue;
    const value::Value document = other->value();
    if (document.at("spec", "group").as_string() != group) continue;
    const value::Value& names = document.at("status", "acceptedNames");
    for (const char* field : {"plural", "singular"}) {
      if (!names[field].as_string().empty()) taken.resources.insert(names[field].as_string());
    }
    for (const value::Value& short_name : names["shortNames"].items()) {
      taken.resources.insert(short_name.as_string());
    }
    for (const char* field : {"kind", "listKind"}) {
      if (!names[field].as_string().empty()) taken.kinds.insert(names[field].as_string());
    }
  }
  return taken;
}

struct Verdict {
  value::Value accepted;  // the names that are free
  std::string reason = "NoConflicts", message = "no conflicts found";
  bool all = true;
};

Verdict judge_names(const value::Value& wanted, const value::Value& held, const Taken& taken) {
  Verdict verdict;
  verdict.accepted = held;
  const auto refuse = [&](const std::string& name, const char* reason) {
    if (verdict.all) {
      verdict.reason = reason;
      verdict.message = "\"" + name + "\" is already in use";
    }
    verdict.all = false;
  };
  const auto offer = [&](const char* field, const std::set<std::string, std::less<>>& others,
                         const char* reason) {
    const std::string& name = wanted[field].as_string();
    if (name.empty())
      verdict.accepted.erase(field);
    else if (others.contains(name))
      refuse(name, reason);
    else
      verdict.accepted.set(field, name);
  };
  offer("plural", taken.resources, "PluralConflict");
  offer("singular", taken.resources, "SingularConflict");
  offer("kind", taken.kinds, "KindConflict");
  offer("listKind", taken.kinds, "ListKindConflict");
  bool short_names_free = true;
  for (const value::Value& name : wanted["shortNames"].items()) {
    if (!taken.resources.contains(name.as_string())) continue;
    refuse(name.as_string(), "ShortNamesConflict");
    short_names_free = false;
  }
  if (short_names_free) {
    if (wanted["shortNames"].empty())
      verdict.accepted.erase("shortNames");
    else
      verdict.accepted.set("shortNames", wanted["shortNames"]);
  }
  if (wanted["categories"].empty())
    verdict.accepted.erase("categories");
  else
    verdict.accepted.set("categories", wanted["categories"]);
  return verdict;
}

void add_stored_version(value::Value& status, const value::Value& spec) {
  for (const value::Value& version : spec["versions"].items()) {
    if (!version["storage"].as_bool()) continue;
    value::Value stored = status["storedVersions"];
    const value::Array& items = stored.items();
    if (std::find(items.begin(), items.end(), version["name"]) != items.end()) return;
    stored.push(version["name"]);
    status.set("storedVersions", std::move(stored));
  }
}

class CrdLoop final : public reconcile::KeyedLoop {
 public:
  std::string_view name() const override { return "crd-controller"; }
  std::vector<client::Resource> watches() const override { return {resources::crds}; }

  std::vector<client::Resource> more_watches(const client::Change& change) const override {
    if (change.resource != resources::crds || !change.object) return {};
    const auto resource = resource_of_crd(change.object->value());
    if (!resource) return {};
    return {*resource};
  }

  void keys_of(const client::Change& change, const View& view,
               std::vector<Key>& keys) const override {
    const ObjectPtr& named = change.object ? change.object : change.previous;
    if (change.resource != resources::crds) {
      // A custom object that goes may be the last one of a CRD that goes. Every other change of
      // every other kind comes by here too, when it is watched for somebody else.
      if (change.object || change.resource.group.empty()) return;
      const std::string crd = change.resource.resource + "." + change.resource.group;
      const ObjectPtr definition = view.get(resources::crds, "", crd);
      if (definition && definition->deleting()) keys.push_back({"", crd, ""});
      return;
    }
    keys.push_back({"", named->name(), ""});
    if (change.object && !change.object->deleting()) return;
    // Its names may be free now.
    for (const ObjectPtr& other : view.list(resources::crds)) {
      if (!reconcile::is_condition_true(other->value().at("status", "conditions"),
                                        "NamesAccepted")) {
        keys.push_back({"", other->name(), ""});
      }
    }
  }

  Plan plan(const View& view, const Key& key, base::WallTime now, reconcile::Seed) const override {
    const ObjectPtr crd = view.get(resources::crds, "", key.name);
    if (!crd) return {};
    const value::Value document = crd->value();
    return crd->deleting() ? clean_up(view, document, now) : establish(view, *crd, document, now);
  }

 private:
  static Plan establish(const View& view, const client::Object& crd, const value::Value& document,
                        base::WallTime now) {
    const value::Value& spec = document["spec"];
    value::Value status = document["status"];
    const Verdict verdict = judge_names(spec["names"], status["acceptedNames"],
                                        names_of_others(view, crd, spec["group"].as_string()));
    status.set("acceptedNames", verdict.accepted);
    value::Value conditions = status["conditions"];
    reconcile::set_condition(
        conditions,
        {"NamesAccepted", verdict.all ? "True" : "False", verdict.reason, verdict.message}, now);
    // Once established, always established: objects may exist.
    if (!reconcile::is_condition_true(conditions, "Established")) {
      reconcile::set_condition(
          conditions,
          {"Established", verdict.all ? "True" : "False",
           verdict.all ? "InitialNamesAccepted" : "NotAccepted",
           verdict.all ? "the initial names have been accepted" : "not all names are accepted"},
          now);
    }
    status.set("conditions", std::move(conditions));
    add_stored_version(status, spec);
    return write_status(document, std::move(status));
  }

  static Plan write_status(const value::Value& document, value::Value status) {
    Plan plan;
    if (status == document["status"]) return plan;
    value::Value changed = document;
    changed.set("status", std::move(status));
    plan.actions.push_back(
        {client::update_call(resources::crds, std::move(changed), "status"), {"NotFound"}, ""});
    return plan;
  }

  static Plan clean_up(const View& view, const value::Value& document, base::WallTime now) {
    if (!reconcile::has_finalizer(document, kFinalizer)) return {};
    value::Value status = document["status"];
    value::Value conditions = status["conditions"];
    const std::string& reason =
        reconcile::find_condition(conditions, "Terminating")["reason"].as_string();
    const auto resource = resource_of_crd(document);
    std::vector<ObjectPtr> objects;
    if (resource) objects = view.list(*resource);
    if (reason.empty() || (!objects.empty() && reason != "InstanceDeletionInProgress")) {
      // Said first, so that nobody makes new ones while the old ones go.
      reconcile::set_condition(conditions,
                               {"Terminating", "True", "InstanceDeletionInProgress",
                                "CustomResource deletion is in progress"},
                               now);
      status.set("conditions", std::move(conditions));
      return write_status(document, std::move(status));
    }
    Plan plan;
    plan.independent = true;
    for (const ObjectPtr& object : objects) {
      if (plan.actions.size() >= kDeletesMax) break;
      if (!object->deleting()) plan.actions.push_back(remove_exactly(*resource, *object));
    }
    if (!objects.empty()) return plan;
    // Instances are watched only after their CRD is known, so a view that has just been opened
    // shows none; what is not seen must not be left behind in the store.
    if (resource) plan.actions.push_back({client::list_one_call(*resource), {}, "*"});
    plan.independent = false;
    plan.actions.push_back(reconcile::drop_finalizer(resources::crds, document, kFinalizer));
    return plan;
  }
};

}  // namespace

std::unique_ptr<reconcile::KeyedLoop> make_crd_loop() {
  return std::make_unique<CrdLoop>();
}

}  // namespace keelway::controllers
