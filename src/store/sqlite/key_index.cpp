#include "store/sqlite/key_index.h"

#include <algorithm>

namespace keelway::store {

std::optional<KeyIndex::Found> KeyIndex::find(std::string_view key) const {
  const auto node = nodes_.find(key);
  if (node == nodes_.end() || node->second.current.created == 0) return std::nullopt;
  return Found{node->second.current, node->second.value.lock()};
}

KeyIndex::Written KeyIndex::write(const std::string& key, const Bytes& value, Revision revision,
                                  Position position) {
  Written written{{value ? revision : 0, revision, position}, std::nullopt};
  const auto [node, fresh] = nodes_.try_emplace(key);
  if (!fresh && node->second.current.created != 0) {
    written.before = Found{node->second.current, node->second.value.lock()};
    if (value) written.version.created = node->second.current.created;
  }
  add(node, fresh, written.version);
  if (value) node->second.value = value;
  return written;
}

void KeyIndex::restore(const std::string& key, VersionRef version) {
  const auto [node, fresh] = nodes_.try_emplace(key);
  add(node, fresh, version);
}

void KeyIndex::add(Nodes::iterator node, bool fresh, VersionRef version) {
  if (fresh) {
    node->second.current = version;
    if (version.created != 0) ++live_;
    // Its earlier versions are reclaimed already.
    else
      garbage_.push_back({version.modified, version.position, node});
    return;
  }
  supersede(node, version);
}

void KeyIndex::supersede(Nodes::iterator node, VersionRef version) {
  Node& key = node->second;
  const bool was_live = key.current.created != 0;
  const bool is_live = version.created != 0;
  if (!key.older) key.older = std::make_unique<std::vector<VersionRef>>();
  key.older->push_back(key.current);
  // A tombstone is queued when it is written, not when a new life follows it.
  if (was_live) garbage_.push_back({version.modified, key.current.position, node});
  if (!is_live) garbage_.push_back({version.modified, version.position, node});
  key.current = version;
  key.value.reset();
  live_ += static_cast<std::size_t>(is_live) - static_cast<std::size_t>(was_live);
}

void KeyIndex::undo(const std::string& key, Position position) {
  const auto at = nodes_.find(key);
  KEELWAY_INVARIANT(at != nodes_.end() && at->second.current.position == position,
                    "only the newest version can be taken back: " + key);
  Node& node = at->second;
  if (node.current.created != 0)
    --live_;
  else
    garbage_.pop_back();
  if (!node.older) {
    nodes_.erase(at);
    return;
  }
  node.current = node.older->back();
  node.value.reset();
  node.older->pop_back();
  if (node.older->empty()) node.older.reset();
  if (node.current.created == 0) return;
  ++live_;
  garbage_.pop_back();
}

const VersionRef* KeyIndex::at(const Node& node, Revision revision) {
  if (node.current.modified <= revision) return &node.current;
  if (!node.older) return nullptr;
  const auto after = std::upper_bound(
      node.older->begin(), node.older->end(), revision,
      [](Revision at, const VersionRef& version) { return at < version.modified; });
  return after == node.older->begin() ? nullptr : &*std::prev(after);
}

void KeyIndex::scan(std::string_view prefix, std::string_view start_after, Revision revision,
                    const std::function<bool(const Listed&)>& visit) const {
  auto node = !start_after.empty() && start_after >= prefix ? nodes_.upper_bound(start_after)
                                                            : nodes_.lower_bound(prefix);
  for (; node != nodes_.end() && node->first.starts_with(prefix); ++node) {
    const VersionRef* version = at(node->second, revision);
    if (version == nullptr || version->created == 0) continue;
    Bytes value;
    if (version == &node->second.current) value = node->second.value.lock();
    if (!visit({node->first, *version, std::move(value)})) return;
  }
}

std::vector<Position> KeyIndex::reclaim(Revision compacted, std::size_t count) {
  std::vector<Position> positions;
  while (positions.size() < count && reclaimable(compacted)) {
    const Garbage garbage = garbage_.front();
    garbage_.pop_front();
    positions.push_back(garbage.position);
    Node& node = garbage.node->second;
    if (node.current.position == garbage.position) {
      KEELWAY_INVARIANT(!node.older, "a tombstone goes last: " + garbage.node->first);
      nodes_.erase(garbage.node);
      continue;
    }
    KEELWAY_INVARIANT(node.older && node.older->front().position == garbage.position,
                      "versions go oldest first: " + garbage.node->first);
    node.older->erase(node.older->begin());
    if (node.older->empty()) node.older.reset();
  }
  return positions;
}

}  // namespace keelway::store
