// The text of a stored object: whole, or in pieces where a long part of it is the same in many
// objects and is kept once for all of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace keelway::schema {

// The long sets of owned fields (metadata.managedFields[].fieldsV1) of one cluster's objects. Those
// of objects that are made alike are alike, and they are a third and more of a pod. One thread;
// what it handed out may be released on any.
class FieldSets {
 public:
  using Shared = std::shared_ptr<const std::string>;
  static constexpr std::size_t kLong = 256;  // bytes; of a shorter one sharing saves nothing

  // The one copy of `set`; null where nothing like it was seen lately, so that a set of one object
  // alone costs nothing but a mark.
  Shared share(std::string_view set);
  std::size_t size() const { return sets_.size(); }

 private:
  struct Key {
    std::string_view text;  // of the copy
    std::size_t hash;
    bool operator==(const Key& other) const { return text == other.text; }
  };
  struct Hash {
    std::size_t operator()(const Key& key) const { return key.hash; }
  };
  bool seen_lately(std::size_t hash);
  void drop_unused();

  // Looked up; iterated only to drop what nobody has. At most twice as many as are in use.
  std::unordered_map<Key, Shared, Hash> sets_;
  std::size_t limit_ = 64;            // of sets_, before those that nobody has are dropped
  std::vector<std::uint32_t> marks_;  // of sets by their hash; a later one takes the place
};

class StoredText {
 public:
  StoredText() = default;
  // Compact JSON; never copied but where it shares a part. `metadata` is the document's, in `text`;
  // in the outline it begins where it began.
  explicit StoredText(const std::shared_ptr<const std::string>& text,
                      std::string_view metadata = {}, FieldSets* sets = nullptr);

  // Compact JSON as well: the same document, but shared field sets read as {}. Lives as long as any
  // copy of this; its address tells texts apart.
  std::string_view outline() const { return {own_.get(), size_}; }
  std::size_t size() const;  // of the whole text
  // What stands in the whole text for [from, to) of the outline; neither lies within a shared {}.
  void append(std::string& out, std::size_t from, std::size_t to) const;
  std::string whole() const;

 private:
  struct Part {
    std::size_t at = 0;  // where in the outline its {} stands
    FieldSets::Shared set;
  };
  struct Cut {
    std::string_view set;  // in the text
    FieldSets::Shared shared;
  };
  void join(const std::string& text, const std::vector<Cut>& cuts);

  std::shared_ptr<const char> own_;
  std::shared_ptr<Part[]> parts_;  // in order
  std::uint32_t size_ = 0;         // of the outline
  std::uint32_t parts_count_ = 0;
};

}  // namespace keelway::schema
