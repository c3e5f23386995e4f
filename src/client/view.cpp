#include "client/view.h"

namespace keelway::client {
namespace {

std::string table_key(const Resource& r) {
  return r.resource + "." + r.group;
}

// Adds to or takes out of the set under `key`; empty sets go.
template <class Map, class Member>
void change(Map& sets, std::string_view key, const Member& member, bool add) {
  auto found = sets.find(key);
  if (add) {
    if (found == sets.end()) found = sets.try_emplace(std::string(key)).first;
    found->second.insert(member);
  } else if (found != sets.end()) {
    found->second.erase(member);
    if (found->second.empty()) sets.erase(found);
  }
}

}  // namespace

bool LocalView::Owned::operator<(const Owned& other) const {
  if (table != other.table) return table->key < other.table->key;
  return ByName::name(object) < ByName::name(other.object);
}

LocalView::Table& LocalView::table_for(const Resource& r) {
  const auto [place, fresh] = tables_.try_emplace(table_key(r));
  if (fresh) place->second.key = place->first;
  place->second.resource = r;
  return place->second;
}

const LocalView::Table* LocalView::table_of(const Resource& r) const {
  const auto found = tables_.find(table_key(r));
  return found != tables_.end() ? &found->second : nullptr;
}

std::vector<ObjectPtr> View::pods_without_controller(std::string_view name_space) const {
  std::vector<ObjectPtr> pods = list({"", "v1", "pods", "Pod", true}, name_space);
  std::erase_if(pods, [](const ObjectPtr& pod) { return pod->controller() != nullptr; });
  return pods;
}

void LocalView::index(const Table& table, const ObjectPtr& slot, bool add) {
  for (const schema::OwnerReference& owner : slot->owners()) {
    change(owned_, owner.uid, Owned{&table, &slot}, add);
  }
  if (table.resource.resource != "pods" || !table.resource.group.empty()) return;
  if (slot->controller() == nullptr) change(uncontrolled_, slot->name_space(), &slot, add);
  const std::string node = slot->field("spec.nodeName");
  if (!node.empty()) change(pods_on_, node, &slot, add);
}

// Whether the indexes say the same of both.
bool LocalView::indexed_alike(const Table& table, const Object& a, const Object& b) {
  if (!(a.owners() == b.owners())) return false;
  if (table.resource.resource != "pods" || !table.resource.group.empty()) return true;
  return a.field("spec.nodeName") == b.field("spec.nodeName");
}

void LocalView::apply(const ChangeBatch& batch) {
  for (const Change& change : batch.changes) {
    const ObjectPtr& named = change.object ? change.object : change.previous;
    if (!named) continue;
    Table& table = table_for(change.resource);
    const auto found = table.objects.find(named);
    if (found == table.objects.end()) {
      if (change.object) index(table, *table.objects.insert(change.object).first, true);
      continue;
    }
    // Most changes, of status, leave the indexes as they are.
    const bool alike = change.object && indexed_alike(table, **found, *change.object);
    if (!alike) index(table, *found, false);
    const auto next = std::next(found);
    auto slot = table.objects.extract(found);
    if (!change.object) continue;
    slot.value() = change.object;
    const auto placed = table.objects.insert(next, std::move(slot));
    if (!alike) index(table, *placed, true);
  }
  if (batch.revision > revision_) revision_ = batch.revision;
  if (batch.synced) synced_ = true;
}

ObjectPtr LocalView::get(const Resource& r, std::string_view name_space,
                         std::string_view name) const {
  const Table* table = table_of(r);
  if (table == nullptr) return nullptr;
  const auto found = table->objects.find(ByName::Name(name_space, name));
  return found != table->objects.end() ? *found : nullptr;
}

std::vector<ObjectPtr> LocalView::list(const Resource& r, std::string_view name_space) const {
  const Table* table = table_of(r);
  if (table == nullptr) return {};
  if (name_space.empty()) return {table->objects.begin(), table->objects.end()};
  std::vector<ObjectPtr> objects;
  for (auto at = table->objects.lower_bound(ByName::Name(name_space, ""));
       at != table->objects.end() && (*at)->name_space() == name_space; ++at) {
    objects.push_back(*at);
  }
  return objects;
}

std::vector<std::pair<Resource, ObjectPtr>> LocalView::owned_by(std::string_view uid) const {
  std::vector<std::pair<Resource, ObjectPtr>> owned;
  const auto found = owned_.find(uid);
  if (found == owned_.end()) return owned;
  owned.reserve(found->second.size());
  for (const Owned& one : found->second) owned.emplace_back(one.table->resource, *one.object);
  return owned;
}

std::vector<ObjectPtr> LocalView::pods_on(std::string_view node_name) const {
  std::vector<ObjectPtr> pods;
  const auto found = pods_on_.find(node_name);
  if (found == pods_on_.end()) return pods;
  pods.reserve(found->second.size());
  for (const ObjectPtr* pod : found->second) pods.push_back(*pod);
  return pods;
}

std::vector<ObjectPtr> LocalView::pods_without_controller(std::string_view name_space) const {
  std::vector<ObjectPtr> pods;
  const auto found = uncontrolled_.find(name_space);
  if (found == uncontrolled_.end()) return pods;
  pods.reserve(found->second.size());
  for (const ObjectPtr* pod : found->second) pods.push_back(*pod);
  return pods;
}

}  // namespace keelway::client
