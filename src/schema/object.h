// A stored object: its text (compact JSON, without resourceVersion) and views of its header.
// Immutable and shared by the cache, every watcher and every view. What is kept for long is the
// text; the parsed form is made when somebody asks and does not stay.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "schema/stored_text.h"
#include "value/value.h"

namespace keelway::schema {

class ParsedPool;  // parsed_pool.h

// A string within an object's text; lives as long as the object. Becomes a string where one is
// wanted.
class Text : public std::string_view {
 public:
  using std::string_view::string_view;
  Text() = default;
  explicit Text(std::string_view text) : std::string_view(text) {}
  operator std::string() const { return std::string(data(), size()); }
  friend std::string operator+(std::string a, Text b) { return std::move(a.append(b)); }
  friend std::string operator+(const char* a, Text b) { return std::string(a).append(b); }
  friend std::string operator+(Text a, std::string_view b) { return std::string(a).append(b); }
  friend std::string operator+(Text a, char b) { return std::string(a) + b; }
};

struct OwnerReference {
  Text uid, kind, name, api_version;
  bool controller = false;
  bool block_owner_deletion = false;
  bool operator==(const OwnerReference&) const = default;
};
using LabelViews = std::vector<std::pair<std::string_view, std::string_view>>;

class Object {
 public:
  // `bytes`: compact JSON as stored. Cannot fail on bytes that this program wrote; of a document
  // that is no object nothing is read. Without a pool every value() parses. With `sets` the text
  // shares its long field sets with other objects.
  static std::shared_ptr<const Object> parse(const std::shared_ptr<const std::string>& bytes,
                                             std::int64_t revision,
                                             std::shared_ptr<ParsedPool> pool = nullptr,
                                             FieldSets* sets = nullptr);
  // The same text at another revision.
  std::shared_ptr<const Object> at_revision(std::int64_t revision) const;
  Object() = default;
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;

  Text name_space() const { return namespace_; }  // empty: cluster-scoped
  Text name() const { return name_; }
  Text uid() const { return uid_; }
  std::int64_t revision() const { return revision_; }
  bool deleting() const { return deleting_; }          // has a deletionTimestamp
  LabelViews labels() const;                           // in the order of their keys
  std::string_view label(std::string_view key) const;  // empty where absent
  const std::vector<OwnerReference>& owners() const { return owners_; }
  const OwnerReference* controller() const;  // the owner with controller: true, or null
  // Compact JSON as stored, to look for places in; what it shares with other objects, sets of owned
  // fields, may read as {}.
  std::string_view outline() const { return text_.outline(); }
  const StoredText& text() const { return text_; }
  // The scalar at a path of members ("spec.nodeName") as text, found without parsing; empty where
  // it is absent, null, an object or an array.
  std::string field(std::string_view dotted_path) const;

  // The document with metadata.resourceVersion set. Parsed anew where nobody asked lately; safe
  // from any thread.
  value::Value value() const;
  // Compact JSON with metadata.resourceVersion spliced in.
  std::string json() const;
  void append_json(std::string& out) const;

 private:
  struct Decoded;
  static std::shared_ptr<const Object> make(StoredText text, std::string_view metadata,
                                            std::int64_t revision,
                                            std::shared_ptr<ParsedPool> pool);
  void read_metadata(std::string_view metadata);
  void read_owners(std::string_view references);
  Text text_of(std::string_view token);

  StoredText text_;
  std::shared_ptr<ParsedPool> pool_;
  std::int64_t revision_ = 0;
  Text namespace_, name_, uid_;  // into the outline, or into decoded_
  std::vector<OwnerReference> owners_;
  std::shared_ptr<Decoded> decoded_;
  // Offset in the outline where the revision's member goes; 0: unknown, the document is encoded
  // anew.
  std::uint32_t splice_at_ = 0;
  std::uint32_t labels_at_ = 0;  // 0: none
  bool deleting_ = false;
};
using ObjectPtr = std::shared_ptr<const Object>;

}  // namespace keelway::schema
