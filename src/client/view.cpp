#include "client/view.h"

namespace keelway::client {
namespace {

std::string table_key(const Resource& r) {
  return r.resource + "." + r.group;
}

std::string object_key(std::string_view name_space, std::string_view name) {
  std::string key;
  key.reserve(name_space.size() + 1 + name.size());
  key += name_space;
  key += '\0';
  key += name;
  return key;
}

}  // namespace

const LocalView::Table* LocalView::table_of(const Resource& r) const {
  const auto found = tables_.find(table_key(r));
  return found != tables_.end() ? &found->second : nullptr;
}

std::vector<ObjectPtr> View::pods_without_controller(std::string_view name_space) const {
  std::vector<ObjectPtr> pods = list({"", "v1", "pods", "Pod", true}, name_space);
  std::erase_if(pods, [](const ObjectPtr& pod) { return pod->controller() != nullptr; });
  return pods;
}

void LocalView::index(const Table& table, const ObjectPtr& object, bool add) {
  const std::string key =
      table_key(table.resource) + '\0' + object_key(object->name_space(), object->name());
  for (const schema::OwnerReference& owner : object->owners()) {
    if (add) {
      owned_[owner.uid][key] = {table.resource, object};
    } else if (const auto found = owned_.find(owner.uid); found != owned_.end()) {
      found->second.erase(key);
      if (found->second.empty()) owned_.erase(found);
    }
  }
  if (table.resource.resource != "pods" || !table.resource.group.empty()) return;
  if (object->controller() == nullptr) {
    std::map<std::string, ObjectPtr>& pods = uncontrolled_[object->name_space()];
    if (add)
      pods[object->name()] = object;
    else
      pods.erase(object->name());
    if (pods.empty()) uncontrolled_.erase(object->name_space());
  }
  const std::string node = object->value().at("spec", "nodeName").as_string();
  if (node.empty()) return;
  if (add) {
    pods_on_[node][key] = object;
  } else if (const auto found = pods_on_.find(node); found != pods_on_.end()) {
    found->second.erase(key);
    if (found->second.empty()) pods_on_.erase(found);
  }
}

void LocalView::apply(const ChangeBatch& batch) {
  for (const Change& change : batch.changes) {
    const ObjectPtr& named = change.object ? change.object : change.previous;
    if (!named) continue;
    Table& table = tables_[table_key(change.resource)];
    table.resource = change.resource;
    const std::string key = object_key(named->name_space(), named->name());
    const auto found = table.objects.find(key);
    if (found != table.objects.end()) {
      index(table, found->second, false);
      if (!change.object) table.objects.erase(found);
    }
    if (change.object) {
      table.objects[key] = change.object;
      index(table, change.object, true);
    }
  }
  if (batch.revision > revision_) revision_ = batch.revision;
  if (batch.synced) synced_ = true;
}

ObjectPtr LocalView::get(const Resource& r, std::string_view name_space,
                         std::string_view name) const {
  const Table* table = table_of(r);
  if (table == nullptr) return nullptr;
  const auto found = table->objects.find(object_key(name_space, name));
  return found != table->objects.end() ? found->second : nullptr;
}

std::vector<ObjectPtr> LocalView::list(const Resource& r, std::string_view name_space) const {
  std::vector<ObjectPtr> objects;
  const Table* table = table_of(r);
  if (table == nullptr) return objects;
  if (name_space.empty()) {
    objects.reserve(table->objects.size());
    for (const auto& [key, object] : table->objects) objects.push_back(object);
    return objects;
  }
  const std::string prefix = object_key(name_space, "");
  for (auto it = table->objects.lower_bound(prefix);
       it != table->objects.end() && it->first.starts_with(prefix); ++it) {
    objects.push_back(it->second);
  }
  return objects;
}

std::vector<std::pair<Resource, ObjectPtr>> LocalView::owned_by(std::string_view uid) const {
  std::vector<std::pair<Resource, ObjectPtr>> owned;
  const auto found = owned_.find(std::string(uid));
  if (found == owned_.end()) return owned;
  owned.reserve(found->second.size());
  for (const auto& [key, entry] : found->second) owned.push_back(entry);
  return owned;
}

std::vector<ObjectPtr> LocalView::pods_on(std::string_view node_name) const {
  std::vector<ObjectPtr> pods;
  const auto found = pods_on_.find(std::string(node_name));
  if (found == pods_on_.end()) return pods;
  pods.reserve(found->second.size());
  for (const auto& [key, pod] : found->second) pods.push_back(pod);
  return pods;
}

std::vector<ObjectPtr> LocalView::pods_without_controller(std::string_view name_space) const {
  std::vector<ObjectPtr> pods;
  const auto found = uncontrolled_.find(std::string(name_space));
  if (found == uncontrolled_.end()) return pods;
  pods.reserve(found->second.size());
  for (const auto& [name, pod] : found->second) pods.push_back(pod);
  return pods;
}

}  // namespace keelway::client
