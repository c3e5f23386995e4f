// A set of paths into an object: the currency of field ownership.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "value/value.h"

namespace keelway::schema {

// A tree over path elements in FieldsV1's own text: `f:name`, `k:{"name":"x"}`, `v:1`, `i:0`.
// A path is in the set if its node is a member; nodes on the way to members need not be.
// There are no nodes without a member at or below them, except the root.
struct FieldSet {
  using Children = std::map<std::string, FieldSet, std::less<>>;
  bool member = false;  // of the root: no meaning
  Children children;

  bool empty() const { return children.empty() && !member; }
  bool operator==(const FieldSet&) const = default;

  // The node of an element, created if absent. The caller makes it, or one below it, a member.
  FieldSet& at(std::string_view element);
  const FieldSet* find(std::string_view element) const;
  void insert(std::string_view element) { at(element).member = true; }

  void unite(const FieldSet& other);
  void subtract(const FieldSet& other);  // paths, not what lies below them
  // Removes a path and all below it. Elements as in `at`.
  void erase_tree(const std::vector<std::string_view>& path);
  FieldSet intersect(const FieldSet& other) const;
  bool contains(const FieldSet& other) const;

  // `.spec.containers[name="c"].image`, one per member, in order.
  std::vector<std::string> paths() const;

  value::Value to_fields_v1() const;
  // What is no FieldsV1 reads as nothing. Keys and values are brought into our own text.
  static FieldSet from_fields_v1(const value::Value& v);
};

std::string field_element(std::string_view name);  // "f:name"
// `.name`, `[name="x"]`, `[=1]`, `[0]`.
std::string element_text(std::string_view element);

}  // namespace keelway::schema
