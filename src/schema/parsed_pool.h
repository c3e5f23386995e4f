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

#include "value/value.h"

namespace keelway::schema {

class ParsedPool {
 public:
  // Keeps documents of up to `bytes_max` bytes of JSON altogether; the oldest half goes at the
  // limit. `wake` is called, under the pool's lock, when something is in it again: sweep() is
  // due some time later, until it answers false.
  ParsedPool(std::size_t bytes_max, std::function<void()> wake)
      : bytes_max_(bytes_max), wake_(std::move(wake)) {}

  // The document in `bytes` with metadata.resourceVersion set.
  value::Value get(const std::shared_ptr<const std::string>& bytes, std::int64_t revision);
  // Drops what nobody asked for since the last sweep. False: the pool is empty.
  bool sweep();
  // Drops everything, keeps nothing from now on and wakes nobody.
  void close();

 private:
  struct Entry {
    std::shared_ptr<const std::string> bytes;  // keeps the address from being used again
    std::int64_t revision = 0;
    value::Value document;
  };
  // Looked up, never iterated.
  using Entries = std::unordered_map<const std::string*, Entry>;
  const value::Value* find(const std::string* bytes, std::int64_t revision);
  void keep(Entry entry, Entries& dropped);

  const std::size_t bytes_max_;
  std::mutex mutex_;
  // guarded by mutex_
  std::function<void()> wake_;  // empty once closed
  Entries young_, old_;
  std::size_t young_bytes_ = 0;
  bool awake_ = false;
};

// The document in `bytes` with metadata.resourceVersion set.
value::Value parse_document(const std::string& bytes, std::int64_t revision);

}  // namespace keelway::schema
