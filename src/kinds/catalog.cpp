#include "kinds/catalog.h"

#include <algorithm>
#include <array>
#include <deque>
#include <string_view>
#include <tuple>

#include "kinds/filter.h"
#include "kinds/hooks.h"
#include "kinds/tables.h"

namespace keelway::kinds {
namespace {

constexpr std::string_view hub_group = "hub.keelway.dev";

// Groups in the order that discovery lists them; others follow by name.
constexpr std::array<std::string_view, 12> group_order = {
    "",
    "apps",
    "events.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "autoscaling",
    "policy",
    "rbac.authorization.k8s.io",
    "apiextensions.k8s.io",
    "scheduling.k8s.io",
    "coordination.k8s.io",
    hub_group,
};
// What an API server without nodes leaves out.
constexpr std::array<std::string_view, 5> groups_of_workloads = {
    "apps", "autoscaling", "policy", "scheduling.k8s.io", "apiextensions.k8s.io"};
constexpr std::array<std::string_view, 6> core_of_workloads = {"Binding", "Endpoints",   "Node",
                                                               "Pod",     "PodTemplate", "Service"};
constexpr std::string_view meta_group = "meta.k8s.io";

bool in_hub(const schema::Kind& kind) {
  if (std::ranges::find(groups_of_workloads, kind.group) != groups_of_workloads.end()) {
    return false;
  }
  return !kind.group.empty() ||
         std::ranges::find(core_of_workloads, kind.kind) == core_of_workloads.end();
}

std::size_t rank_of(std::string_view group) {
  return static_cast<std::size_t>(std::ranges::find(group_order, group) - group_order.begin());
}

bool before(const schema::Kind& a, const schema::Kind& b) {
  const std::size_t left = rank_of(a.group), right = rank_of(b.group);
  if (left != right) return left < right;
  return std::tie(a.group, a.version, a.resource) < std::tie(b.group, b.version, b.resource);
}

class Catalog final : public schema::KindSet {
 public:
  Catalog(int minor, bool hub) : minor_(minor), structs_(minor) {
    for (const tables::File* file : tables::files()) {
      for (const schema::Kind& kind : file->kinds) {
        if (!served(minor, kind.since, kind.until)) continue;
        if (hub ? in_hub(kind) : kind.group != hub_group) add(kind);
      }
    }
    std::ranges::sort(kinds_, before);
  }

  int minor() const override { return minor_; }

  const schema::Kind* by_resource(std::string_view group, std::string_view version,
                                  std::string_view resource) const override {
    if (resource.empty()) return nullptr;
    return find([&](const schema::Kind& kind) {
      return kind.resource == resource && kind.group == group && kind.version == version;
    });
  }

  const schema::Kind* by_kind(std::string_view group, std::string_view version,
                              std::string_view name) const override {
    const schema::Kind* exact = find([&](const schema::Kind& kind) {
      return kind.kind == name && kind.group == group && kind.version == version;
    });
    if (exact != nullptr) return exact;
    return find(
        [&](const schema::Kind& kind) { return kind.kind == name && kind.group == meta_group; });
  }

  std::vector<const schema::Kind*> all() const override {
    std::vector<const schema::Kind*> out;
    for (const schema::Kind& kind : kinds_) {
      if (!kind.resource.empty()) out.push_back(&kind);
    }
    return out;
  }

 private:
  template <class Condition>
  const schema::Kind* find(const Condition& condition) const {
    const auto at = std::ranges::find_if(kinds_, condition);
    return at == kinds_.end() ? nullptr : &*at;
  }

  void add(const schema::Kind& kind) {
    schema::Kind& made = kinds_.emplace_back(kind);
    made.root = structs_.of(kind.root);
    made.hooks = &hooks_.emplace_back(hooks_of(made.api_version(), made.kind));
  }

  int minor_;
  FilteredStructs structs_;
  std::deque<schema::Hooks> hooks_;  // kinds_ points into it
  std::vector<schema::Kind> kinds_;  // complete before anyone asks
};

}  // namespace

schema::KindSetPtr catalog(int minor) {
  if (minor < minor_first || minor > minor_last) return nullptr;
  return std::make_shared<const Catalog>(minor, false);
}

schema::KindSetPtr hub_catalog() {
  return std::make_shared<const Catalog>(minor_last, true);
}

}  // namespace keelway::kinds
