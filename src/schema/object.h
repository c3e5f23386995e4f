// A stored object: its bytes (compact JSON, without resourceVersion) and a small parsed header.
// Immutable and shared by the cache, every watcher and every view.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "value/value.h"

namespace keelway::schema {

struct OwnerReference {
  std::string uid, kind, name, api_version;
  bool controller = false;
  bool block_owner_deletion = false;
};

class Object {
 public:
  // `bytes`: compact JSON as stored. Cannot fail on bytes that this program wrote; a document
  // that is no object reads as one without metadata.
  static std::shared_ptr<const Object> parse(std::shared_ptr<const std::string> bytes,
                                             std::int64_t revision);

  const std::string& name_space() const { return namespace_; }  // empty: cluster-scoped
  const std::string& name() const { return name_; }
  const std::string& uid() const { return uid_; }
  std::int64_t revision() const { return revision_; }
  bool deleting() const { return deleting_; }  // has a deletionTimestamp
  const std::vector<std::pair<std::string, std::string>>& labels() const { return labels_; }
  std::string_view label(std::string_view key) const;  // empty where absent
  const std::vector<OwnerReference>& owners() const { return owners_; }
  const OwnerReference* controller() const;  // the owner with controller: true, or null
  const std::string& bytes() const { return *bytes_; }
  const std::shared_ptr<const std::string>& shared_bytes() const { return bytes_; }

  // The document with metadata.resourceVersion set. Parsed at the first call and kept while
  // anyone may ask again; safe from any thread.
  value::Value value() const;
  // Compact JSON with metadata.resourceVersion spliced in.
  std::string json() const;
  void append_json(std::string& out) const;

 private:
  struct Parsed;
  std::string namespace_, name_, uid_;
  std::int64_t revision_ = 0;
  // Offset in the bytes where the revision's member goes; 0: unknown, the document is encoded anew.
  std::uint32_t splice_at_ = 0;
  bool deleting_ = false;
  std::vector<std::pair<std::string, std::string>> labels_;
  std::vector<OwnerReference> owners_;
  std::shared_ptr<const std::string> bytes_;
  std::shared_ptr<Parsed> parsed_;
};
using ObjectPtr = std::shared_ptr<const Object>;

}  // namespace keelway::schema
