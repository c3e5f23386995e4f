// The parsed forms of objects that somebody asked for lately, so that a burst of readers parses a
// document once and an idle program keeps none. Any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "schema/stored_text.h"
#include "value/value.h"

namespace keelway::schema {

class ParsedPool {
 public:
  // Keeps documents of up to `bytes_max` bytes of JSON for each thread that parses; the oldest half
  // goes at the limit. `wake` is called, under the pool's lock, when something is in it again:
  // sweep() is due some time later, until it answers false.
  ParsedPool(std::size_t bytes_max, std::function<void()> wake)
      : bytes_max_(bytes_max), wake_(std::move(wake)) {}

  // The document in `text` with metadata.resourceVersion set.
  value::Value get(const StoredText& text, std::int64_t revision);
  // The document that is about to be stored as `bytes`: who reads these bytes soon need not parse
  // them. Its resourceVersion is not known yet and is set by the first get().
  void expect(const std::shared_ptr<const std::string>& bytes, value::Value document);
  // What is known of the text whose outline stood at `was` will be asked of `text`, its equal.
  void rename(const char* was, const StoredText& text);
  // Drops what nobody asked for since the last sweep. False: the pool is empty. What other threads
  // have parsed they drop themselves when they next ask, because memory goes back most cheaply
  // where it came from; that of a thread which does not ask is dropped one sweep later.
  bool sweep();
  // Drops everything, keeps nothing from now on and wakes nobody.
  void close();

 private:
  struct Entry {
    StoredText text;            // keeps the address from being used again
    std::int64_t revision = 0;  // 0: expected, resourceVersion is not set
    value::Value document;
  };
  // By the address of the outline. Looked up, never iterated.
  using Entries = std::unordered_map<const char*, Entry>;
  // What one thread has parsed.
  struct Shard {
    const void* thread = nullptr;
    Entries young, old;
    std::size_t young_bytes = 0;
    std::uint64_t turn = 0;  // sweeps that it has seen
  };
  Entry* find(const char* outline);
  Shard& own_shard();
  void turn(Shard& shard, Entries& dropped) const;
  void keep(Entry entry, Entries& dropped, Entries& more);

  const std::size_t bytes_max_;
  std::mutex mutex_;
  // guarded by mutex_
  std::function<void()> wake_;  // empty once closed
  std::vector<Shard> shards_;   // few: one a thread
  std::uint64_t turn_ = 0;
  bool awake_ = false;
};

// The document in `text` with metadata.resourceVersion set.
value::Value parse_document(const StoredText& text, std::int64_t revision);

}  // namespace keelway::schema
