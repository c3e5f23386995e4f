#include "schema/parsed_pool.h"

#include <utility>

#include "value/json.h"

namespace keelway::schema {

namespace {

// Tells threads apart, no more.
const void* this_thread() {
  thread_local const char here = 0;
  return &here;
}

void set_revision(value::Value& document, std::int64_t revision) {
  document.mutate("metadata").set("resourceVersion", std::to_string(revision));
}

}  // namespace

value::Value parse_document(const StoredText& text, std::int64_t revision) {
  const bool in_pieces = text.size() != text.outline().size();
  const std::string whole = in_pieces ? text.whole() : std::string();
  const std::string_view json = in_pieces ? whole : text.outline();
  // Deeper than any body: the names of fields' owners nest as deep as the fields, and some more.
  const value::JsonLimits limits{.depth_max = 1'024};
  value::Value document = value::parse_json(json, limits).value_or(value::Value::object());
  set_revision(document, revision);
  return document;
}

// Under the lock. What is asked for again is young again.
ParsedPool::Entry* ParsedPool::find(const char* outline) {
  for (Shard& shard : shards_) {
    auto found = shard.young.find(outline);
    if (found != shard.young.end()) return &found->second;
    const auto older = shard.old.find(outline);
    if (older == shard.old.end()) continue;
    shard.young_bytes += older->second.text.size();
    return &shard.young.insert(shard.old.extract(older)).position->second;
  }
  return nullptr;
}

ParsedPool::Shard& ParsedPool::own_shard() {
  const void* thread = this_thread();
  for (Shard& shard : shards_) {
    if (shard.thread == thread) return shard;
  }
  shards_.push_back({thread, {}, {}, 0, turn_});
  return shards_.back();
}

void ParsedPool::turn(Shard& shard, Entries& dropped) const {
  dropped = std::exchange(shard.old, std::exchange(shard.young, {}));
  shard.young_bytes = 0;
  shard.turn = turn_;
}

void ParsedPool::keep(Entry entry, Entries& dropped, Entries& more) {
  Shard& shard = own_shard();
  if (shard.turn != turn_) turn(shard, dropped);
  const char* const outline = entry.text.outline().data();
  if (!wake_ || shard.young.contains(outline)) return;
  const std::size_t size = entry.text.size();
  if (shard.young_bytes + size > bytes_max_ / 2) turn(shard, more);
  shard.young_bytes += size;
  shard.young.emplace(outline, std::move(entry));
  if (!std::exchange(awake_, true)) wake_();
}

value::Value ParsedPool::get(const StoredText& text, std::int64_t revision) {
  const char* const outline = text.outline().data();
  value::Value document;
  {
    const std::lock_guard lock(mutex_);
    if (const Entry* known = find(outline)) {
      if (known->revision == revision) return known->document;
      if (known->revision == 0) document = known->document;
    }
  }
  if (document)
    set_revision(document, revision);
  else
    document = parse_document(text, revision);
  Entries dropped, more;  // destroyed without the lock, as is
  value::Value replaced;  // what was expected
  const std::lock_guard lock(mutex_);
  if (Entry* known = find(outline); known != nullptr && known->revision == 0) {
    replaced = std::exchange(known->document, document);
    known->revision = revision;
  } else {
    keep({text, revision, document}, dropped, more);
  }
  return document;
}

void ParsedPool::expect(const std::shared_ptr<const std::string>& bytes, value::Value document) {
  Entries dropped, more;
  const std::lock_guard lock(mutex_);
  keep({StoredText(bytes), 0, std::move(document)}, dropped, more);
}

void ParsedPool::rename(const char* was, const StoredText& text) {
  StoredText freed;  // without the lock
  const std::lock_guard lock(mutex_);
  if (find(was) == nullptr) return;
  for (Shard& shard : shards_) {
    auto known = shard.young.extract(was);  // find() made it young
    if (!known) continue;
    freed = std::exchange(known.mapped().text, text);
    known.key() = text.outline().data();
    shard.young.insert(std::move(known));
  }
}

bool ParsedPool::sweep() {
  constexpr std::uint64_t patience = 2;  // sweeps that another thread may leave unseen
  std::vector<Entries> dropped;          // destroyed without the lock
  const std::lock_guard lock(mutex_);
  ++turn_;
  bool any = false;
  for (Shard& shard : shards_) {
    const bool idle = turn_ - shard.turn >= patience;
    if (shard.thread == this_thread() || idle) turn(shard, dropped.emplace_back());
    any = any || !shard.young.empty() || !shard.old.empty();
  }
  if (!any) shards_.clear();
  awake_ = any;
  return any;
}

void ParsedPool::close() {
  std::vector<Shard> shards;
  const std::lock_guard lock(mutex_);
  wake_ = nullptr;
  shards.swap(shards_);
}

}  // namespace keelway::schema
