#include "app/key_directory.h"

#include "client/resources.h"

namespace keelway::app {
namespace {

aws::AccessKey read_key(const value::Value& document) {
  const value::Value& spec = document["spec"];
  aws::AccessKey key;
  key.access_key_id = spec["accessKeyId"].as_string();
  key.secret_access_key = spec["secretAccessKey"].as_string();
  key.account_id = spec["accountId"].as_string();
  key.user_name = spec["userName"].as_string();
  key.root = spec["root"].as_bool();
  return key;
}

}  // namespace

std::shared_ptr<const KeyDirectory::Table> KeyDirectory::table() const {
  const std::lock_guard lock(mutex_);
  return table_;
}

void KeyDirectory::apply(const client::ChangeBatch& batch) {
  auto next = std::make_shared<Table>(*table());
  bool changed = false;
  for (const client::Change& change : batch.changes) {
    if (!(change.resource == client::resources::access_keys)) continue;
    changed = true;
    if (change.previous) next->erase(read_key(change.previous->value()).access_key_id);
    if (change.object) {
      aws::AccessKey key = read_key(change.object->value());
      (*next)[key.access_key_id] = key;
    }
  }
  if (!changed) return;
  const std::lock_guard lock(mutex_);
  table_ = std::move(next);
  revision_.fetch_add(1);
}

std::optional<aws::AccessKey> KeyDirectory::find(std::string_view access_key_id) const {
  const auto snapshot = table();
  const auto found = snapshot->find(access_key_id);
  if (found == snapshot->end()) return std::nullopt;
  return found->second;
}

std::optional<aws::AccessKey> KeyDirectory::root_of(std::string_view account) const {
  const auto snapshot = table();
  for (const auto& [id, key] : *snapshot) {
    if (key.root && key.account_id == account && id != aws::well_known_test_key) return key;
  }
  return std::nullopt;
}

}  // namespace keelway::app
