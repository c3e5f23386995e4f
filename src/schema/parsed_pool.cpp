#include "schema/parsed_pool.h"

#include <utility>

#include "value/json.h"

namespace keelway::schema {

value::Value parse_document(const std::string& bytes, std::int64_t revision) {
  value::Value document = value::parse_json(bytes).value_or(value::Value::object());
  document.mutate("metadata").set("resourceVersion", std::to_string(revision));
  return document;
}

// Under the lock. What is asked for again is young again.
const value::Value* ParsedPool::find(const std::string* bytes, std::int64_t revision) {
  auto found = young_.find(bytes);
  if (found == young_.end()) {
    const auto older = old_.find(bytes);
    if (older == old_.end()) return nullptr;
    young_bytes_ += bytes->size();
    found = young_.insert(old_.extract(older)).position;
  }
  return found->second.revision == revision ? &found->second.document : nullptr;
}

void ParsedPool::keep(Entry entry, Entries& dropped) {
  if (!wake_ || young_.contains(entry.bytes.get())) return;
  if (young_bytes_ + entry.bytes->size() > bytes_max_ / 2) {
    dropped = std::exchange(old_, std::exchange(young_, {}));
    young_bytes_ = 0;
  }
  young_bytes_ += entry.bytes->size();
  young_.emplace(entry.bytes.get(), std::move(entry));
  if (!std::exchange(awake_, true)) wake_();
}

value::Value ParsedPool::get(const std::shared_ptr<const std::string>& bytes,
                             std::int64_t revision) {
  {
    const std::lock_guard lock(mutex_);
    if (const value::Value* known = find(bytes.get(), revision)) return *known;
  }
  value::Value document = parse_document(*bytes, revision);
  Entries dropped;  // destroyed without the lock
  const std::lock_guard lock(mutex_);
  keep({bytes, revision, document}, dropped);
  return document;
}

bool ParsedPool::sweep() {
  Entries dropped;
  const std::lock_guard lock(mutex_);
  dropped = std::exchange(old_, std::exchange(young_, {}));
  young_bytes_ = 0;
  awake_ = !old_.empty();
  return awake_;
}

void ParsedPool::close() {
  Entries young, old;
  const std::lock_guard lock(mutex_);
  wake_ = nullptr;
  young.swap(young_);
  old.swap(old_);
  young_bytes_ = 0;
}

}  // namespace keelway::schema
